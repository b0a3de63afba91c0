"""Checks candidates before any training."""

from also_wrappers.checks.check import Checks

__all__ = ["Checks"]
