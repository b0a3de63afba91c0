"""The loop: record, diagnose, propose, check, branch, refine, decide, swap."""

from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions

__all__ = ["Adaptation", "AdaptationOptions"]
