"""Makes level-based foraging (``lbforaging``) environments and their vocabulary.

The vocabulary names what can be measured and holds no shaping formula.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from also_wrappers.catalog.registered import make_registered
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.actions import Action, Actions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.wrappers.tuple_env import TupleParallelEnv

__all__ = ["actions", "features", "parallel_env"]

#: The moves, each with its index and its step in rows and columns.
_MOVES = {"up": (1, -1, 0), "down": (2, 1, 0), "left": (3, 0, -1), "right": (4, 0, 1)}


def parallel_env(env_id: str) -> TupleParallelEnv:
    """Makes a foraging environment as a PettingZoo ParallelEnv with a team reward.

    Args:
        env_id: Id of the environment, such as ``Foraging-8x8-2p-2f-coop-v3``.

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


def features(env: TupleParallelEnv, *, experts: bool = False) -> FeatureMap:
    """Returns the vocabulary of a foraging environment with vector observations.

    Distances are the grid steps to a cell next to a thing (0 when there, or when the
    thing is gone), divided by the sum of the field's sides. Foods are numbered in the
    order in which the observation lists the foods that are left.

    Args:
        env: Made by ``parallel_env``.
        experts: Whether to add the features that ``actions`` reads: offsets of foods
            and of the nearest other agent from the own cell, in sides of the field (0
            when gone), and which of the four moves a food, an agent or the border
            blocks.

    Raises:
        ConfigurationError: The observation is a grid of layers, or experts would not
            see the whole field.

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
    measured = FeatureGroup(_Measure(foods, players, int(rows + columns)), tuple(named))
    if not experts:
        return FeatureMap(measured)
    if inner.sight < max(rows, columns):
        raise ConfigurationError(
            f"agents see {inner.sight} cells of a field of {rows} x {columns}, so they "
            "cannot tell where the border is; take an id without -2s and the like"
        )
    named = []
    for name in (*(f"food{k}" for k in range(foods)), "mate"):
        thing = "the nearest other agent" if name == "mate" else name.replace("d", "d ")
        named.append(Feature(f"{name}_dy", "", f"{thing} is so far down", -1, 1))
        named.append(
            Feature(f"{name}_dx", "", f"{thing} is so far to the right", -1, 1)
        )
    for name in _MOVES:
        named.append(Feature(f"blocked_{name}", "", f"1 if going {name} fails", 0, 1))
    offsets = _Offsets(foods, players, int(rows), int(columns))
    return FeatureMap(measured, FeatureGroup(offsets, tuple(named)))


def actions(env: TupleParallelEnv) -> Actions:
    """Returns the actions of foraging, for ``features(env, experts=True)``.

    Moves lead to foods and to the nearest other agent, where nothing blocks them.

    Args:
        env: Made by ``parallel_env``.

    Example:
        >>> actions(parallel_env("Foraging-8x8-2p-2f-coop-v3")).says[4:8]
        ('right', 'load', 'toward food0', 'away food0')
    """
    inner: Any = env.env.unwrapped
    rows, columns = inner.field_size
    places = [*(f"food{k}" for k in range(int(inner.max_num_food))), "mate"]
    return Actions(
        (
            Action("stay", 0),
            *(
                Action(
                    name, index, (down / rows, right / columns), f"not blocked_{name}"
                )
                for name, (index, down, right) in _MOVES.items()
            ),
            Action("load", 5),
        ),
        places={name: (f"{name}_dy", f"{name}_dx") for name in places},
    )


class _Measure:
    """Reads all features from the observation of one agent."""

    def __init__(self, foods: int, players: int, scale: int) -> None:
        self._foods = tuple(range(0, 3 * foods, 3))
        self._first = 3 * foods
        self._mates = tuple(range(3 * foods + 3, 3 * (foods + players), 3))
        self._scale = scale

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        first, scale = self._first, self._scale
        own_y, own_x, level = observed[first : first + 3]
        mates: list[tuple[float, float]] = []
        mate = 0.0
        for at in self._mates:
            y, x = observed[at], observed[at + 1]
            if y >= 0.0:
                distance = abs(y - own_y) + abs(x - own_x) - 1.0
                if not mates or distance < mate:
                    mate = distance
                mates.append((y, x))
        left = 0
        nearest = shared = least = 0.0
        values = [0.0, 0.0, 0.0, mate / scale, level]
        for at in self._foods:
            y, x = observed[at], observed[at + 1]
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


class _Offsets:
    """Reads the offsets of things, and what blocks each move, for one agent."""

    def __init__(self, foods: int, players: int, rows: int, columns: int) -> None:
        self._foods = range(0, 3 * foods, 3)
        self._first = 3 * foods
        self._mates = range(3 * foods + 3, 3 * (foods + players), 3)
        self._rows = rows
        self._columns = columns

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        own_y, own_x = observed[self._first : self._first + 2]
        rows, columns = self._rows, self._columns
        mate = (0.0, 0.0)
        taken = set()
        values = []
        for at in self._foods:
            down, right = observed[at] - own_y, observed[at + 1] - own_x
            if observed[at] < 0.0:
                down = right = 0.0
            taken.add((down, right))
            values += [down / rows, right / columns]
        for at in self._mates:
            down, right = observed[at] - own_y, observed[at + 1] - own_x
            if observed[at] >= 0.0:
                taken.add((down, right))
                if mate == (0.0, 0.0) or abs(down) + abs(right) < sum(map(abs, mate)):
                    mate = (down, right)
        values += [mate[0] / rows, mate[1] / columns]
        for _, down, right in _MOVES.values():
            inside = 0 <= own_y + down < rows and 0 <= own_x + right < columns
            values.append(float((down, right) in taken or not inside))
        return values


def _all_collected(env: gym.Env[Any, Any]) -> bool:
    inner: Any = env.unwrapped
    return bool(inner.field.sum() == 0)
