"""Declares what a rule is: it asks for branches, sees their trials, and decides.

The branch, not the episode, is the unit of statistics: replicates of one arm differ
1.3 to 1.9 times more than their episodes suggest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["CONTROL", "Decision", "DecisionKind", "Phase", "Request", "Rule", "Trial"]

#: Index of the arm that keeps the current signal.
CONTROL = 0

Phase = Literal["screen", "confirm"]

#: What a decision can be:
#:
#: * ``confirmed``: the winner beats control, with a declared error;
#: * ``provisional``: the winner is used because it stands out, no error is declared;
#: * ``no_change``: the arms were compared, and control stays;
#: * ``no_reward``: no arm saw any base reward, so there was nothing to compare;
#: * ``undecided``: the arms could not be compared.
DecisionKind = Literal[
    "confirmed", "provisional", "no_change", "no_reward", "undecided"
]


@dataclass(frozen=True)
class Request:
    """Asks for one branch of one arm.

    Attributes:
        arm: Index of the arm; 0 is control.
        phase: Screening or confirmation; seeds of the two never overlap.
        index: Number of the replicate. The seed of a branch depends on phase, index and
            stretch only, so that arms share seeds.
        stretch: Horizon of the branch as a multiple of the round's. A longer request
            with the same arm, phase and index extends the shorter branch, if the end of
            that branch was kept.
        keep: Whether the end of the branch is kept, to be extended or adopted.
    """

    arm: int
    phase: Phase
    index: int
    stretch: float = 1
    keep: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class Trial:
    """Holds what one branch measured, as a rule sees it.

    Attributes:
        request: The request that the branch answers.
        score: Mean base return of an episode in the last half of the branch.
        variance: Squared standard error of ``score`` between the episodes; a lower
            bound of the variance between replicates.
        ok: Whether the branch ran to its end with a finite score.
        points: Mean base returns of equal parts of the branch, in order.
        largest: Size of the largest base return of an episode that any branch of the
            round has seen; 0 where that is not known.
    """

    request: Request
    score: float
    variance: float
    ok: bool = True
    points: tuple[float, ...] = ()
    largest: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Holds how a round ends: what is swapped in, and which branch is adopted.

    Attributes:
        kind: The kind of the decision; see ``DecisionKind``.
        reason: The reason, in words for people.
        winner: Index of the arm to swap in; ``None`` for no change.
        adopt: The branch that becomes the mainline; ``None`` for none. A decision with
            a winner must adopt a branch of the winner, whose end was kept.
        effect: Mean difference of the winner to control in base return.
        z: The statistic that was compared with ``critical``.
        pairs: Confirmation pairs that were run.
        critical: The critical value, if there is one.
        exploratory: Whether conditions decided, as no arm saw a base reward.
        then: A rule that goes on asking for branches beside the training, from the
            same snapshot, after the winner was adopted; ``None`` where the round ends.
    """

    kind: DecisionKind
    reason: str
    winner: int | None = None
    adopt: Request | None = None
    effect: float | None = None
    z: float | None = None
    pairs: int = 0
    critical: float | None = None
    exploratory: bool = False
    then: Rule | None = None


class Rule(Protocol):
    """Decides a round: ``Provisional``, ``Race``, or a rule of the user's."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        """Asks for the branches to run next, or decides.

        Args:
            arms: Number of arms, control included; more may join after the first
                branches of all arms.
            trials: All trials of the round so far, in any order.
            number: Number of the round in its run, counted from 1.

        Returns:
            Requests for branches that have not been run yet, at least one; or the
            decision.
        """
