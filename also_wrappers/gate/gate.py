"""The gate: the rule that decides. Trials in, a request or a decision out.

The branch, not the episode, is the unit of statistics: replicates of one arm differ
1.3 to 1.9 times more than their episodes suggest. Selection (screening) and
confirmation are separate, so that the luck of the selected arm is not counted as its
merit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["CONTROL", "NO_REWARD", "Decision", "Gate", "Request", "Rule", "Trial"]

#: The arm that keeps the current signal.
CONTROL = 0

#: Why there is no decision where every score is zero.
NO_REWARD = "no arm saw any base reward, even at twice the horizon"

Stage = Literal["screen", "confirm"]


@dataclass(frozen=True)
class Request:
    """A branch that the gate wants to see next.

    Attributes:
        arm: Which arm; 0 is control.
        stage: Screening or confirmation; seeds of the two never overlap.
        index: Which replicate. A branch's seed depends on stage and index only, so
            arms share it.
        stretch: Horizon of the branch as a multiple of the round's. A longer request
            for a screening branch extends the one that is there.
    """

    arm: int
    stage: Stage
    index: int
    stretch: float = 1


@dataclass(frozen=True)
class Trial:
    """What a branch measured.

    Attributes:
        request: The request that it answers.
        score: Mean base return per episode in the last half of the branch.
        variance: Squared standard error of ``score`` between its episodes; a lower
            bound of how much replicates differ.
        ok: Whether the branch ran to its end with a finite score.
        points: Mean base returns of equal parts of the branch, in order.
    """

    request: Request
    score: float
    variance: float
    ok: bool = True
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The outcome of a round.

    Attributes:
        winner: The arm to swap in, or ``None`` for no change.
        reason: Why, in words.
        effect: Mean difference to control over the confirmation pairs.
        z: The statistic that was compared with the critical value.
        pairs: Confirmation pairs that were run.
        critical: The critical value, if there is one.
        exploratory: Whether conditions decided, as no arm saw a base reward.
    """

    winner: int | None
    reason: str
    effect: float | None = None
    z: float | None = None
    pairs: int = 0
    critical: float | None = None
    exploratory: bool = False


class Rule(Protocol):
    """What decides a round: ``Gate``, ``ScoreGate``, or a rule of the user's."""

    def next(self, arms: int, trials: Sequence[Trial]) -> list[Request] | Decision:
        """Says which branches to run next, or decides.

        Args:
            arms: Number of arms, control included; more may join after the first
                branches of all.
            trials: All trials of the round so far, in any order.
        """


