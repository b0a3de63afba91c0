"""What became of candidates and rounds."""

from __future__ import annotations

from also_wrappers.proposals.data import Data
from also_wrappers.signal.model import Signal

__all__ = ["ArmOutcome", "Rejection", "RoundOutcome"]


class ArmOutcome(Data):
    """What became of one candidate of a round.

    Attributes:
        signal: The candidate.
        intent: What kind of change it was.
        outcome: How it did, in words.
        score: Its mean base return; ``None`` if it was not tried or failed.
        hypothesis: What became of its hypothesis, in words; empty without one.
    """

    signal: Signal
    intent: str = ""
    outcome: str
    score: float | None = None
    hypothesis: str = ""


class Rejection(Data):
    """A candidate that was rejected before training, and why."""

    signal: Signal
    reason: str


class RoundOutcome(Data):
    """What became of a round; the history that keeps ideas from coming twice.

    Attributes:
        round: Its number.
        stage: The learning stage.
        control: The signal that was active.
        control_score: Control's mean base return.
        arms: The candidates that were trained.
        rejected: Those that were not.
        decision: The gate's reason.
        winner: Id of the signal that was swapped in.
    """

    round: int
    stage: str
    control: Signal = Signal()
    control_score: float | None
    arms: tuple[ArmOutcome, ...]
    rejected: tuple[Rejection, ...] = ()
    decision: str
    winner: str | None
