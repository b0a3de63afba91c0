"""Features: named numbers per agent and step, read from what the environment gives."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from also_wrappers.exceptions import FeatureError

__all__ = ["Feature", "FeatureGroup", "FeatureMap", "View"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_ROOTS = ("obs", "info", "state", "action")
_STEP = re.compile(
    r"\.(?P<key>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\[(?P<start>-?[0-9]+)(?P<slice>:(?P<stop>[0-9]+))?\]"
    r"|\[(?P<quote>['\"])(?P<quoted>[^'\"\]]+)(?P=quote)\]"
)
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
        state: ``env.state()``, or ``None`` where nothing reads it.
    """

    observation: Any
    action: Any
    info: Mapping[str, Any]
    state: Any


@dataclass(frozen=True)
class Feature:
    """A named number.

    Attributes:
        name: An identifier; the name that expressions use.
        source: A path such as ``obs[3]``, ``obs.goal[0]``, ``info.health``,
            ``state[4]`` or ``action``; a path with a slice such as ``obs[0:2]`` makes
            one feature per element, named ``name_0``, ``name_1``, ... Or a function
            of a ``View`` that returns a number.
        description: One line for the advisor and the report.
        low: The smallest possible value, if known.
        high: The largest possible value, if known.
    """

    name: str
    source: str | Callable[[View], float]
    description: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class FeatureGroup:
    """Several features that one function computes together.

    Attributes:
        function: Of a ``View``; returns one number per feature.
        features: The features; their ``source`` says in words where they come from.
    """

    function: Callable[[View], Sequence[float]]
    features: tuple[Feature, ...]


