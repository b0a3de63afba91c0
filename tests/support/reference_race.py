"""``Race`` and ``Provisional`` as one procedure, written from their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from typing import NamedTuple

__all__ = ["Branch", "Line", "reference"]


class Branch(NamedTuple):
    """What a branch measured; its points are the means of eight parts."""

    score: float
    variance: float
    points: tuple[float, ...]
    ok: bool = True


#: Trains arm, phase, index, stretch.
Train = Callable[[int, str, int, float], Branch]
#: Of the log: ("branch", arm, phase, index, stretch, keep), or
#: ("decision", kind, winner, adopted arm, phase, index, stretch, effect, z, pairs).
Line = tuple[object, ...]


def reference(
    train: Train, arms: int, critical: float, largest: float, *, provisional: bool
) -> list[Line]:
    """All branches and decisions of one round, in order."""
    log: list[Line] = []

    def branch(arm: int, phase: str, index: int, stretch: float, keep: bool) -> Branch:
        log.append(("branch", arm, phase, index, stretch, keep))
        return train(arm, phase, index, stretch)

    def decide(
        kind: str,
        winner: int | None,
        adopt: tuple[object, ...] | None,
        numbers: tuple[object, ...] = (None, None, 0),
    ) -> None:
        log.append(("decision", kind, winner, adopt, *numbers))

    def anchor(score: float, variance: float, before: float) -> float:
        return 2.0 * variance + (0.5 * (score - before)) ** 2

    # Per arm: score, variance and score a look earlier, of the look that was last.
    last: dict[int, tuple[float, float, float]] = {}

    def z_of(arm: int) -> float:
        both = anchor(*last[arm]) + anchor(*last[0])
        return (last[arm][0] - last[0][0]) / math.sqrt(both) if both else 0.0

    # 1: half the horizon.
    for arm in range(arms):
        one = branch(arm, "screen", 0, 0.5, True)
        if one.ok:
            last[arm] = (one.score, one.variance, fmean(one.points[2:4]))
    if 0 not in last:
        decide("undecided", None, None)
        return log
    live = [arm for arm in last if arm > 0]
    if any(look[0] != 0.0 for look in last.values()):
        live = [arm for arm in live if z_of(arm) >= -1.0]
        live.sort(key=lambda arm: last[arm][0], reverse=True)
        del live[3:]
    if not live:
        decide("no_change", None, (0, "screen", 0, 0.5))
        return log

    # 2: the horizon, and twice and four times it while base return is rare.
    for reached in (1.0, 2.0, 4.0):
        keep = reached < 4.0 or provisional
        asked = [
            (arm, branch(arm, "screen", 0, reached, keep or arm == 0))
            for arm in [0, *live]
        ]
        last = {
            arm: (one.score, one.variance, last[arm][0]) for arm, one in asked if one.ok
        }
        live = [arm for arm in live if arm in last]
        if 0 not in last:
            decide("undecided", None, None)
            return log
        back = (0, "screen", 0, reached)
        standing = [arm for arm in live if z_of(arm) >= -1.5]
        if not standing:
            decide("no_change", None, back)
            return log
        best = max(standing, key=lambda arm: last[arm][0])
        most = max(abs(look[0]) for look in last.values())
        if z_of(best) >= 1.0 or most > 0.2 * largest:
            break
        if reached == 4.0:
            if most == 0.0:
                decide("no_reward", None, back)
                return log
            break
        half = len(live) - len(live) // 2
        live = [arm for arm in live if z_of(arm) >= -1.0]
        live = sorted(live, key=lambda arm: last[arm][0], reverse=True)[:half]
        if not live:
            decide("no_change", None, back)
            return log
    z = z_of(best)
    screened = (last[best][0] - last[0][0], z, 0)
    if z < 1.0 if provisional else z <= 0.0:
        decide("no_change", None, back, screened)
        return log
    if provisional:
        decide("provisional", best, (best, "screen", 0, reached), screened)
    bystanders = [last[0][0]]
    bystanders += [last[a][0] for a in live if a != best and abs(z_of(a)) <= 1.5]

    # 3: fresh branches.
    W: list[tuple[float, float, float]] = []
    C = [last[0]]
    first = 0
    asked_of = {0: 0, best: 0}
    failures = 0
    numbers: tuple[object, ...] = (None, None, 0)
    z = math.nan
    for _ in range(16):
        arm = best if len(W) < len(C) else 0
        asked_of[arm] += 1
        keep = arm == best and not W and not provisional
        one = branch(arm, "confirm", asked_of[arm], reached, keep)
        if not one.ok:
            failures += 1
            if failures == 2:
                break
            continue
        look = (one.score, one.variance, fmean(one.points[2:4]))
        if arm == 0:
            C.append(look)
        else:
            W.append(look)
            first = first or asked_of[arm]
        w, c = [look[0] for look in W], [look[0] for look in C]
        effect = fmean(w) - fmean(c)
        squares = sum(
            (x - fmean(group)) ** 2 for group in (w, c, bystanders) for x in group
        )
        df = 3.0 + len(w) - 1 + len(c) - 1 + len(bystanders) - 1
        A = fmean([fmean([anchor(*look) for look in arm_]) for arm_ in (W, C)])
        f = fmean([fmean([look[1] for look in arm_]) for arm_ in (W, C)])
        s2 = max((3.0 * A + squares) / df, f)
        t = effect / math.sqrt(s2 * (1 / len(w) + 1 / len(c))) if s2 else 0.0
        z = math.sqrt(df * math.log(1 + t * t / df)) * (1 - 3 / (8 * df))
        z = math.copysign(z, t)
        confirmed = z >= critical and effect >= 0.05 * abs(fmean(c))
        if confirmed and len(w) >= 2 and len(c) >= 2:
            adopt = None if provisional else (best, "confirm", first, reached)
            decide("confirmed", best, adopt, (effect, z, len(c) - 1))
            return log
        numbers = (effect, z, min(len(w), len(c) - 1))
        r = 1 / math.sqrt(1 / len(w) + 1 / len(c))
        if z < math.log(0.4) / (2.25 * r) + 2.25 * r / 2:
            break
    takes_back = not provisional or z <= -1.5
    decide("no_change", None, back if takes_back else None, numbers)
    return log
