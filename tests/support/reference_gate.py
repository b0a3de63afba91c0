"""The recommended gate as one procedure, written from its formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean, variance

Run = Callable[[int, str, int], tuple[float, float, bool]]


def reference(
    run: Run, candidates: int, critical: float, pairs: int, futility: float
) -> tuple[int | None, int]:
    """The promoted arm, or None; and how many branches it took."""
    count = 0

    def branch(arm: int, stage: str, index: int) -> tuple[float, float, bool]:
        nonlocal count
        count += 1
        return run(arm, stage, index)

    first = [branch(arm, "screen", 0) for arm in range(candidates + 1)]
    base, base_variance, base_ok = first[0]
    if not base_ok:
        return None, count
    left = [
        arm
        for arm in range(1, candidates + 1)
        if first[arm][2]
        and first[arm][0] >= base - 2.0 * math.sqrt(first[arm][1] + base_variance)
    ]
    left = sorted(left, key=lambda arm: -first[arm][0])[:2]
    if not left:
        return None, count
    score = {arm: first[arm][0] for arm in left}
    if len(left) == 2:
        for arm in left:
            score[arm] = (score[arm] + branch(arm, "screen", 1)[0]) / 2.0
    best = max(left, key=lambda arm: score[arm])
    if score[best] <= base:
        return None, count
    control: list[float] = []
    winner: list[float] = []
    floors: list[float] = []
    for n in range(1, pairs + 1):
        one, two = branch(0, "confirm", n), branch(best, "confirm", n)
        control.append(one[0])
        winner.append(two[0])
        floors += [one[1], two[1]]
        gain = fmean(winner) - fmean(control)
        if n == 1:
            if gain < -math.sqrt(2.0 * fmean(floors)):
                return None, count
            continue
        spread = max((variance(control) + variance(winner)) / 2.0, fmean(floors))
        t = gain / math.sqrt(2.0 * spread / n)
        df = 2 * (n - 1)
        z = math.sqrt(df * math.log1p(t * t / df)) * (1.0 - 3.0 / (8.0 * df))
        z = math.copysign(z, t)
        if z >= critical and gain >= 0.05 * abs(fmean(control)):
            return best, count
        if z < futility * (n - 2):
            return None, count
    return None, count
