"""The watch over a signal that no base reward speaks for yet."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from also_wrappers.board.posting import Posting
from also_wrappers.signal.model import Signal

__all__ = ["Turn", "Watch"]


class Turn(BaseModel):
    """Holds a candidate that gets its turn if the one before leads nowhere.

    Attributes:
        name: Name of the candidate's arm.
        signal: Its signal.
        snapshot: Name of the file of its branch's end, in the folder of the round.
        steps: Trainer steps of that branch.
        conditions: How often the declared conditions held in that branch, as a mean.
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
    """Ends the use of signals that do not lead to base reward in time.

    Attributes:
        round: Number of the round that swapped the signal in.
        horizon: Trainer steps of a branch of the round.
        until: Trainer steps of the lineage by which base reward has to be seen.
        level: Base return that has to be exceeded: control's in the round.
        posting: What was posted when the round was played.
        turns: Who is next, in order.
        windows: Windows of the mainline since the swap at the last look.
        agreement: The policies' agreement with the expert at the last look; 0 before.
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
