"""A run: its directory and what the directory holds."""

from also_wrappers.run.checkpoints import Checkpoint, Checkpoints
from also_wrappers.run.run import Run

__all__ = ["Checkpoint", "Checkpoints", "Run"]
