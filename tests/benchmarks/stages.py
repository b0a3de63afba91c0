"""How often ``detect_stage`` is wrong, on curves whose stage is known.

    python tests/benchmarks/stages.py

Windows of 50 episodes that are paid 1 with a known probability. A flat curve has no
change to find: every other answer is a false alarm. A curve with a change point is
looked at after every window; it is found if the right stage is named within eight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from also_wrappers.evidence.stage import Stage, Window, detect_stage

EPISODES, RUNS, LOOKS = 50, 400, 8
#: Probability of a reward after so many windows since the change point.
FLAT: dict[str, tuple[float, tuple[Stage, ...]]] = {
    "never paid": (0.0, ("no_signal",)),
    "paid in 10 % of episodes": (0.1, ("discovery",)),
    "paid in 50 % of episodes": (0.5, ("plateau",)),
    "paid in 90 % of episodes": (0.9, ("plateau",)),
}
CHANGES: dict[str, tuple[Callable[[int], float], tuple[Stage, ...]]] = {
    "first rewards, 0 to 12 % in 8 windows": (
        lambda k: 0.015 * k,
        ("discovery", "improvement"),
    ),
    "rises from 20 % by 4 points a window": (
        lambda k: min(0.2 + 0.04 * k, 1.0),
        ("improvement",),
    ),
    "rises from 20 % by 1 point a window": (
        lambda k: min(0.2 + 0.01 * k, 1.0),
        ("improvement",),
    ),
    "falls from 80 % by 4 points a window": (
        lambda k: max(0.8 - 0.04 * k, 0.0),
        ("regression",),
    ),
    "falls from 80 % by 1 point a window": (
        lambda k: max(0.8 - 0.01 * k, 0.0),
        ("regression",),
    ),
}


def curve(random: np.random.Generator, chances: Sequence[float]) -> list[Window]:
    """Windows of episodes that are paid 1 by chance."""
    windows = []
    for k, chance in enumerate(chances):
        paid = random.random(EPISODES) < chance
        mean, std = float(paid.mean()), float(paid.std())
        windows.append(Window(k, EPISODES, mean, std, mean))
    return windows


def false_alarms(chance: float, right: Sequence[Stage], runs: int = RUNS) -> float:
    """Share of looks at a flat curve that name another stage."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(runs):
        wrong += detect_stage(curve(random, [chance] * LOOKS)) not in right
    return wrong / runs


def missed(
    chance: Callable[[int], float], right: Sequence[Stage], runs: int = RUNS
) -> float:
    """Share of changes that are not named within eight windows."""
    random = np.random.default_rng(0)
    lost = 0
    for _ in range(runs):
        chances = [chance(0)] * LOOKS + [chance(k) for k in range(1, LOOKS + 1)]
        windows = curve(random, chances)
        looks = (detect_stage(windows[: LOOKS + k]) for k in range(1, LOOKS + 1))
        lost += not any(stage in right for stage in looks)
    return lost / runs


def main() -> None:
    """Prints the table."""
    table = Table("curve", "right answer", "wrong or missed")
    for name, (level, right) in FLAT.items():
        table.add_row(name, " or ".join(right), f"{false_alarms(level, right):.1%}")
    for name, (chance, right) in CHANGES.items():
        table.add_row(name, " or ".join(right), f"{missed(chance, right):.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
