"""The loop: record, diagnose, propose, check, branch, refine, decide, swap."""

from also_wrappers.loop.adaptation import Adaptation

__all__ = ["Adaptation"]
