"""Decides by point scores, for comparison with rules that declare an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import NamedTuple

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.rule import CONTROL, Decision, Request, Trial

__all__ = ["Points", "ScoreGate"]

_LAST = 5


class Points(NamedTuple):
    """Holds the numbers to which the curve of a branch is reduced.

    Attributes:
        last: Mean of the last five values of the curve.
        area: Mean over the branch, by the trapezoidal rule.
        final: The last value.
        best: The largest value.
        spike: Difference of ``best`` and ``last``.
        spread: Standard deviation of the last five values.
    """

    last: float
    area: float
    final: float
    best: float
    spike: float
    spread: float

    @classmethod
    def of(cls, points: Sequence[float]) -> Points:
        """Computes the points of a branch's curve, which has two values at least."""
        late = points[-_LAST:]
        inner = sum(points) - (points[0] + points[-1]) / 2.0
        best, last = max(points), fmean(late)
        return cls(
            last,
            inner / (len(points) - 1),
            points[-1],
            best,
            best - last,
            pstdev(late),
        )

    @property
    def score(self) -> float:
        """The weighted sum of a branch's points."""
        earned = 0.35 * self.last + 0.35 * self.area
        earned += 0.20 * self.final + 0.10 * self.best
        return earned - 0.10 * (self.spike + self.spread)


@dataclass(frozen=True)
class ScoreGate:
    """Accepts the candidate with the best point score after one branch per arm.

    The rule of the LLM-ALSO paper (arXiv 2605.29293) is a weighted sum of the mean of
    the last five points, the area under the curve, the final and the best point, minus
    spike and spread. The rule declares no error: where no candidate is better than
    control, it promotes a candidate in about half of the rounds
    (``python tests/calibration/gate.py``). Use ``Gate``, unless point scores themselves
    are to be studied.

    Attributes:
        margin: By how much the score has to lie above control's.
        hard: Whether ``last`` and ``area`` have to lie above control's as well, and
            ``spike`` and ``spread`` at most ``slack`` above control's.
        slack: See ``hard``.

    Raises:
        ConfigurationError: A number is negative.

    Example:
        >>> flat = (0.1,) * 8
        >>> rising = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
        >>> requests = [Request(arm, "screen", 0) for arm in (0, 1)]
        >>> trials = [
        ...     Trial(request, points[-1], 0.01, points=points)
        ...     for request, points in zip(requests, (flat, rising))
        ... ]
        >>> ScoreGate().next(2, trials)  # the winner goes on with a fresh seed
        [Request(arm=1, phase='confirm', index=1, stretch=1, keep=True)]
        >>> ScoreGate(margin=0.5).next(2, trials).reason
        'no candidate scores clearly above control'
    """

    margin: float = 0.03
    hard: bool = False
    slack: float = 0.02

    def __post_init__(self) -> None:
        if self.margin < 0.0 or self.slack < 0.0:
            raise ConfigurationError(
                f"margin ({self.margin}) and slack ({self.slack}) must not be negative"
            )

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        """Asks for one branch per arm, then for one of the winner, or decides.

        Args:
            arms: Number of arms, control included.
            trials: All trials of the round so far, in any order.
            number: Number of the round in its run; every round is decided alike.
        """
        measured = {trial.request: trial for trial in trials}
        screens = [Request(arm, "screen", 0) for arm in range(arms)]
        missing = [request for request in screens if request not in measured]
        if missing:
            return missing
        control = measured[screens[CONTROL]]
        if not control.ok:
            return Decision("undecided", "the control branch failed")
        level = Points.of(control.points)
        scored = {
            trial.request.arm: Points.of(trial.points)
            for request, trial in measured.items()
            if request in screens[1:] and trial.ok
        }
        accepted = [arm for arm in scored if self._accepts(scored[arm], level)]
        if not accepted:
            reason = "no candidate scores clearly above control"
            return Decision("no_change", reason, adopt=control.request)
        winner = max(accepted, key=lambda arm: scored[arm].score)
        gain = scored[winner].score - level.score
        # The winner's branch that becomes the mainline has a fresh seed, as in
        # ``Gate``.
        fresh = Request(winner, "confirm", 1)
        if fresh not in measured:
            return [fresh]
        if not measured[fresh].ok:
            reason = "the best candidate failed on a fresh seed"
            return Decision("no_change", reason, adopt=control.request)
        # Points declare no error rate, so an accepted candidate is never confirmed.
        reason = "its score is above control's"
        return Decision("provisional", reason, winner, fresh, gain)

    def _accepts(self, candidate: Points, control: Points) -> bool:
        if candidate.score <= control.score + self.margin:
            return False
        if not self.hard:
            return True
        return (
            candidate.last > control.last
            and candidate.area > control.area
            and candidate.spike <= control.spike + self.slack
            and candidate.spread <= control.spread + self.slack
        )
