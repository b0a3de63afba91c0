"""A run: its directory and what it holds."""

from also_wrappers.run.checkpoints import Checkpoint
from also_wrappers.run.run import Run

__all__ = ["Checkpoint", "Run"]
