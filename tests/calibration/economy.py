"""What adapting costs until the target is reached, relative to plain training.

    python tests/calibration/economy.py [--rules provisional race gate] [--runs 200]

Made-up trainings (learning.py) are played with the package's own plans and rules
(training.py, arms.py), over how fast the base reward alone gets there, how good
candidates are, how often they are, and how long the training was planned. Every
environment step counts, discarded branches too. Two or three minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from also_wrappers.gate import Gate, Race
from also_wrappers.loop.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.calibration.learning import Candidates
from tests.calibration.training import Outcome, train

#: Settings by the planned steps. ``gate`` is what the default was before: its rounds
#: are played today's way otherwise.
RULES: dict[str, Callable[[int], Settings]] = {
    "provisional": lambda total: Settings(),
    "race": lambda total: Settings(gate=Race()),
    "gate": lambda total: Settings(
        gate=Gate(),
        candidates=3,
        refinements=2,
        horizon=total // 5,
        budget=5.0,
        pause_on="interval",
    ),
}
#: Environment steps of a plan that is right.
RIGHT = 200_000
#: Plans, as multiples of the right one.
PLANS = {"right": 1.0, "half of what is needed": 0.5, "four times what is needed": 4.0}
#: Steps to the target on the base reward alone, in right plans.
SPEEDS = (0.4, 0.8, 1.6, 3.0, math.inf)
#: Steps to the target with a good signal, relative to those.
GAINS = (0.5, 1 / 3, 0.25, 0.1)
#: Probabilities that a candidate is good.
GOODS = (0.2, 0.6)
#: Probability that it is harmful, and the steps in which it undoes what was learned
#: until the target, as measured from a policy that was half way there.
_HARMFUL = 0.2
_UNDONE_IN = 52_000


@dataclass(frozen=True)
class World:
    """Says what a training is up against.

    Attributes:
        plan: Planned steps, in right plans.
        speed: Steps to the target on the base reward alone, in right plans; infinite
            where it leads nowhere.
        gain: Steps to the target with a good signal relative to those on the base
            reward alone, or to one right plan where that leads nowhere.
        good: Probability that a candidate is good; 0 where there is nothing to find.
    """

    plan: float
    speed: float
    gain: float = 1.0
    good: float = 0.0

    @property
    def total(self) -> int:
        """Planned environment steps."""
        return round(self.plan * RIGHT)

    @property
    def candidates(self) -> Candidates:
        """What candidates are worth."""
        reference = 1.0 if math.isinf(self.speed) else self.speed
        return Candidates(
            {
                "base": 1.0 / (self.speed * RIGHT),
                "good": 1.0 / (self.gain * reference * RIGHT),
                "harmful": -1.0 / _UNDONE_IN,
            },
            self.good,
            _HARMFUL,
        )


@dataclass(frozen=True)
class Cost:
    """Sums up many trainings in one world.

    Attributes:
        median: Median of the steps to the target, relative to plain training of the
            same pace; in right plans where that leads nowhere.
        mean: Their mean.
        reached: Share of the trainings that reach the target.
        swaps: Mean number of signals that were swapped in.
        discarded: Mean steps that were discarded, in plans.
        foretold: Steps that the loop says it may discard, in plans.
    """

    median: float
    mean: float
    reached: float
    swaps: float
    discarded: float
    foretold: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], total: int) -> Cost:
        """Sums up trainings of so many planned steps."""
        costs = [
            one.steps / (RIGHT if math.isinf(one.plain) else one.plain)
            for one in outcomes
        ]
        return cls(
            float(np.median(costs)),
            float(np.mean(costs)),
            float(np.mean([one.reached for one in outcomes])),
            float(np.mean([one.swaps for one in outcomes])),
            float(np.mean([one.discarded for one in outcomes])) / total,
            outcomes[0].foretold / total,
        )


def worlds(plan: float, speed: float) -> list[World]:
    """Returns what the columns of a table stand for: first, nothing to find."""
    some = [World(plan, speed, gain, good) for good in GOODS for gain in GAINS]
    return [World(plan, speed), *some]


def cost(world: World, rule: str, runs: int, seed: int) -> Cost:
    """Trains many times in one world.

    Args:
        world: The world.
        rule: Key of ``RULES``.
        runs: Number of trainings.
        seed: The same for all rules, so that they meet the same paces.
    """
    settings, total = RULES[rule](world.total), world.total
    outcomes = [
        train(world.candidates, settings, total, np.random.default_rng([seed, run]))
        for run in range(runs)
    ]
    return Cost.of(outcomes, total)


def pays_from(costs: Sequence[tuple[float, float]]) -> float | None:
    """Returns the factor from which on adapting costs less than plain training.

    Args:
        costs: Factors by which a good signal is faster than the base reward, and mean
            costs, the smallest factor first.

    Returns:
        The factor, interpolated between those given; ``None`` if the last one does
        not suffice.

    Example:
        >>> pays_from([(1.0, 1.2), (2.0, 1.1), (4.0, 0.9)])
        2.828...
    """
    least = None
    for (before, dear), (factor, cheap) in pairwise(costs):
        if cheap >= 1.0:
            least = None
        elif dear >= 1.0:
            share = (dear - 1.0) / (dear - cheap)
            least = before * (factor / before) ** share
    return least


def table(name: str, costs: dict[World, dict[str, Cost]]) -> Table:
    """Makes the table of one plan."""
    made = Table(title=f"Plan {name}: median and mean of the steps to the target")
    for column in ("rule", "base alone", "nothing to find"):
        made.add_column(column)
    for good in GOODS:
        for gain in GAINS:
            made.add_column(f"{good:g} good\nx {1 / gain:g} as fast")
    for rule in next(iter(costs.values())):
        for speed in SPEEDS:
            cells = [
                _cell(costs[world][rule], speed) for world in worlds(PLANS[name], speed)
            ]
            made.add_row(rule, "never" if math.isinf(speed) else f"{speed:g}", *cells)
        made.add_section()
    return made


def _cell(one: Cost, speed: float) -> str:
    if math.isinf(speed):
        return f"{one.reached:.0%}: {one.mean:.2f}"
    return f"{one.median:.2f} {one.mean:.2f}"


def verdict(rule: str, costs: dict[World, dict[str, Cost]]) -> str:
    """Says from where adapting pays with one rule, and what it costs elsewhere."""
    plan = PLANS["right"]
    speeds = [speed for speed in SPEEDS if math.isfinite(speed)]
    claims = []
    for good in GOODS:
        factors = []
        for speed in speeds:
            some = [World(plan, speed, gain, good) for gain in GAINS]
            points = [(1.0, costs[World(plan, speed)][rule].mean)]
            points += [(1.0 / one.gain, costs[one][rule].mean) for one in some]
            least = pays_from(points)
            factor = f"over {1 / GAINS[-1]:g}" if least is None else f"{least:.1f}"
            factors.append(f"{factor} (T_b {speed:g})")
        claims.append(
            f"if {good:.0%} of the candidates are good, from a T_b/T_g of "
            f"{', '.join(factors)}"
        )
    nothing = [costs[World(plan, speed)][rule] for speed in speeds]
    takes = ", ".join(
        f"{one.mean:.2f} (T_b {speed:g})"
        for speed, one in zip(speeds, nothing, strict=True)
    )
    most = max(one.discarded for one in nothing)
    return (
        f"{rule}: with the right plan adapting pays in the mean {'; '.join(claims)}. "
        f"Where there is nothing to find, training takes {takes} times as long: up to "
        f"{most:.2f} plans are discarded, and the loop foretells "
        f"{nothing[0].foretold:.2f}."
    )


def main() -> None:
    """Prints the tables and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    grid = [
        world
        for plan in PLANS.values()
        for speed in SPEEDS
        for world in worlds(plan, speed)
    ]
    costs: dict[World, dict[str, Cost]] = {world: {} for world in grid}
    with ProcessPoolExecutor(os.cpu_count()) as executor:
        for rule in arguments.rules:
            play = partial(cost, rule=rule, runs=arguments.runs, seed=arguments.seed)
            for world, one in zip(grid, executor.map(play, grid), strict=True):
                costs[world][rule] = one
    console = Console(width=150)
    for name, plan in PLANS.items():
        console.print(
            table(name, {world: c for world, c in costs.items() if world.plan == plan})
        )
    console.print(
        "Steps are relative to the same training on the base reward alone; where that "
        "never gets there, the share of trainings that do, and mean steps in right "
        "plans. Base alone: its steps to the target in right plans (T_b); T_g: those "
        "with a good signal. Swaps that conditions or hypotheses carry where no base "
        "reward is seen are left out."
    )
    for rule in arguments.rules:
        console.print(verdict(rule, costs))


if __name__ == "__main__":
    main()
