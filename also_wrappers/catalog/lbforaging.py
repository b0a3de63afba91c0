"""Level-based foraging (``lbforaging``): the environment and its vocabulary.

It names what can be measured and holds no shaping formula.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from also_wrappers.catalog.registered import make_registered
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.wrappers.tuple_env import TupleParallelEnv

__all__ = ["features", "parallel_env"]


def parallel_env(env_id: str) -> TupleParallelEnv:
    """Makes a foraging environment as a PettingZoo ParallelEnv with a team reward.

    Args:
        env_id: Such as ``Foraging-8x8-2p-2f-coop-v3``.

    Raises:
        ConfigurationError: lbforaging is not installed, or has no such environment.

    Example:
        >>> env = parallel_env("Foraging-8x8-2p-2f-coop-v3")
        >>> env.possible_agents
        ['agent_0', 'agent_1']
    """
    inner = make_registered(
        "lbforaging", env_id, "max_num_food", "Foraging-8x8-2p-2f-coop-v3"
    )
    return TupleParallelEnv(
        inner,
        time_limit=inner._max_episode_steps,
        finished=_all_collected,
        shared_reward=True,
    )


def features(env: TupleParallelEnv) -> FeatureMap:
    """The vocabulary of a foraging environment with vector observations.

    Distances are in grid steps to standing next to the thing (0 when there, or when
    it is gone), divided by the sum of the field's sides. Foods are numbered in the
    order in which the observation lists those that are left.

    Args:
        env: Made by ``parallel_env``.

    Raises:
        ConfigurationError: The observation is a grid of layers.

    Example:
        >>> features(parallel_env("Foraging-8x8-2p-2f-coop-v3")).names[:3]
        ('nearest_food_distance', 'shared_food_distance', 'foods_left')
    """
    inner: Any = env.env.unwrapped
    if getattr(inner, "_grid_observation", False):
        raise ConfigurationError("grid observations are not supported; use vectors")
    foods, players = int(inner.max_num_food), len(env.possible_agents)
    rows, columns = inner.field_size
    named = [
        Feature("nearest_food_distance", "", "own distance to the nearest food", 0, 1),
        Feature(
            "shared_food_distance",
            "",
            "own distance to the food that is nearest to the team as a whole",
            0,
            1,
        ),
        Feature("foods_left", "", "number of foods that are left", 0, foods),
        Feature("mate_distance", "", "distance to the nearest other agent", 0, 1),
        Feature("level", "", "own level", 0, 2),
    ]
    for k in range(foods):
        named.append(
            Feature(f"food{k}_distance", "", f"own distance to food {k}", 0, 1)
        )
        named.append(Feature(f"food{k}_left", "", f"1 if food {k} is left", 0, 1))
    return FeatureMap(
        FeatureGroup(_Measure(foods, players, int(rows + columns)), tuple(named))
    )


class _Measure:
    """Reads all features from one agent's observation."""

    def __init__(self, foods: int, players: int, scale: int) -> None:
        self._foods = tuple(range(0, 3 * foods, 3))
        self._first = 3 * foods
        self._mates = tuple(range(3 * foods + 3, 3 * (foods + players), 3))
        self._scale = scale

    def __call__(self, view: View) -> list[float]:
        seen = view.observation.tolist()
        first, scale = self._first, self._scale
        own_y, own_x, level = seen[first : first + 3]
        mates: list[tuple[float, float]] = []
        mate = 0.0
        for at in self._mates:
            y, x = seen[at], seen[at + 1]
            if y >= 0.0:
                distance = abs(y - own_y) + abs(x - own_x) - 1.0
                if not mates or distance < mate:
                    mate = distance
                mates.append((y, x))
        left = 0
        nearest = shared = least = 0.0
        values = [0.0, 0.0, 0.0, mate / scale, level]
        for at in self._foods:
            y, x = seen[at], seen[at + 1]
            if y < 0.0:
                values.append(0.0)
                values.append(0.0)
                continue
            distance = abs(y - own_y) + abs(x - own_x) - 1.0
            team = distance
            for mate_y, mate_x in mates:
                team += abs(y - mate_y) + abs(x - mate_x) - 1.0
            if not left or distance < nearest:
                nearest = distance
            if not left or team < least:
                least, shared = team, distance
            left += 1
            values.append(distance / scale)
            values.append(1.0)
        values[0] = nearest / scale
        values[1] = shared / scale
        values[2] = float(left)
        return values


def _all_collected(env: gym.Env[Any, Any]) -> bool:
    inner: Any = env.unwrapped
    return bool(inner.field.sum() == 0)
