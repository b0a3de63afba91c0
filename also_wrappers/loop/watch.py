"""Holds the watch over a signal that no base reward speaks for yet."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from also_wrappers.board.posting import Posting
from also_wrappers.signal.model import Signal

__all__ = ["Turn", "Watch"]


class Turn(BaseModel):
    """Holds a candidate that is used next if the one before leads to no base reward.

    Attributes:
        name: Name of the candidate's arm.
        signal: Its signal.
        snapshot: Name of the file of its branch's end, in the folder of the round.
        steps: Trainer steps of that branch.
        conditions: Mean rate at which the declared conditions held in that branch;
            ``None`` where none are declared.
        promised: Base return that its expert earns by itself; ``None`` where that is
            not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    signal: Signal
    snapshot: str
    steps: int
    conditions: float | None = None
    promised: float | None = None


class Watch(BaseModel):
    """Holds by when, and to what base return, an exploratory signal has to lead.

    Attributes:
        round: Number of the round that swapped the signal in.
        horizon: Trainer steps of a branch of the round.
        until: Trainer steps of the lineage by which base reward has to be seen.
        level: Base return that has to be exceeded, which is control's in the round.
        posting: The posting when the round was played.
        turns: Candidates to use next, in order.
        windows: Number of windows of the mainline since the swap, at the last look.
        agreement: The policies' agreement with the expert at the last look; 0 before
            the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    horizon: int
    until: int
    level: float
    posting: Posting
    turns: tuple[Turn, ...] = ()
    windows: int = 0
    agreement: float = 0.0
