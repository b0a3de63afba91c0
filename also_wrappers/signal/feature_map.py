"""Reads the vocabulary of a task with ``FeatureMap``, for every agent at every step."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.exceptions import FeatureError, brief
from also_wrappers.signal.features import BatchReader, Feature, FeatureGroup, View
from also_wrappers.signal.paths import PathReader, expand_slice
from also_wrappers.signal.spaces import named_leaves

__all__ = ["FeatureMap"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_NO_INFO: Mapping[str, Any] = {}
_RESERVED = ("and", "or", "not", "base_return", "episode_length")
#: The most names that the representation of a feature map shows.
_NAMED = 8
#: Larger arrays are not turned into a list as a whole.
_SMALL_ARRAY = 128


class FeatureMap:
    """Names the features of a task, and reads them for every agent at every step.

    Args:
        *entries: Features and feature groups, in the order of the columns.

    Attributes:
        features: The features, in the order of the columns.
        names: Names of the features.
        action_names: Names of the features that are read from the action.
        needs_state: Whether a feature reads ``env.state()``.
        reads_actions: Whether a feature reads the action, or may do so.

    Raises:
        FeatureError: A name is taken or not an identifier, or a path cannot be read.

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
        self.reads_actions = False
        self._readers: list[tuple[int, Callable[[View], Any]]] = []
        self._batched = False
        for entry in entries:
            _check_entry(entry)
            if isinstance(entry, FeatureGroup):
                read = entry.function
                if entry.batched:
                    read = BatchReader(read, len(entry.features))
                    self._batched = True
                self._add(entry.features, read, grouped=True)
                self.needs_state = self.needs_state or entry.needs_state
            elif callable(entry.source):
                self._add((entry,), entry.source)
            else:
                self._add_paths(entry, expand_slice(entry.source))
        if not self.features:
            raise FeatureError("a feature map needs at least one feature")
        self.names = tuple(feature.name for feature in self.features)
        self._plain: list[int] = self._plain_columns()
        last = self._plain[-1] + 1 if self._plain else 0
        first = last - len(self._plain)
        in_a_row = self._plain == list(range(first, last))
        self._place: slice | list[int] = slice(first, last) if in_a_row else self._plain
        # Turning a small array into a list at once is cheaper than reading its
        # elements one by one.
        small = len(self._plain) >= 2 and max(map(abs, self._plain)) < _SMALL_ARRAY
        self._pick: Callable[[Any], Any] | None = (
            operator.itemgetter(*self._plain) if small else None
        )
        self._rest: list[tuple[int, Callable[[View], Any]]] = self._readers[
            len(self._plain) :
        ]

    @classmethod
    def from_spaces(cls, env: Any) -> FeatureMap:
        """Names every number of an environment's spaces as a feature.

        Every number of the observation becomes a feature (``obs_0``, ``obs_goal_1``),
        and so does every number of the action where all agents' actions are alike.

        Args:
            env: A Gymnasium environment or vector environment, or a PettingZoo one
                whose agents all have observations of the same structure.

        Raises:
            FeatureError: The agents' observations differ, or there are no numbers, or
                more than 64 of them.

        Example:
            >>> import gymnasium as gym
            >>> FeatureMap.from_spaces(gym.make("CartPole-v1")).names
            ('obs_0', 'obs_1', 'obs_2', 'obs_3', 'action')
        """
        return cls(
            *[
                Feature(name, path, "", low, high)
                for path, name, low, high in named_leaves(env)
            ]
        )

    def __repr__(self) -> str:
        """Returns the names of the features, the first ones where there are many."""
        more = len(self.names) - _NAMED
        names = [*self.names[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
        return f"FeatureMap({', '.join(names)})"

    def row(self, view: View) -> Sequence[float]:
        """Reads the features of one agent at one step, ``len(names)`` numbers."""
        row: list[float] = []
        return self._append(row, self._readers, view)

    def rows(
        self,
        agents: Sequence[Any],
        observations: Mapping[Any, Any],
        actions: Mapping[Any, Any],
        infos: Mapping[Any, Mapping[str, Any]],
        state: Any,
    ) -> list[Sequence[float]]:
        """Reads the features of several agents at one step.

        Args:
            agents: Names of the agents.
            observations: Their observations, by name.
            actions: Their actions, by name; agents that did nothing may be left out.
            infos: Their infos, by name; agents without one may be left out.
            state: ``env.state()``, or ``None`` where no feature reads the state.
        """
        if self._batched:
            views = [
                View(
                    observations[agent],
                    actions.get(agent),
                    infos.get(agent, _NO_INFO),
                    state,
                    agent,
                )
                for agent in agents
            ]
            return self._rows_of(views)
        pick, rest = self._pick, self._rest
        rows: list[Sequence[float]] = []
        for agent in agents:
            obs = observations[agent]
            plain = (
                pick is not None and type(obs) is np.ndarray and obs.dtype.kind == "f"
            )
            if plain and pick is not None:
                numbers = pick(obs.tolist())
                if not rest:
                    rows.append(numbers)
                    continue
            info = infos.get(agent, _NO_INFO)
            view = View(obs, actions.get(agent), info, state, agent)
            if plain:
                rows.append(self._append(list(numbers), rest, view))
            else:
                rows.append(self._append([], self._readers, view))
        return rows

    def _rows_of(self, views: Sequence[View]) -> list[Sequence[float]]:
        """Reads the features of several views; a batched group reads them at once."""
        rows: list[list[float]] = [[] for _ in views]
        for count, read in self._readers:
            if isinstance(read, BatchReader):
                values: Sequence[Any] = read.many(views).tolist() if views else []
            else:
                values = [read(view) for view in views]
            for row, value in zip(rows, values, strict=True):
                if count:
                    row.extend(value)
                else:
                    row.append(float(value))
        return list(rows)

    def columns(
        self,
        observations: Any,
        actions: Any,
        views: Callable[[], Sequence[View]],
        count: int,
        infos: Mapping[str, Any] | None = None,
        states: Any = None,
    ) -> npt.NDArray[np.float64]:
        """Reads the features of many environments; shape ``(features, environments)``.

        Args:
            observations: Batched observations, arrays with the environments as first
                axis; ``None`` where observations are not batched as arrays.
            actions: Batched actions, likewise; ``None`` right after a reset.
            views: Makes one ``View`` per environment; called only for features that
                cannot be read from batched arrays.
            count: The number of environments.
            infos: Batched infos: arrays likewise, by key; ``None`` where infos are not
                batched as arrays.
            states: Batched ``env.state()``, likewise.
        """
        plain = self._plain
        readers = self._readers
        out = np.empty((len(self.features), count))
        at = 0
        if plain and getattr(observations, "ndim", 0) == 2:
            at = len(plain)
            out[:at] = observations.T[self._place]
            readers = self._rest
        roots = {
            "obs": observations,
            "action": actions,
            "info": infos,
            "state": states,
        }
        slow: list[tuple[int, int, Callable[[View], Any]]] = []
        for size, read in readers:
            batch = None
            if isinstance(read, PathReader):
                batch = roots[read.root]
                if read.root == "action" and actions is None:
                    batch = np.zeros(count)
                    out[at] = batch
                elif batch is not None:
                    out[at] = read.batch(batch)
            if batch is None:
                slow.append((at, size, read))
            at += max(size, 1)
        if slow:
            made = views()
            singly = []
            for at, size, read in slow:
                if isinstance(read, BatchReader):
                    out[at : at + size] = read.many(made).T
                else:
                    singly.append((slice(at, at + max(size, 1)), read))
            for k, view in enumerate(made if singly else ()):
                for place, read in singly:
                    out[place, k] = read(view)
        return out

    def _plain_columns(self) -> list[int]:
        """Returns the elements of a flat observation that the first features read."""
        columns: list[int] = []
        for _, read in self._readers:
            if not isinstance(read, PathReader) or read.column is None:
                break
            columns.append(read.column)
        return columns

    @staticmethod
    def _append(
        row: list[float],
        readers: Sequence[tuple[int, Callable[[View], Any]]],
        view: View,
    ) -> list[float]:
        for count, read in readers:
            value = read(view)
            if count:
                row.extend(value)
            else:
                row.append(float(value))
        return row

    def check(self, view: View, agent: str) -> None:
        """Reads every feature once, so that a feature that does not fit fails early.

        Raises:
            FeatureError: A feature cannot be read; the sentence names the feature, its
                source and what is there instead.
        """
        column = 0
        for count, read in self._readers:
            feature = self.features[column]
            try:
                value = read(view)
                values = list(value) if count else [value]
                numbers = [float(number) for number in values]
            except Exception as error:
                at_reset = "" if view.action is not None else " at reset"
                root = read.root if isinstance(read, PathReader) else ""
                raise FeatureError(
                    f"feature {feature.name!r} ({_where(feature)}) cannot be read for "
                    f"{agent!r}{at_reset}, "
                    + (
                        f"whose info has the keys {sorted(map(str, view.info))}: "
                        f"{brief(error)}; give the feature default=, "
                        "a number for where info lacks it"
                        if root == "info"
                        else f"whose observation is {_shape(view.observation)}: "
                        f"{brief(error)}; declare features that fit it"
                    )
                ) from error
            if count and len(numbers) != count:
                raise FeatureError(
                    f"the feature group that begins with {feature.name!r} declares "
                    f"{count} features and its function returned {len(numbers)} "
                    "numbers; return one number per feature"
                )
            column += max(count, 1)

    def describe(self) -> list[str]:
        """Returns one line per feature: its name, range and description."""
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

    def _add_paths(self, feature: Feature, paths: Sequence[str]) -> None:
        for k, path in enumerate(paths):
            name = f"{feature.name}_{k}" if path != feature.source else feature.name
            reader = PathReader(path, feature.default)
            if feature.default is not None and reader.root != "info":
                raise FeatureError(
                    f"feature {name!r} ({path}) has a default, which is for paths into "
                    "info; leave it out"
                )
            self._add((replace(feature, name=name, source=path),), reader)
            if reader.root == "action":
                self.action_names |= {name}
            self.needs_state = self.needs_state or reader.root == "state"

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
                raise FeatureError(f"two features named {feature.name!r}; rename one")
            taken.add(feature.name)
        self.features += features
        of_other = isinstance(read, PathReader) and read.root != "action"
        self.reads_actions = self.reads_actions or not of_other
        self._readers.append((len(features) if grouped else 0, read))


def _where(feature: Feature) -> str:
    return feature.source if isinstance(feature.source, str) else "a function"


def _shape(observation: Any) -> str:
    if isinstance(observation, np.ndarray):
        return f"an array of shape {observation.shape}"
    if isinstance(observation, Mapping):
        return f"a dict with keys {sorted(map(str, observation))}"
    return f"of type {type(observation).__name__}"


def _check_entry(entry: object) -> None:
    if not isinstance(entry, Feature | FeatureGroup):
        raise FeatureError(
            f"a feature map is made of features, not {entry!r:.80}; write "
            "FeatureMap(Feature('x', 'obs[0]'), ...), with a star before a list: "
            "FeatureMap(*features)"
        )
    if isinstance(entry, FeatureGroup):
        return
    if not isinstance(entry.name, str):
        raise FeatureError(
            f"a feature's name is a text, not {entry.name!r:.80}; write Feature('x', "
            "'obs[0]')"
        )
    if not isinstance(entry.source, str) and not callable(entry.source):
        raise FeatureError(
            f"the source of feature {entry.name!r} is {entry.source!r:.80}; give a "
            "path such as 'obs[0]', or a function of a View"
        )
