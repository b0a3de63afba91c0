"""Screens and confirms candidates, in the way that ``Race`` and ``Provisional`` share.

Both rules screen by extended branches, and confirm on fresh branches with a variance
that is anchored by a prediction.

How much the branches of one arm differ can be predicted from a single one: by the
standard error between its episodes, and by how fast its score rises, as branches of an
arm that is learning differ in the time at which they learn. The prediction counts as
much as a few branches would, so that a few branches can decide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.rule import CONTROL, Decision, Request, Trial

__all__ = ["Anchored", "Look", "Screening", "wallace"]

#: Number of equal parts of a branch of which a trial has the mean returns.
_PARTS = 8
#: Lengths of the screening branches at each look, in horizons of the round.
_STRETCHES = (0.5, 1, 2, 4)


@dataclass(frozen=True)
class Look:
    """Holds what one branch had measured by one look at it.

    Attributes:
        score: Mean base return of an episode in the last half of what was run.
        variance: Squared standard error of ``score`` between the episodes.
        before: The score one look earlier, at half of what was run.
    """

    score: float
    variance: float
    before: float


@dataclass(frozen=True)
class Screening:
    """Holds which candidate a screening picked, and the numbers behind that.

    Attributes:
        winner: Index of the candidate with the best score.
        z: Difference of the winner to control, in predicted standard deviations.
        effect: Difference of the winner to control in base return.
        control: What control's branch measured.
        near: Scores of control and of losers whose score is not far from control's.
        stretch: Horizon of the screening branches as a multiple of the round's.
    """

    winner: int
    z: float
    effect: float
    control: Look
    near: tuple[float, ...]
    stretch: float

    def branch(self, arm: int) -> Request:
        """Returns the screening branch of an arm at its full length."""
        return Request(arm, "screen", 0, self.stretch)

    def no_change(self, reason: str, bar: float) -> Decision:
        """Returns the decision for control, as ``z`` did not reach ``bar``."""
        adopt = self.branch(CONTROL)
        return Decision("no_change", reason, None, adopt, self.effect, self.z, 0, bar)


@dataclass(frozen=True)
class Anchored:
    """Screens all arms on extended branches, and confirms a winner on fresh ones.

    Attributes:
        noise: Predicted variance between branches of one arm, in squared standard
            errors between the episodes of a branch.
        timing: Predicted standard deviation between branches of one arm, as a share of
            how much the score rose since the look before; added in squares.
        worth: Degrees of freedom that the predicted variance counts for.
        drop: The z against control below which a candidate ends at half the horizon.
        keep: Candidates at most that go on to the whole horizon.
        collapse: The z against control below which a candidate ends at the whole
            horizon.
        bar: The z against control from which a candidate stands out.
        rare: Share of the largest base return of the round up to which the score of a
            branch counts as rare.
        near: Largest size of z at which the score of a loser counts for the variance.
        sought: Effect that is to be found, in standard deviations between branches.
        missed: Share of winners with the sought effect that may be given up.
        min_gain: Smallest gain that is worth a change, relative to control.
        least_winner: Fresh branches of the winner that a confirmation needs.
        least_control: Fresh branches of control that a confirmation needs.
        most: Fresh branches at most, of both and failed ones included.

    Raises:
        ConfigurationError: ``most`` does not suffice for a confirmation, ``missed`` is
            not between 0 and 1, or a number that must be positive is not.
    """

    noise: float = 2.0
    timing: float = 0.5
    worth: float = 3.0
    drop: float = -1.0
    keep: int = 3
    collapse: float = -1.5
    bar: float = 1.0
    rare: float = 0.2
    near: float = 1.5
    sought: float = 2.25
    missed: float = 0.4
    min_gain: float = 0.05
    least_winner: int = 2
    least_control: int = 1
    most: int = 16

    def __post_init__(self) -> None:
        # Branches of winner and control alternate, and the winner's comes first.
        least = max(2 * self.least_winner - 1, 2 * self.least_control)
        if self.most < least:
            raise ConfigurationError(
                f"most={self.most} fresh branches can confirm nothing; least_winner="
                f"{self.least_winner} and least_control={self.least_control} need "
                f"{least} at least"
            )
        for name in ("noise", "worth", "keep", "sought", "least_winner"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(
                    f"{name} must be greater than 0, not {getattr(self, name)}"
                )
        if not 0.0 < self.missed < 1.0:
            raise ConfigurationError(
                f"missed is a share between 0 and 1, both excluded, not {self.missed}"
            )

    def screen(
        self, arms: int, trials: Sequence[Trial], *, adopts: bool
    ) -> list[Request] | Decision | Screening:
        """Asks for screening branches, ends the round, or picks a candidate.

        All arms are run to half the horizon, control and what is not clearly worse to
        the whole of it. Where base return is rare in all of them and no candidate
        stands out, control and the better half of the candidates are extended to twice
        the horizon, then to four times: a branch that has hardly been paid says nothing
        about the signal that it was trained on.

        Args:
            arms: Number of arms, control included.
            trials: All trials of the round so far, in any order.
            adopts: Whether a candidate's screening branch may be adopted.
        """
        measured = {trial.request: trial for trial in trials}
        largest = max((trial.largest for trial in trials), default=0.0)
        # The first fresh branch ends screening. A larger return after that changes the
        # least variance of all arms, but must not bring back a dropped candidate.
        ended = any(trial.request.phase == "confirm" for trial in trials)
        live = list(range(arms))
        looks: dict[int, Look] = {}
        for stretch, longer in itertools.pairwise((*_STRETCHES, None)):
            assert stretch is not None
            requests = [
                Request(arm, "screen", 0, stretch, bool(longer) or adopts or not arm)
                for arm in live
            ]
            missing = [request for request in requests if request not in measured]
            if missing and not ended:
                return missing
            looks = {
                request.arm: self._look(measured[request], looks.get(request.arm))
                for request in requests
                if request in measured and measured[request].ok
            }
            if CONTROL not in looks:
                return Decision("undecided", "the control branch failed")
            worse = Decision(
                "no_change",
                "every candidate failed or is clearly worse",
                adopt=requests[0],
            )
            # An arm that was extended stays in, whichever arms have joined since.
            on = {
                arm
                for arm in looks
                if longer and Request(arm, "screen", 0, longer) in measured
            }
            if stretch < 1:
                dark = not any(look.score for look in looks.values())
                on |= self._best(looks, arms if dark else self.keep)
            else:
                picked = self._pick(looks, live, stretch)
                if picked is None:
                    return worse
                scores = [abs(look.score) for look in looks.values()]
                clear = picked.z >= self.bar or max(scores) > self.rare * largest
                if (clear or ended) and not on:
                    return picked
                if longer is None:
                    if any(scores):
                        return picked
                    reason = f"no arm saw any base reward, even at {stretch} horizons"
                    return Decision("no_reward", reason, adopt=requests[0])
                on |= self._best(looks, math.ceil((len(looks) - 1) / 2))
            if not on - {CONTROL}:
                return worse
            live = [CONTROL, *(arm for arm in looks if arm in on and arm != CONTROL)]
            # At equal scores later on, the candidate that was better at this look wins.
            live.sort(key=lambda arm: (arm != CONTROL, -looks[arm].score))
        raise AssertionError("the last look decides")

    def confirm(
        self, screening: Screening, trials: Sequence[Trial], critical: float
    ) -> list[Request] | Decision:
        """Asks for one fresh branch, of winner or control in turn, or decides.

        A fresh branch that failed is replaced by the next replicate of its arm. After a
        second failure the candidate is given up, as the branches that did not fail
        would be a biased sample.

        Args:
            screening: The result of screening.
            trials: All trials of the round so far, in any order.
            critical: The z from which the winner is confirmed.

        Returns:
            The branch to run next; or the decision. A confirmed winner adopts its first
            fresh branch, a winner that was given up control's screening branch.
        """
        winner = screening.winner
        fresh = sorted(
            (trial for trial in trials if trial.request.phase == "confirm"),
            key=lambda trial: trial.request.index,
        )
        winners, controls = (
            [trial for trial in fresh if trial.request.arm == arm and trial.ok]
            for arm in (winner, CONTROL)
        )
        effect = z = None
        boundary = -math.inf
        if winners:
            mine = [self._look(trial) for trial in winners]
            theirs = [screening.control, *(self._look(trial) for trial in controls)]
            level = _mean([look.score for look in theirs])
            effect = _mean([look.score for look in mine]) - level
            z = self._z(mine, theirs, screening.near)
            boundary = self._boundary(len(mine), len(theirs))
            if (
                z >= critical
                and effect >= self.min_gain * abs(level)
                and len(winners) >= self.least_winner
                and len(controls) >= self.least_control
            ):
                return Decision(
                    "confirmed",
                    "confirmed",
                    winner,
                    winners[0].request,
                    effect,
                    z,
                    len(controls),
                    critical,
                )
        if len(fresh) - len(winners) - len(controls) > 1:
            reason = "a second fresh branch failed"
        elif z is not None and z < boundary:
            reason = "not confirmed"
        elif len(fresh) >= self.most:
            reason = f"not confirmed within {self.most} fresh branches"
        else:
            arm = winner if len(winners) <= len(controls) else CONTROL
            index = 1 + sum(trial.request.arm == arm for trial in fresh)
            keep = arm == winner and not winners
            return [Request(arm, "confirm", index, screening.stretch, keep)]
        return Decision(
            "no_change",
            reason,
            None,
            screening.branch(CONTROL),
            effect,
            z,
            min(len(winners), len(controls)),
            critical,
        )

    def _best(self, looks: dict[int, Look], most: int) -> set[int]:
        """Returns the best candidates that are not clearly worse than control."""
        fit = [arm for arm in looks if self._against_control(arm, looks) >= self.drop]
        fit = [arm for arm in fit if arm != CONTROL]
        return set(sorted(fit, key=lambda arm: -looks[arm].score)[:most])

    def _pick(
        self, looks: dict[int, Look], live: Sequence[int], stretch: float
    ) -> Screening | None:
        """Picks the candidate with the best score; ``None`` if all have collapsed."""
        control = looks[CONTROL]
        z = {arm: self._against_control(arm, looks) for arm in live if arm in looks}
        fit = [arm for arm in z if arm != CONTROL and z[arm] >= self.collapse]
        if not fit:
            return None
        winner = max(fit, key=lambda arm: looks[arm].score)
        # Control is one of the near arms, with z = 0.
        near = [
            looks[arm].score for arm in z if arm != winner and abs(z[arm]) <= self.near
        ]
        effect = looks[winner].score - control.score
        return Screening(winner, z[winner], effect, control, tuple(near), stretch)

    def _look(self, trial: Trial, before: Look | None = None) -> Look:
        """Returns the look at a trial, given the look that its branch extends."""
        if before is not None:
            return Look(trial.score, trial.variance, before.score)
        if len(trial.points) != _PARTS:
            raise ConfigurationError(
                f"a trial has {len(trial.points)} points; {type(self).__name__} needs "
                f"the mean returns of {_PARTS} equal parts of a branch"
            )
        # The last half of the first half is what the look before was scored by.
        before_score = _mean(trial.points[_PARTS // 4 : _PARTS // 2])
        return Look(trial.score, trial.variance, before_score)

    def _anchor(self, look: Look) -> float:
        """Predicts the variance between branches of an arm from one look."""
        rise = look.score - look.before
        return self.noise * look.variance + (self.timing * rise) ** 2

    def _against_control(self, arm: int, looks: dict[int, Look]) -> float:
        """Returns the z of an arm's branch against control's branch."""
        mine, theirs = looks[arm], looks[CONTROL]
        spread = self._anchor(mine) + self._anchor(theirs)
        return (mine.score - theirs.score) / math.sqrt(spread) if spread > 0.0 else 0.0

    def _z(
        self, mine: Sequence[Look], theirs: Sequence[Look], near: Sequence[float]
    ) -> float:
        """Returns the z of the difference between the winner and control.

        The variance is the weighted mean of the predicted variance, which counts for
        ``worth`` degrees of freedom, and of the variances within the samples. The
        variance is at least the one between episodes.
        """
        samples = [[look.score for look in looks] for looks in (mine, theirs)]
        predicted = _mean(
            [_mean([self._anchor(look) for look in looks]) for looks in (mine, theirs)]
        )
        floor = _mean(
            [_mean([look.variance for look in looks]) for looks in (mine, theirs)]
        )
        squares = sum(map(_squares, [*samples, near]))
        df = self.worth + sum(len(sample) - 1 for sample in [*samples, near])
        variance = max((self.worth * predicted + squares) / df, floor)
        if variance <= 0.0:
            return 0.0
        effect = _mean(samples[0]) - _mean(samples[1])
        t = effect / math.sqrt(variance * (1.0 / len(mine) + 1.0 / len(theirs)))
        return wallace(t, df)

    def _boundary(self, winners: int, controls: int) -> float:
        """Returns the z below which a winner is given up (Wald 1945).

        The probability that a winner with the sought effect falls below that z is at
        most ``missed``.
        """
        size = self.sought / math.sqrt(1.0 / winners + 1.0 / controls)
        return math.log(self.missed) / size + size / 2.0


def wallace(t: float, df: float) -> float:
    """Converts a t of ``df`` degrees of freedom to a z.

    ``z = sign(t) sqrt(df ln(1 + t^2 / df)) (1 - 3 / (8 df))`` (Wallace 1959).

    Example:
        >>> round(wallace(2.0, 5), 2), round(wallace(2.0, 500), 2)
        (1.59, 1.99)
    """
    size = math.sqrt(df * math.log1p(t * t / df)) * (1.0 - 3.0 / (8.0 * df))
    return math.copysign(size, t)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    """Returns the sum of squared deviations from the mean."""
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values)
