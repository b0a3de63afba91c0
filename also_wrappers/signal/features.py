"""Features: named numbers per agent and step, read from what the environment gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Feature", "FeatureGroup", "View"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_NO_INFO: Mapping[str, Any] = {}
_RESERVED = ("and", "or", "not", "base_return", "episode_length")
_MOST_FROM_SPACES = 64
#: Arrays with more elements than this are not read as a whole.
_SMALL_ARRAY = 128


class View(NamedTuple):
    """What one agent's features are read from at one step.

    Attributes:
        observation: The agent's observation.
        action: The action that led here; ``None`` right after a reset.
        info: The agent's info mapping.
        state: ``env.state()``, or ``None`` where nothing declares that it reads it.
        agent: The agent, as the environment calls it.

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
    """A named number.

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
            reset; without, it must always lead somewhere.

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
    """Several features that one function computes together.

    Attributes:
        function: Of a ``View``; returns one number per feature.
        features: The features; their ``source`` says in words where they come from.
        needs_state: Whether the function reads ``view.state``.

    Example:
        >>> from also_wrappers.signal import FeatureMap
        >>> polar = FeatureGroup(
        ...     lambda view: (abs(view.observation), float(view.observation < 0)),
        ...     (Feature("size", ""), Feature("below", "", "1 if below 0")),
        ... )
        >>> FeatureMap(polar).row(View(-3.0))
        [3.0, 1.0]
    """

    function: Callable[[View], Sequence[float]]
    features: tuple[Feature, ...]
    needs_state: bool = False
