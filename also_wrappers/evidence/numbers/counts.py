"""How many episodes there are, and what numbers of all episodes are compared by."""

from __future__ import annotations

from collections.abc import Iterator

from also_wrappers.evidence.accumulators import Accumulators
from also_wrappers.evidence.effects import Basis, moments
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Counts", "every_episode"]


class Counts(Family):
    """The number of episodes."""

    scalars = ("episodes", "return", "return_squared", "time", "time_squared")

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the episodes with their returns and times."""
        base, time = steps.returns, steps.time
        totals.add(
            {
                "episodes": float(steps.count),
                "return": float(base.sum()),
                "return_squared": float(base.dot(base)),
                "time": float(time.sum()),
                "time_squared": float(time.dot(time)),
            }
        )

    def of_episodes(self, sums: Sums) -> Iterator[Number]:
        """Returns how many episodes there are, 0 included."""
        yield "team.episodes", sums.at("episodes")

    meanings = {"team.episodes": Meaning("episodes", "seen in this window")}


def every_episode(sums: Sums) -> Basis:
    """Returns what numbers of all episodes are of, and compared by."""
    count = sums.at("episodes")
    returns = moments(count, sums.at("return"), sums.at("return_squared"))
    time = moments(count, sums.at("time"), sums.at("time_squared"))
    return Basis(count, returns, time)