class FeatureMap:
    """The vocabulary of a task: what expressions can speak of, and how it is read.

    Args:
        *entries: Features and feature groups, in the order of the columns.

    Raises:
        FeatureError: A name that is taken, reserved or not an identifier; a path that
            cannot be read.

    Example:
        >>> features = FeatureMap(Feature("x", "obs[0]"), Feature("push", "action"))
        >>> features.row(View([0.5, 2.0], 1, {}, None))
        [0.5, 1.0]
        >>> features.names, sorted(features.action_names)
        (('x', 'push'), ['push'])
    """

    def __init__(self, *entries: Feature | FeatureGroup) -> None:
        self.features: tuple[Feature, ...] = ()
        self.names: tuple[str, ...] = ()
        self.action_names: frozenset[str] = frozenset()
        self.needs_state = False
        self._readers: list[tuple[int, Callable[[View], Any]]] = []
        self._columns: Callable[[Any], Sequence[float]] | None = None
        self._indices: slice | npt.NDArray[np.int64] | None = None
        for entry in entries:
            if isinstance(entry, FeatureGroup):
                self._add(entry.features, entry.function, grouped=True)
            elif callable(entry.source):
                self._add((entry,), entry.source)
            else:
                for feature in _expand(entry):
                    self._add_path(feature)
        if not self.features:
            raise FeatureError("a feature map needs at least one feature")
        self.names = tuple(feature.name for feature in self.features)
        self._columns = self._plain_columns()

    @classmethod
    def from_spaces(cls, env: Any) -> FeatureMap:
        """Names what the observation space offers when nothing else is declared.

        Args:
            env: A Gymnasium environment, or a PettingZoo one whose agents all have
                observations of the same structure.

        Raises:
            FeatureError: The space has no numbers, or more than 64 of them.
        """
        if hasattr(env, "possible_agents"):
            space = env.observation_space(env.possible_agents[0])
        else:
            space = getattr(env, "single_observation_space", env.observation_space)
        entries = list(_leaves(space, "obs", "obs"))
        if not entries or len(entries) > _MOST_FROM_SPACES:
            raise FeatureError(
                f"the observation space {space} offers {len(entries)} numbers; "
                f"between 1 and {_MOST_FROM_SPACES} can be named automatically, so "
                "declare a FeatureMap with the ones that matter"
            )
        return cls(*entries)

    def row(self, view: View) -> Sequence[float]:
        """Reads the features of one agent at one step; length ``len(names)``."""
        row: list[float] = []
        for count, read in self._readers:
            value = read(view)
            if count:
                row.extend(value)
            else:
                row.append(float(value))
        return row

    def read(
        self, observation: Any, action: Any, info: Mapping[str, Any], state: Any
    ) -> Sequence[float]:
        """The same as ``row``, without a ``View`` where none is needed."""
        columns = self._columns
        if (
            columns is not None
            and type(observation) is np.ndarray
            and observation.dtype.kind == "f"
        ):
            return columns(observation.tolist())
        return self.row(View(observation, action, info, state))

    def columns(
        self,
        observations: Any,
        views: Callable[[], Sequence[View]],
    ) -> npt.NDArray[np.float64]:
        """Reads the features of many environments; shape ``(features, environments)``.

        Args:
            observations: Batched observations.
            views: Makes one ``View`` per environment; called only where the features
                are not all elements of one array.
        """
        if (
            self._indices is not None
            and type(observations) is np.ndarray
            and observations.ndim == 2
        ):
            return np.array(observations.T[self._indices], dtype=np.float64, order="C")
        return np.array([self.row(view) for view in views()], dtype=np.float64).T

    def _plain_columns(self) -> Callable[[Any], Sequence[float]] | None:
        """A quick way to read all features, if all are elements of one array.

        Turning a small array into a list at once is cheaper than reading its elements
        one by one.
        """
        paths = [read for count, read in self._readers if isinstance(read, _PathReader)]
        columns = [path.column for path in paths]
        if len(paths) < 2 or len(paths) != len(self._readers) or None in columns:
            return None
        first, last = columns[0] or 0, columns[-1] or 0
        in_a_row = columns == list(range(first, last + 1))
        self._indices = slice(first, last + 1) if in_a_row else np.array(columns)
        if max(abs(column or 0) for column in columns) >= _SMALL_ARRAY:
            return None
        return operator.itemgetter(*columns)

    def check(self, view: View, agent: str) -> None:
        """Reads every feature once and says clearly what does not fit.

        Raises:
            FeatureError: Naming the feature, where it is read and what is there.
        """
        column = 0
        for count, read in self._readers:
            feature = self.features[column]
            try:
                value = read(view)
                values = list(value) if count else [value]
                numbers = [float(number) for number in values]
            except Exception as error:
                raise FeatureError(
                    f"feature {feature.name!r} ({_where(feature)}) cannot be read for "
                    f"{agent!r}, whose observation is {_shape(view.observation)}: "
                    f"{type(error).__name__}: {error}; declare features that fit it"
                ) from error
            if count and len(numbers) != count:
                raise FeatureError(
                    f"the feature group that begins with {feature.name!r} declares "
                    f"{count} features and its function returned {len(numbers)} numbers"
                )
            column += max(count, 1)

    def describe(self) -> list[str]:
        """One line per feature: name, range, description."""
        lines = []
        for feature in self.features:
            known = feature.low is not None and feature.high is not None
            extent = f" in [{feature.low:g}, {feature.high:g}]" if known else ""
            of_action = " (of the action)" if feature.name in self.action_names else ""
            lines.append(
                f"{feature.name}{extent}{of_action}: "
                f"{feature.description or _where(feature)}"
            )
        return lines

    def __len__(self) -> int:
        return len(self.features)

    def _add_path(self, feature: Feature) -> None:
        root, steps = _parse_path(str(feature.source))
        self._add((feature,), _PathReader(root, steps))
        if root == "action":
            self.action_names |= {feature.name}
        self.needs_state = self.needs_state or root == "state"

    def _add(
        self,
        features: tuple[Feature, ...],
        read: Callable[[View], Any],
        grouped: bool = False,
    ) -> None:
        taken = {feature.name for feature in self.features}
        for feature in features:
            if not _NAME.match(feature.name) or feature.name in _RESERVED:
                raise FeatureError(
                    f"{feature.name!r} cannot be a feature's name; use letters, digits "
                    f"and underscores, none of {', '.join(_RESERVED)}"
                )
            if feature.name in taken:
                raise FeatureError(f"there are two features named {feature.name!r}")
            taken.add(feature.name)
        self.features += features
        self._readers.append((len(features) if grouped else 0, read))


