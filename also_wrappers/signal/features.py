"""Declares features: named numbers that are read for each agent at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from also_wrappers.exceptions import FeatureError

__all__ = ["BatchReader", "Feature", "FeatureGroup", "View"]


class View(NamedTuple):
    """Holds what one agent's features are read from at one step.

    Attributes:
        observation: The agent's observation.
        action: The action that led here; ``None`` right after a reset.
        info: The agent's info mapping.
        state: ``env.state()``, or ``None`` where no feature declares to read the state.
        agent: The environment's name of the agent.

    Example:
        >>> View([0.5], None, {"health": 3}).info["health"]
        3
    """

    observation: Any
    action: Any = None
    info: Mapping[str, Any] = {}
    state: Any = None
    agent: Any = "agent"


@dataclass(frozen=True)
class Feature:
    """Declares a number that expressions use by name.

    Attributes:
        name: An identifier; the name that expressions use.
        source: A path such as ``obs[3]``, ``obs.goal[0]``, ``info.health``,
            ``state[4]``, ``action`` or ``action[1]``; a path with a slice such as
            ``obs[0:2]`` makes one feature per element, named ``name_0``, ``name_1``,
            ... Or a function of a ``View`` that returns a number.
        description: One line for the advisor and the report.
        low: The smallest possible value, if known.
        high: The largest possible value, if known.
        default: The value where a path into ``info`` leads to nothing, as often at a
            reset; without a default, the path must always lead to a number.

    Example:
        >>> from also_wrappers.signal import FeatureMap
        >>> speed = Feature(
        ...     "speed", lambda view: abs(view.observation[1]), "own speed", low=0.0
        ... )
        >>> FeatureMap(Feature("x", "obs[0]"), speed).row(View([0.5, -2.0]))
        [0.5, 2.0]
    """

    name: str
    source: str | Callable[[View], float]
    description: str = ""
    low: float | None = None
    high: float | None = None
    default: float | None = None


@dataclass(frozen=True)
class FeatureGroup:
    """Declares several features that one function computes together.

    Attributes:
        function: Takes a ``View`` and returns one number per feature; where
            ``batched``, takes a list of views and returns an array of shape ``(views,
            features)``.
        features: The features; their ``source`` says in words where they come from.
        needs_state: Whether the function reads ``view.state``.
        batched: Whether the function takes many views at once: those of all copies of a
            vector environment, or of all agents of a team. A net that reads pictures is
            then called once a step.

    Example:
        >>> from also_wrappers.signal import FeatureMap
        >>> polar = FeatureGroup(
        ...     lambda view: (abs(view.observation), float(view.observation < 0)),
        ...     (Feature("size", ""), Feature("below", "", "1 if below 0")),
        ... )
        >>> FeatureMap(polar).row(View(-3.0))
        [3.0, 1.0]
        >>> import numpy as np
        >>> def brightness(views):
        ...     pictures = np.stack([view.observation for view in views])
        ...     return pictures.mean(axis=(1, 2)).reshape(-1, 1)
        >>> light = FeatureGroup(brightness, (Feature("light", ""),), batched=True)
        >>> FeatureMap(light).row(View(np.full((8, 8), 0.5)))
        [0.5]
    """

    function: Callable[[Any], Any]
    features: tuple[Feature, ...]
    needs_state: bool = False
    batched: bool = False


class BatchReader:
    """Reads the features of a batched group.

    Args:
        function: Takes views and returns an array of shape ``(views, features)``.
        count: The number of features.
    """

    def __init__(self, function: Callable[[Sequence[View]], Any], count: int) -> None:
        self._function = function
        self._count = count

    def __call__(self, view: View) -> list[float]:
        """Reads the features of one view."""
        numbers: list[float] = self.many([view])[0].tolist()
        return numbers

    def many(self, views: Sequence[View]) -> npt.NDArray[np.float64]:
        """Reads the features of many views; shape ``(views, features)``.

        Raises:
            FeatureError: The function returned another shape.
        """
        rows = np.asarray(self._function(views), dtype=np.float64)
        if rows.shape != (len(views), self._count):
            raise FeatureError(
                f"a batched feature group declares {self._count} features and its "
                f"function returned an array of shape {rows.shape} for {len(views)} "
                f"views; return one of shape {(len(views), self._count)}"
            )
        return rows