@dataclass(frozen=True)
class Gate:
    """Screening, then sequential confirmation on fresh pairs of branches.

    One branch per arm screens: an arm that failed or lies clearly below control is
    dropped, the best two get a second branch, and the better of them goes against
    control on fresh pairs. From the second pair on an unpaired z statistic with a
    variance floor is compared with ``critical``. The default answer is no change.
    Where no arm has seen any base reward, the same branches are extended to twice the
    horizon.

    The numbers are calibrated on 345 real PPO branches
    (``python tests/calibration/gate.py``): with ``critical=2.83`` and ``max_pairs=12``,
    a run of five rounds whose candidates all equal control promotes one in at most 5 %
    of runs; with 2.30 and 8, the same holds for a single round. Giving up candidates
    that do not pull away from control (``futility``) saves a seventh of the branches
    where there is nothing to find, so that 16 pairs cost no more than 12 did and find
    more.

    Attributes:
        critical: The z from which a candidate is promoted.
        max_pairs: Confirmation pairs at most.
        early: Whether arms are screened at half the horizon, where the best ``top`` and
            control are extended to the whole of it instead of getting second branches.
            Rounds are cheaper, those in which all candidates do harm by half; small
            effects are found less often.
        top: Arms that get a second screening branch, or that are extended.
        collapse: Standard errors below control at which an arm is dropped.
        min_gain: Smallest gain that is worth a change, relative to control.
        futility: By how much z must have grown with every pair after the second, not to
            be given up: a candidate that is better pulls away from control.

    Example:
        >>> gate = Gate(critical=2.30, max_pairs=8)
        >>> requests = gate.next(arms=2, trials=[])
        >>> [(request.arm, request.stage) for request in requests]
        [(0, 'screen'), (1, 'screen')]
    """

    critical: float = 2.83
    max_pairs: int = 16
    top: int = 2
    collapse: float = 2.0
    min_gain: float = 0.05
    futility: float = 0.2
    early: bool = False

    def next(self, arms: int, trials: Sequence[Trial]) -> list[Request] | Decision:
        """Says which branches to run next, or decides.

        Args:
            arms: Number of arms, control included.
            trials: All trials of the round so far, in any order.
        """
        found = {trial.request: trial for trial in trials}
        # A branch that failed is not tried again at a longer horizon.
        failed = {trial.request.arm for trial in trials if not trial.ok}
        live = list(range(arms))
        for stretch in (0.5, 1, 2) if self.early else (1, 2):
            looks = [Request(arm, "screen", 0, stretch) for arm in live]
            missing = self._missing(looks, found)
            wanted = [request for request in missing if request.arm not in failed]
            if wanted:
                return wanted
            screens = {
                look.arm: found[look]
                for look in looks
                if look in found and look.arm not in failed
            }
            if CONTROL not in screens:
                return Decision(None, "the control branch failed")
            live = list(screens)
            if any(trial.score != 0.0 for trial in screens.values()):
                best = self._best(screens)
                if not best:
                    reason = "every candidate failed or is clearly worse"
                    return Decision(None, reason)
                if stretch >= 1:
                    return self._select(best, screens, found, stretch)
                live = [CONTROL, *best]
        return Decision(None, NO_REWARD)

    def _best(self, screens: dict[int, Trial]) -> list[int]:
        """The best candidates that are not clearly below control."""
        control = screens[CONTROL]
        live = [
            arm
            for arm, trial in screens.items()
            if arm != CONTROL
            and trial.score
            >= control.score
            - self.collapse * math.sqrt(trial.variance + control.variance)
        ]
        return sorted(live, key=lambda arm: -screens[arm].score)[: self.top]

    def _select(
        self,
        best: list[int],
        screens: dict[int, Trial],
        found: dict[Request, Trial],
        stretch: float,
    ) -> list[Request] | Decision:
        scores = {arm: screens[arm].score for arm in best}
        if len(best) > 1 and not self.early:
            looks = [Request(arm, "screen", 1, stretch) for arm in best]
            missing = self._missing(looks, found)
            if missing:
                return missing
            for look in looks:
                scores[look.arm] = (scores[look.arm] + found[look].score) / 2.0
        winner = max(best, key=lambda arm: scores[arm])
        if not scores[winner] > screens[CONTROL].score:
            return Decision(None, "the best candidate is not above control")
        return self._confirm(winner, found, stretch)

    def _confirm(
        self, winner: int, found: dict[Request, Trial], stretch: float
    ) -> list[Request] | Decision:
        controls: list[Trial] = []
        winners: list[Trial] = []
        effect = z = None
        for pair in range(1, self.max_pairs + 1):
            requests = [
                Request(arm, "confirm", pair, stretch) for arm in (CONTROL, winner)
            ]
            missing = self._missing(requests, found)
            if missing:
                return missing
            control, candidate = found[requests[0]], found[requests[1]]
            if not control.ok:
                reason = "control failed on a fresh seed"
                return Decision(None, reason, effect, z, pair, self.critical)
            if not candidate.ok:
                reason = "the best candidate failed on a fresh seed"
                return Decision(None, reason, effect, z, pair, self.critical)
            controls.append(control)
            winners.append(candidate)
            effect = _mean([t.score for t in winners]) - _mean(
                [t.score for t in controls]
            )
            floor = _mean([t.variance for t in controls + winners])
            if pair == 1:
                if effect < -math.sqrt(2.0 * floor):
                    reason = "not confirmed"
                    return Decision(None, reason, effect, None, pair, self.critical)
                continue
            z = statistic(
                [t.score for t in controls], [t.score for t in winners], floor
            )
            level = abs(_mean([t.score for t in controls]))
            if z >= self.critical and effect >= self.min_gain * level:
                return Decision(winner, "confirmed", effect, z, pair, self.critical)
            if z < self.futility * (pair - 2):
                return Decision(None, "not confirmed", effect, z, pair, self.critical)
        reason = f"not confirmed within {self.max_pairs} pairs"
        return Decision(None, reason, effect, z, self.max_pairs, self.critical)

    @staticmethod
    def _missing(requests: list[Request], found: dict[Request, Trial]) -> list[Request]:
        return [request for request in requests if request not in found]


def statistic(
    control: Sequence[float], candidate: Sequence[float], floor: float
) -> float:
    """The z of the difference of two equally long samples.

    With n pairs, ``t = d / sqrt(2 s2 / n)`` with s2 the mean of the two sample
    variances, but not below ``floor``; t is carried to the normal scale by
    ``z = sign(t) sqrt(df ln(1 + t^2 / df)) (1 - 3 / (8 df))`` with df = 2 (n - 1)
    (Wallace 1959).
    """
    n = len(control)
    pooled = max((_variance(control) + _variance(candidate)) / 2.0, floor)
    if pooled <= 0.0:
        return 0.0
    t = (_mean(candidate) - _mean(control)) / math.sqrt(2.0 * pooled / n)
    df = 2 * (n - 1)
    size = math.sqrt(df * math.log1p(t * t / df)) * (1.0 - 3.0 / (8.0 * df))
    return math.copysign(size, t)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