class _PathReader:
    """Reads one number along a path. A class so that a feature map can be pickled."""

    def __init__(self, root: str, steps: tuple[str | int, ...]) -> None:
        self._field = {"obs": 0, "action": 1, "info": 2, "state": 3}[root]
        self._steps = steps
        plain = root == "obs" and len(steps) == 1 and isinstance(steps[0], int)
        self.column = int(steps[0]) if plain else None

    def __call__(self, view: View) -> float:
        value: Any = view[self._field]
        if value is None and self._field == 1:
            return 0.0  # no action led to the first state
        for step in self._steps:
            value = value[step]
        return float(value)


def _parse_path(path: str) -> tuple[str, tuple[str | int, ...]]:
    root = next((root for root in _ROOTS if path.startswith(root)), None)
    if root is None:
        raise FeatureError(
            f"the path {path!r} must begin with one of {', '.join(_ROOTS)}, "
            "as in obs[3] or info.health"
        )
    steps: list[str | int] = []
    position = len(root)
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or match["slice"]:
            raise FeatureError(
                f"the path {path!r} is not understood from character {position}; "
                "write obs[3], obs.key[0] or obs['key'][0]"
            )
        key = match["key"] or match["quoted"]
        steps.append(key if key is not None else int(match["start"]))
        position = match.end()
    return root, tuple(steps)


def _expand(feature: Feature) -> list[Feature]:
    match = re.fullmatch(
        r"(?P<head>.*)\[(?P<a>[0-9]+):(?P<b>[0-9]+)\]", str(feature.source)
    )
    if match is None:
        return [feature]
    columns = range(int(match["a"]), int(match["b"]))
    if not columns:
        raise FeatureError(f"the slice in {feature.source!r} is empty")
    return [
        replace(
            feature, name=f"{feature.name}_{k}", source=f"{match['head']}[{column}]"
        )
        for k, column in enumerate(columns)
    ]


def _leaves(space: spaces.Space[Any], path: str, name: str) -> list[Feature]:
    if isinstance(space, spaces.Dict):
        found = []
        for key, inner in space.spaces.items():
            plain = re.sub(r"[^A-Za-z0-9_]", "_", str(key))
            found += _leaves(inner, f"{path}['{key}']", f"{name}_{plain}")
        return found
    if isinstance(space, spaces.Tuple):
        found = []
        for k, inner in enumerate(space.spaces):
            found += _leaves(inner, f"{path}[{k}]", f"{name}_{k}")
        return found
    if isinstance(space, spaces.Discrete):
        low = float(space.start)
        return [Feature(name, path, "", low, low + float(space.n) - 1.0)]
    if isinstance(space, spaces.Box):
        lows, highs = space.low.astype(float), space.high.astype(float)
        found = []
        for index in np.ndindex(space.shape):
            bounded = np.isfinite(lows[index]) and np.isfinite(highs[index])
            found.append(
                Feature(
                    "_".join([name, *map(str, index)]),
                    path + "".join(f"[{i}]" for i in index),
                    "",
                    float(lows[index]) if bounded else None,
                    float(highs[index]) if bounded else None,
                )
            )
        return found
    return []


def _where(feature: Feature) -> str:
    return feature.source if isinstance(feature.source, str) else "a function"


def _shape(observation: Any) -> str:
    if isinstance(observation, np.ndarray):
        return f"an array of shape {observation.shape}"
    if isinstance(observation, Mapping):
        return f"a dict with keys {sorted(map(str, observation))}"
    return f"of type {type(observation).__name__}"
