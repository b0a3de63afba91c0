"""What numbers of the episodes that are recorded in detail are compared by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import Accumulator, Accumulators, summed
from also_wrappers.evidence.effects import Basis, moments
from also_wrappers.evidence.numbers.counts import every_episode
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Detail", "detailed_episodes", "steps_of", "steps_of_all", "steps_of_team"]

_total = np.add.reduce


class Detail(Family):
    """The number of detailed episodes, and of their steps."""

    scalars = (
        "detailed",
        "detailed_steps",
        "detailed_return",
        "detailed_return_squared",
        "detailed_time",
        "detailed_time_squared",
    )
    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns steps of each agent, and those that follow a step of that agent."""
        agents = len(scope.agents)
        return {"agent_steps": summed(agents), "pair_steps": summed(agents)}

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the episodes with their returns and times, and their steps."""
        base, time = steps.returns, steps.time
        totals.add(
            {
                "detailed": float(steps.count),
                "detailed_steps": float(steps.length.sum()),
                "detailed_return": float(base.sum()),
                "detailed_return_squared": float(base.dot(base)),
                "detailed_time": float(time.sum()),
                "detailed_time_squared": float(time.dot(time)),
            }
        )
        totals["agent_steps"][...] += _total(steps.acted, axis=1)
        totals["pair_steps"][...] += _total(steps.again, axis=1)

    def of_episodes(self, sums: Sums) -> Iterator[Number]:
        """Returns how many episodes are detailed, if not all are."""
        count = sums.at("detailed")
        if count < every_episode(sums).episodes:
            yield "team.detailed", count

    meanings = {
        "team.detailed": Meaning(
            "episodes", "of those, that numbers of features and actions are over"
        ),
    }


def detailed_episodes(sums: Sums) -> Basis:
    """Returns what numbers of detailed episodes are of, and compared by."""
    count = sums.at("detailed")
    base = sums.at("detailed_return"), sums.at("detailed_return_squared")
    time = sums.at("detailed_time"), sums.at("detailed_time_squared")
    return Basis(count, moments(count, *base), moments(count, *time))


def steps_of_team(sums: Sums) -> float:
    """Returns the steps of the detailed episodes, at least 1."""
    return max(sums.at("detailed_steps"), 1.0)


def steps_of_all(sums: Sums) -> float:
    """Returns the steps of the detailed episodes, summed over agents."""
    return float(sums["agent_steps"].sum())


def steps_of(sums: Sums, i: int) -> tuple[float, float]:
    """Returns the steps of one agent, and those that follow another, at least 1 each.

    Args:
        sums: The sums of a window.
        i: Place of the agent in the team.
    """
    return max(sums.at("agent_steps", i), 1.0), max(sums.at("pair_steps", i), 1.0)
