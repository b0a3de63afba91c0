"""Multi-particle environments (``mpe2``): vocabularies.

They name what can be measured and hold no shaping formula.
"""

from __future__ import annotations

import math
from typing import Any

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.features import Feature, FeatureGroup, FeatureMap, View

__all__ = ["spread_features"]


def spread_features(env: Any) -> FeatureMap:
    """The vocabulary of ``simple_spread`` with full observability.

    Per landmark the own distance to it, the distance to the nearest other agent, and
    the own speed, in the units of the plane.

    Args:
        env: A ``simple_spread`` parallel environment.

    Raises:
        ConfigurationError: The observations have another layout.
    """
    agents = len(env.possible_agents)
    space = env.observation_space(env.possible_agents[0])
    # Velocity, place, landmarks, other agents, what the others say (2 each).
    expected = 4 + 2 * agents + 4 * (agents - 1)
    if space.shape != (expected,):
        raise ConfigurationError(
            f"simple_spread with {agents} agents and full observability has "
            f"observations of {expected} numbers, not {space}"
        )
    named = [
        Feature(f"landmark{k}_distance", "", f"own distance to landmark {k}", 0.0)
        for k in range(agents)
    ]
    named += [
        Feature("mate_distance", "", "distance to the nearest other agent", 0.0),
        Feature("speed", "", "own speed", 0.0),
    ]
    return FeatureMap(FeatureGroup(_Spread(agents), tuple(named)))


class _Spread:
    def __init__(self, agents: int) -> None:
        self._landmarks = range(4, 4 + 2 * agents, 2)
        self._mates = range(4 + 2 * agents, 4 + 2 * agents + 2 * (agents - 1), 2)

    def __call__(self, view: View) -> list[float]:
        seen = view.observation.tolist()
        distances = [math.hypot(seen[at], seen[at + 1]) for at in self._landmarks]
        mates = [math.hypot(seen[at], seen[at + 1]) for at in self._mates]
        distances.append(min(mates, default=0.0))
        distances.append(math.hypot(seen[0], seen[1]))
        return distances
