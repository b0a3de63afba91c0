"""What became of candidates and rounds."""

from __future__ import annotations

from also_wrappers.proposals.data import Data
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.model import Signal

__all__ = ["ArmOutcome", "Played", "Rejection", "RoundOutcome"]


class ArmOutcome(Data):
    """Says what became of one candidate that was admitted to a round.

    Attributes:
        proposal: The candidate.
        outcome: How the candidate did, in words.
        score: Mean base return of its longest branches; ``None`` if it was not tried or
            failed.
        tried: Whether any branch was trained with it.
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
    """Names a candidate that was rejected before training, and the reason."""

    proposal: Proposal
    reason: str


class Played(Data):
    """Says what one of many experts earned, of which a round tries the best.

    Attributes:
        proposal: The expert, as a candidate.
        earned: Mean base return with a tenth of the actions at random.
        error: Its standard error.
        rate: How often the declared conditions held, as a mean.
        policy: Mean base return of the policy alone.
        coverage: Share of the steps at which the expert was not silent.
        distance: How far the policy was from the expert there: 1 less the share of good
            actions among its own; ``None`` where the expert was silent.
    """

    proposal: Proposal
    earned: float
    error: float
    rate: float
    policy: float
    coverage: float
    distance: float | None


class RoundOutcome(Data):
    """Sums up a round; the history of rounds keeps ideas from coming twice.

    Attributes:
        round: Number of the round.
        stage: The learning stage.
        control: The signal that was active.
        control_score: Control's mean base return.
        arms: The candidates that were admitted.
        rejected: The candidates that were not.
        played: Experts of which the best was to be a candidate.
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
