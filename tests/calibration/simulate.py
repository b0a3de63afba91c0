"""Plays rounds against made-up branches: drawn from measured ones, or synthetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from also_wrappers.branches.branch import POINTS
from also_wrappers.gate import Decision, Request, Rule, Trial
from tests.calibration.pools import LARGEST, Measured

__all__ = ["SYNTHETIC", "Draw", "Played", "from_pool", "play", "synthetic"]

#: A branch of an arm, by chance.
Draw = Callable[[np.random.Generator], Measured]


@dataclass(frozen=True)
class Played:
    """Says what a round came to.

    Attributes:
        winner: The arm that was swapped in, provisionally or not; ``None`` for none.
        confirmed: Whether a winner was confirmed in the end.
        branches: Branches that were trained until the swap or the lack of it, in whole
            horizons.
        discarded: Those of ``branches`` that did not become the mainline.
        in_all: Discarded branches, those beside the training included.
    """

    winner: int | None
    confirmed: bool
    branches: float
    discarded: float
    in_all: float


def play(
    rule: Rule, arms: Sequence[Draw], random: np.random.Generator, number: int = 1
) -> Played:
    """Plays one round to its end, what goes on beside the training included.

    A branch that is extended to the horizon is one branch, whose looks were drawn
    jointly; one that is extended beyond the horizon is replaced by another, as none was
    measured that long.

    Args:
        rule: What decides.
        arms: Control first.
        random: Where branches come from.
        number: Number of the round in its run, counted from 1.
    """
    trials: list[Trial] = []
    begun: dict[int, tuple[float, Measured]] = {}
    trained = 0.0

    def decide(rule: Rule) -> Decision:
        nonlocal trained
        while True:
            step = rule.next(len(arms), trials, number)
            if isinstance(step, Decision):
                return step
            for request in step:
                cost, measured = branch(request)
                trained += cost
                trials.append(
                    Trial(
                        request,
                        measured.score,
                        measured.variance,
                        points=measured.points,
                        largest=LARGEST,
                    )
                )

    def branch(request: Request) -> tuple[float, Measured]:
        screens = request.phase == "screen" and request.index == 0
        before, drawn = begun.get(request.arm, (0.0, None)) if screens else (0.0, None)
        if drawn is None or request.stretch > 1:
            drawn = arms[request.arm](random)
        if screens:
            begun[request.arm] = request.stretch, drawn
        if request.stretch < 1 and drawn.half is not None:
            return request.stretch - before, drawn.half
        return request.stretch - before, drawn

    decision = last = decide(rule)
    branches = trained
    adopted = decision.adopt.stretch if decision.adopt else 0.0
    if decision.then is not None:
        last = decide(decision.then)
    return Played(
        decision.winner,
        last.kind == "confirmed",
        branches,
        branches - adopted,
        trained - adopted,
    )


def from_pool(pool: Sequence[Measured]) -> Draw:
    """A smoothed bootstrap: one of the measured branches with a little noise on top.

    All numbers of a branch, at all of its looks, move together, with noise that
    correlates as they do between the branches of the pool; it is shrunk so that means
    and variances stay those of the pool (Silverman 1986).
    """
    rows = np.array([_numbers(branch) for branch in pool])
    mean, count = rows.mean(axis=0), len(rows)
    width = 0.9 * count**-0.2
    shrink = 1.0 / np.hypot(1.0, width)
    # A random mixture of deviations has their covariance.
    deviations = (rows - mean) / np.sqrt(count - 1)

    def draw(random: np.random.Generator) -> Measured:
        chosen = int(random.integers(count))
        noise = width * (random.normal(size=count) @ deviations)
        moved = np.maximum(mean + shrink * (rows[chosen] - mean + noise), 0.0).tolist()
        whole, half = pool[chosen], pool[chosen].half
        assert half is not None
        return Measured(
            moved[0],
            whole.variance,
            tuple(moved[2 : 2 + POINTS]),
            Measured(moved[1], half.variance, tuple(moved[2 + POINTS :])),
        )

    return draw


def _numbers(branch: Measured) -> npt.NDArray[np.float64]:
    assert branch.half is not None
    return np.array(
        [branch.score, branch.half.score, *branch.points, *branch.half.points]
    )


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
        return Measured(value, variance, points, Measured(value, variance, points))

    return draw
