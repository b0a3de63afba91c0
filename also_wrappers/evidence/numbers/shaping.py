"""Health of the signal: whether what is added helps, is hacked, or floods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import Accumulators
from also_wrappers.evidence.effects import EQUAL, correlation, effect, moments
from also_wrappers.evidence.numbers.counts import every_episode
from also_wrappers.evidence.numbers.family import DEVIATIONS, Family, Meaning, Number
from also_wrappers.evidence.numbers.outcomes import (
    NO_REWARD,
    return_times_time,
    rewarded_episodes,
)
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Shaping"]


class Shaping(Family):
    """The shaped return beside the base return."""

    scalars = (
        "shaped",
        "shaped_squared",
        "shaped_times_time",
        "return_times_shaped",
        "rewarded_return",
        "added_size",
    )

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds shaped returns, and what was added."""
        base, shaped = steps.returns, steps.episodes["shaped_return"]
        totals.add(
            {
                "shaped": float(shaped.sum()),
                "shaped_squared": float(shaped.dot(shaped)),
                "shaped_times_time": float(shaped.dot(steps.time)),
                "return_times_shaped": float(base.dot(shaped)),
                "rewarded_return": float(base[steps.rewarded].sum()),
                "added_size": float(np.abs(shaped - base).sum()),
            }
        )

    def of_episodes(self, sums: Sums) -> Iterator[Number]:
        """Returns whether what is added goes with the base return, if any is added."""
        if not sums.signal.terms:
            return
        count, returns, time = basis = every_episode(sums)
        shaped = moments(count, sums.at("shaped"), sums.at("shaped_squared"))
        yield "signal.shaped_return", shaped[0]
        r = correlation(count, sums.at("return_times_shaped"), returns, shaped)
        yield "signal.correlation", EQUAL if r is None else r
        both = sums.at("shaped_times_time")
        yield "signal.shaped_late", basis.late(both, shaped, EQUAL)
        rises = effect(count, both, shaped, time)
        falls = effect(count, return_times_time(sums), returns, time)
        if rises is not None and falls is not None:
            clear = rises[0] > 2.0 * rises[1] and falls[0] < -2.0 * falls[1]
            yield "signal.hacking", float(clear)
        earned = sums.at("rewarded_return") / max(rewarded_episodes(sums), 1.0)
        if earned > 0.0:
            yield "signal.flooding", sums.at("added_size") / count / earned
        else:
            yield "signal.flooding", NO_REWARD

    meanings = {
        "signal.shaped_return": Meaning("reward", "base return plus what was added"),
        "signal.correlation": Meaning("-1 to 1", "of shaped and base return"),
        "signal.shaped_late": Meaning(
            DEVIATIONS, "shaped return, late episodes minus early"
        ),
        "signal.hacking": Meaning(
            "0 or 1", "1 if shaped return rises and base return falls"
        ),
        "signal.flooding": Meaning(
            "ratio",
            "size of what an episode is paid on top, to what a paid episode earns",
        ),
    }
