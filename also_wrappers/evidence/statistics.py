"""Mergeable accumulators: one flat array of numbers, with a named layout.

Every statistic is a sum, a minimum or a maximum over episodes, so that arrays from
different environment copies and processes merge by element, in any order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.feature_map import FeatureMap

__all__ = ["AGGREGATES", "BINS", "MAX_CONDITIONS", "Layout", "merge"]

Array = npt.NDArray[np.float64]

#: Named expressions that can be recorded at a time, the user's and the advisor's.
MAX_CONDITIONS = 8
MAX_RECORDED_TERMS = 8
#: How a feature of several agents becomes one number of the team.
AGGREGATES = ("mean", "min", "max")

#: Single numbers, summed over episodes (or over steps, where the name says so).
SCALARS = (
    "episodes",
    "steps",
    "terminated",
    "rewarded",
    "successes",
    "return",
    "return_squared",
    "shaped",
    "shaped_squared",
    "return_times_shaped",
    "length",
    "first_reward",
    "reward_steps",
    "rewarded_return",
    "added_size",
    "time",
    "time_squared",
    "return_times_time",
    "shaped_times_time",
    "same_action_steps",
    "together_steps",
    "team_cells",
    "crowded_steps",
    "targeted_steps",
    "term_episodes",
    # Of the episodes that are recorded in detail.
    "detailed",
    "detailed_steps",
    "detailed_reward_steps",
    "detailed_return",
    "detailed_return_squared",
    "detailed_time",
    "detailed_time_squared",
)


#: Bins over the declared range of a feature.
BINS = 10
#: Bits in which cells that were seen are marked; many more cells cannot be counted.
_SKETCH = 2048
_TARGET = re.compile(r"(?P<name>[A-Za-z_]+)(?P<number>[0-9]+)_distance")

_SCALAR_PLACES = {name: place for place, name in enumerate(SCALARS)}


@dataclass(frozen=True)
class Layout:
    """What an accumulator array holds, and where.

    Attributes:
        agents: Names of the agents, in the order of the team.
        features: Names of the features, in the order of the columns.
        actions: Per agent, per component of its action, the number of choices; 0 for
            a continuous component.
        state: Columns of the features that do not come from the action.
        cells: Column, low end and width of a bin, of the state features whose range is
            declared: what tells places apart.
        targets: Columns of distances to numbered things, and of whether the thing is
            there (-1: always); see ``declare``.

    Example:
        >>> layout = Layout(("a", "b"), ("x",), ((5,), (0, 0)), (0,))
        >>> layout.components, layout.choices
        (2, 5)
    """

    agents: tuple[str, ...]
    features: tuple[str, ...]
    actions: tuple[tuple[int, ...], ...]
    state: tuple[int, ...]
    cells: tuple[tuple[int, float, float], ...] = ()
    targets: tuple[tuple[int, int], ...] = ()

    @classmethod
    def declare(
        cls,
        agents: tuple[str, ...],
        features: FeatureMap,
        actions: tuple[tuple[int, ...], ...],
    ) -> Layout:
        """The layout for a vocabulary.

        Features that differ only by a number and whose name ends in ``_distance``, such
        as ``food0_distance`` and ``food1_distance``, are distances to targets; a
        feature ``food0_left`` says whether the target is there.

        Example:
            >>> from also_wrappers.signal import Feature
            >>> near = [Feature(f"food{k}_distance", f"obs[{k}]") for k in range(2)]
            >>> Layout.declare(("a",), FeatureMap(*near), ((5,),)).targets
            ((0, -1), (1, -1))
        """
        state = tuple(
            column
            for column, name in enumerate(features.names)
            if name not in features.action_names
        )
        cells = []
        for column in state:
            low, high = features.features[column].low, features.features[column].high
            if low is not None and high is not None and high > low:
                cells.append((column, float(low), (high - low) / BINS))
        families: dict[str, list[tuple[int, int]]] = {}
        for column in state:
            match = _TARGET.fullmatch(features.names[column])
            if match is not None:
                left = f"{match['name']}{match['number']}_left"
                there = features.names.index(left) if left in features.names else -1
                families.setdefault(match["name"], []).append((column, there))
        largest = max(families.values(), key=len, default=[])
        targets = tuple(largest) if len(largest) > 1 else ()
        return cls(agents, features.names, actions, state, tuple(cells), targets)

    @property
    def components(self) -> int:
        """Components of the largest action."""
        return max(1, *map(len, self.actions))

    @property
    def choices(self) -> int:
        """Choices of the component that has the most; 1 if all are continuous."""
        return max((1, *(size for sizes in self.actions for size in sizes)))

    @property
    def alike(self) -> bool:
        """Whether all agents choose from the same discrete actions."""
        same = all(sizes == self.actions[0] for sizes in self.actions)
        return same and bool(self.actions[0]) and 0 not in self.actions[0]

    @cached_property
    def blocks(self) -> dict[str, tuple[slice, tuple[int, ...], str]]:
        """Name -> place, shape, and how it merges (``sum``, ``min`` or ``max``)."""
        a, f = len(self.agents), len(self.features)
        d, n = self.components, self.choices
        g, e, t = len(AGGREGATES), MAX_CONDITIONS, MAX_RECORDED_TERMS
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "scalars": ((len(SCALARS),), "sum"),
            "return_min": ((1,), "min"),
            "return_max": ((1,), "max"),
            "agent_return": ((a,), "sum"),
            "agent_steps": ((a,), "sum"),
            "idle_steps": ((a,), "sum"),
            "switch_steps": ((a,), "sum"),
            "back_steps": ((a,), "sum"),
            "pair_steps": ((a,), "sum"),
            "action_counts": ((a, d, n), "sum"),
            "action": ((a, d), "sum"),
            "action_squared": ((a, d), "sum"),
            "action_change": ((a, d), "sum"),
            "episode_action": ((a, d, n), "sum"),
            "episode_action_squared": ((a, d, n), "sum"),
            "episode_action_times_return": ((a, d, n), "sum"),
            "cells": ((a,), "sum"),
            "cell_rows": ((a,), "sum"),
            "cells_seen": ((_SKETCH,), "max"),
            "visits": ((BINS, BINS), "sum"),
            "target_steps": ((a, max(len(self.targets), 1)), "sum"),
            "feature": ((a, f), "sum"),
            "feature_squared": ((a, f), "sum"),
            "feature_min": ((f,), "min"),
            "feature_max": ((f,), "max"),
            "feature_start": ((f,), "sum"),
            "feature_end": ((f,), "sum"),
            "feature_spread": ((f,), "sum"),
            "episode_mean": ((f,), "sum"),
            "episode_mean_squared": ((f,), "sum"),
            "episode_mean_times_return": ((f,), "sum"),
            "episode_mean_times_time": ((f,), "sum"),
            "episode_change_squared": ((f,), "sum"),
            "episode_change_times_return": ((f,), "sum"),
            "episode_high": ((f,), "sum"),
            "episode_low": ((f,), "sum"),
            "team": ((g, f), "sum"),
            "team_squared": ((g, f), "sum"),
            "team_at_reward": ((g, f), "sum"),
            "team_at_reward_squared": ((g, f), "sum"),
            "jump": ((f,), "sum"),
            "jump_squared": ((f,), "sum"),
            "jump_at_reward": ((f,), "sum"),
            "condition_episodes": ((e,), "sum"),
            "condition_rewarded": ((e,), "sum"),
            "condition_first": ((e,), "sum"),
            "condition_steps": ((e,), "sum"),
            "condition_times_return": ((e,), "sum"),
            "condition_times_time": ((e,), "sum"),
            "term": ((t,), "sum"),
            "term_size": ((t,), "sum"),
            "term_squared": ((t,), "sum"),
            "term_times_return": ((t,), "sum"),
            "term_invalid": ((t,), "max"),
        }
        blocks = {}
        offset = 0
        for name, (shape, how) in shapes.items():
            end = offset + math.prod(shape)
            blocks[name] = (slice(offset, end), shape, how)
            offset = end
        return blocks

    @cached_property
    def size(self) -> int:
        """Length of the array."""
        return max(int(place.stop) for place, _, _ in self.blocks.values())

    def empty(self) -> Array:
        """The accumulators of no episode at all."""
        values = np.zeros(self.size)
        for name, (_, _, how) in self.blocks.items():
            if how != "sum":
                fill = np.inf if how == "min" else -np.inf
                self.view(values, name)[...] = fill
        for name in ("term_invalid", "cells_seen"):
            self.view(values, name)[...] = 0.0
        return values

    def view(self, values: Array, name: str) -> Array:
        """One block of ``values``, as a view in its own shape."""
        place, shape, _ = self.blocks[name]
        return values[place].reshape(shape)

    def scalar(self, values: Array, name: str) -> float:
        """One of ``SCALARS``."""
        return float(values[_SCALAR_PLACES[name]])

    def to_json(self) -> dict[str, Any]:
        """The layout as plain data."""
        return {
            "agents": list(self.agents),
            "features": list(self.features),
            "actions": [list(sizes) for sizes in self.actions],
            "state": list(self.state),
            "cells": [list(cell) for cell in self.cells],
            "targets": [list(target) for target in self.targets],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        """The inverse of ``to_json``."""
        return cls(
            tuple(data["agents"]),
            tuple(data["features"]),
            tuple(tuple(sizes) for sizes in data["actions"]),
            tuple(data["state"]),
            tuple((cell[0], cell[1], cell[2]) for cell in data["cells"]),
            tuple((target[0], target[1]) for target in data["targets"]),
        )


def merge(layout: Layout, parts: Sequence[Array]) -> Array:
    """Merges accumulators into those of all their episodes together.

    The parts are put in an order of their own first, so that the result does not
    depend on which process claimed which slot.
    """
    merged = layout.empty()
    if not parts:
        return merged
    ordered: list[Array] = sorted(parts, key=np.ndarray.tobytes)
    stacked = np.stack(ordered)
    for name, (place, shape, how) in layout.blocks.items():
        rows = stacked[:, place]
        reduce: np.ufunc = {"sum": np.add, "min": np.minimum, "max": np.maximum}[how]
        layout.view(merged, name)[...] = reduce.reduce(rows, axis=0).reshape(shape)
    return merged


def add_scalars(values: Array, amounts: Iterable[tuple[str, float]]) -> None:
    """Adds to some of ``SCALARS``, in place."""
    for name, amount in amounts:
        values[_SCALAR_PLACES[name]] += amount
