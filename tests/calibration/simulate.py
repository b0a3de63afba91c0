"""Plays rounds against made-up branches: drawn from measured ones, or synthetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from also_wrappers.branches.branch import POINTS
from also_wrappers.gate import Decision, Rule, Trial
from tests.calibration.pools import Measured

__all__ = ["SYNTHETIC", "Draw", "Played", "from_pool", "play", "synthetic"]

#: A branch of an arm, by chance.
Draw = Callable[[np.random.Generator], Measured]


@dataclass(frozen=True)
class Played:
    """What a round came to.

    Attributes:
        winner: The arm that was promoted, or ``None``.
        branches: How many branches it took, in whole horizons.
    """

    winner: int | None
    branches: float


def play(rule: Rule, arms: Sequence[Draw], random: np.random.Generator) -> Played:
    """Plays one round.

    Args:
        rule: What decides.
        arms: Control first.
        random: Where branches come from.
    """
    trials: list[Trial] = []
    begun: dict[int, Measured] = {}
    branches = 0.0
    while True:
        step = rule.next(len(arms), trials)
        if isinstance(step, Decision):
            return Played(step.winner, branches)
        for request in step:
            extends = request.stretch == 1 and request.arm in begun
            if extends and request.phase == "screen" and request.index == 0:
                drawn = begun[request.arm]
                branches += 0.5
            else:
                drawn = arms[request.arm](random)
                branches += request.stretch
            score, variance = drawn.score, drawn.variance
            if request.stretch == 0.5:
                begun[request.arm] = drawn
                score, variance = drawn.half
            trials.append(Trial(request, score, variance, points=drawn.points))


def from_pool(pool: Sequence[Measured]) -> Draw:
    """A smoothed bootstrap: one of the measured branches with a little noise on top,
    shrunk so that mean and variance stay those of the pool (Silverman 1986)."""
    scores = np.array([branch.score for branch in pool])
    mean, sd = float(scores.mean()), float(scores.std(ddof=1))
    width = 0.9 * sd * len(pool) ** -0.2
    shrink = sd / np.hypot(sd, width) if sd > 0.0 else 1.0

    def draw(random: np.random.Generator) -> Measured:
        branch = pool[int(random.integers(len(pool)))]
        moved = mean + shrink * (branch.score - mean + width * random.normal())
        moved = max(float(moved), 0.0)
        by = moved - branch.score
        return Measured(
            moved,
            branch.variance,
            tuple(max(point + by, 0.0) for point in branch.points),
            (max(branch.half[0] + by, 0.0), branch.half[1]),
        )

    return draw


#: Distributions of a branch's score, of mean and standard deviation about 1.
SYNTHETIC: dict[str, Callable[[np.random.Generator], float]] = {
    "normal": lambda random: 3.0 + random.normal(),
    "skewed": lambda random: 2.0 + random.exponential(),
    "many zeros": lambda random: (
        random.exponential(1.5) if random.random() < 0.25 else 0.0
    ),
    "ties": lambda random: 3.0 + np.round(random.normal()),
}


def synthetic(name: str, *, shift: float = 0.0, scale: float = 1.0) -> Draw:
    """Branches of a synthetic distribution, moved and stretched about its mean.

    Episodes tell half of the standard deviation between branches, as measured ones do.
    """
    source = SYNTHETIC[name]
    mean = {"many zeros": 0.375}.get(name, 3.0)

    def draw(random: np.random.Generator) -> Measured:
        value = float(mean + scale * (source(random) - mean) + shift)
        if name == "many zeros":
            value = max(value, 0.0)
        variance = (0.5 * scale) ** 2
        points = tuple(value + 0.5 * random.normal() for _ in range(POINTS))
        return Measured(value, variance, points, (value, variance))

    return draw
