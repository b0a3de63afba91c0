"""Declares what became of candidates and rounds, as data."""

from __future__ import annotations

from also_wrappers.proposals.data import Data
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.model import Signal

__all__ = ["ArmOutcome", "Played", "Rejection", "RoundOutcome"]


class ArmOutcome(Data):
    """Holds what became of one candidate that was admitted to a round.

    Attributes:
        proposal: The candidate.
        outcome: How the candidate did, in words.
        score: Mean base return of its longest branches; ``None`` if the candidate was
            not tried or failed.
        tried: Whether any branch was trained with the candidate.
        hypothesis: What became of its hypothesis, in words; empty without one.
        promised: Base return that its expert earns by itself; ``None`` where that is
            not known.
    """

    proposal: Proposal
    outcome: str
    score: float | None = None
    tried: bool = True
    hypothesis: str = ""
    promised: float | None = None


class Rejection(Data):
    """Holds a candidate that was rejected before training, and the reason."""

    proposal: Proposal
    reason: str


class Played(Data):
    """Holds what one of many ranked experts earned in its episodes.

    Attributes:
        proposal: The expert, as a candidate.
        earned: Mean base return with a tenth of the actions at random.
        error: Standard error of ``earned``.
        rate: Mean rate at which the declared conditions held.
        policy: Mean base return of the policy alone.
        coverage: Share of the steps at which the expert was not silent.
        distance: Distance of the policy from the expert at these steps: 1 less the
            share of good actions among the policy's own; ``None`` where the expert was
            silent throughout.
    """

    proposal: Proposal
    earned: float
    error: float
    rate: float
    policy: float
    coverage: float
    distance: float | None


class RoundOutcome(Data):
    """Holds what became of a round, for the history that advisors read.

    Attributes:
        round: Number of the round.
        stage: The learning stage.
        control: The signal that was active.
        control_score: Control's mean base return.
        arms: The candidates that were admitted.
        rejected: The candidates that were rejected.
        played: The ranked experts, of which the best was to be a candidate.
        decision: The reason of the decision, in words.
        winner: Id of the signal that was swapped in; ``None`` for no change.
    """

    round: int
    stage: str
    control: Signal = Signal()
    control_score: float | None
    arms: tuple[ArmOutcome, ...]
    rejected: tuple[Rejection, ...] = ()
    played: tuple[Played, ...] = ()
    decision: str
    winner: str | None
