"""Checkpoints: where a run can go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from also_wrappers.board.posting import Posting

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """Where a run can go on.

    Attributes:
        name: ``start``, ``pause`` (before a round), ``before_swap`` (of the last round
            that swapped) or ``round`` (after a round).
        snapshot: The trainer's own snapshot.
        posting: What was posted.
        state: What the loop needs besides, as plain data.
    """

    name: str
    snapshot: Path
    posting: Posting
    state: dict[str, Any]
