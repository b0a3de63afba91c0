"""``Scope``: whose behaviour is recorded, by which features and actions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from also_wrappers.signal.feature_map import FeatureMap

__all__ = ["BINS", "Scope"]

#: Bins over the declared range of a feature.
BINS = 10
_TARGET = re.compile(r"(?P<name>[A-Za-z_]+)(?P<number>[0-9]+)_distance")


@dataclass(frozen=True)
class Scope:
    """What is recorded: names and sizes.

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
        >>> scope = Scope(("a", "b"), ("x",), ((5,), (0, 0)), (0,))
        >>> scope.components, scope.choices
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
    ) -> Self:
        """Declares what is recorded of a team and its vocabulary.

        Features that differ only by a number and whose name ends in ``_distance``, such
        as ``food0_distance`` and ``food1_distance``, are distances to targets; a
        feature ``food0_left`` says whether the target is there.

        Example:
            >>> from also_wrappers.signal import Feature
            >>> near = [Feature(f"food{k}_distance", f"obs[{k}]") for k in range(2)]
            >>> Scope.declare(("a",), FeatureMap(*near), ((5,),)).targets
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

    def to_json(self) -> dict[str, Any]:
        """The names and sizes as plain data."""
        return {
            "agents": list(self.agents),
            "features": list(self.features),
            "actions": [list(sizes) for sizes in self.actions],
            "state": list(self.state),
            "cells": [list(cell) for cell in self.cells],
            "targets": [list(target) for target in self.targets],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        return cls(
            tuple(data["agents"]),
            tuple(data["features"]),
            tuple(tuple(sizes) for sizes in data["actions"]),
            tuple(data["state"]),
            tuple((cell[0], cell[1], cell[2]) for cell in data["cells"]),
            tuple((target[0], target[1]) for target in data["targets"]),
        )
