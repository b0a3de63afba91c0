"""Declares, as data, which actions an expert may say and what the actions do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gymnasium import spaces

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.parser import parse

__all__ = ["Action", "Actions", "Compass", "Heading"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")

#: The most actions: advice has a bit for every action in a signed 64-bit number.
_MOST_ACTIONS = 63


@dataclass(frozen=True)
class Action:
    """Names a discrete action, and says how the action moves an agent.

    Attributes:
        name: Name by which rules call the action.
        index: Place of the action in the action space, counted from 0.
        step: How far the action moves the agent along each axis, in the units of the
            features that places are read from: ``toward`` goes by the direction, and
            what is next to a place is one step away. Zeros say that the agent stays;
            ``None`` says that nothing is known.
        open: An expression over features of the state whose value is above 0.5 where
            the move can be taken; ``None`` if the move always can. ``toward`` and
            ``away`` leave out moves that cannot be taken.

    Example:
        >>> Action("left", 3, step=(0, -1), open="not blocked_left").name
        'left'
    """

    name: str
    index: int
    step: tuple[float, ...] | None = None
    open: str | None = None


@dataclass(frozen=True)
class Heading:
    """Names a direction in which a robot can head.

    Attributes:
        feature: The feature that is 1 where the robot heads in this direction, else 0.
        step: How far the robot gets along each axis by driving, as in ``Action``.
        open: As in ``Action``.

    Example:
        >>> Heading("heading_up", step=(0, -1)).feature
        'heading_up'
    """

    feature: str
    step: tuple[float, ...]
    open: str | None = None


@dataclass(frozen=True)
class Compass:
    """Says how a robot moves that turns on the spot and drives ahead.

    A rule that says ``go up`` then says the next action on the way up: to drive where
    the robot heads up, else to turn up by the shorter way; either way is good where
    both are as short. Of the headings that lead ``toward`` a place, those that take the
    fewest turns count.

    Attributes:
        drive: Name of the action that drives ahead.
        left: Name of the action that turns left, to the heading before.
        right: Name of the action that turns right, to the heading after.
        headings: The headings by name, clockwise.

    Example:
        >>> lift = {
        ...     "up": Heading("faces_up", step=(-1,)),
        ...     "down": Heading("faces_down", step=(1,)),
        ... }
        >>> list(Compass("forward", "turn_left", "turn_right", lift).headings)
        ['up', 'down']
    """

    drive: str
    left: str
    right: str
    headings: Mapping[str, Heading]


@dataclass(frozen=True)
class Actions:
    """Declares the actions of a task, and the places that actions can lead to.

    Attributes:
        actions: The actions that rules may name; an expert advises no others.
        places: By name, the features that hold the offset of the place from the agent,
            one per axis; 0 on every axis where the agent is at the place or the place
            is gone.
        compass: How robots move that turn and drive; ``None`` for agents that do not.

    Raises:
        ConfigurationError: Two actions have the same name or index, an index is out of
            range, steps and places do not fit each other, or the compass names no
            action.

    Example:
        >>> walk = Actions(
        ...     (Action("stay", 0), Action("left", 1, (-1,)), Action("right", 2, (1,))),
        ...     places={"goal": ("goal_dx",)},
        ... )
        >>> walk.says
        ('stay', 'left', 'right', 'toward goal', 'away goal')
    """

    actions: tuple[Action, ...]
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compass: Compass | None = None

    def __post_init__(self) -> None:
        names = [action.name for action in self.actions]
        if not names:
            raise ConfigurationError("a task needs at least one action, as in Action()")
        _check_different("name", names)
        _check_different("index", [action.index for action in self.actions])
        headings = self.compass.headings if self.compass else {}
        for name in (*names, *self.places, *headings):
            if not isinstance(name, str) or not _NAME.match(name):
                raise ConfigurationError(
                    f"{name!r} cannot be the name of an action, a place or a heading; "
                    "use letters, digits and underscores, as in turn_left"
                )
        for action in self.actions:
            if not 0 <= action.index < _MOST_ACTIONS:
                raise ConfigurationError(
                    f"the action {action.name!r} has the index {action.index}; an "
                    f"index is a place in the action space, 0 to {_MOST_ACTIONS - 1}"
                )
        if self.compass is not None:
            self._check_compass(self.compass, names)
        self._check_axes()

    def __hash__(self) -> int:
        """Hashes the names, as places are a mapping, which has no hash."""
        return hash(tuple(action.name for action in self.actions))

    @classmethod
    def from_space(cls, env: Any) -> Actions:
        """Names the actions of an environment, without steps and places.

        The names are those of the environment's ``get_action_meanings()``, in lower
        case, else ``action_0``, ``action_1``, ...

        Args:
            env: A Gymnasium environment or vector environment, or a PettingZoo one.

        Raises:
            ConfigurationError: The action space is not discrete, or too large, or the
                agents' spaces differ.

        Example:
            >>> import gymnasium as gym
            >>> Actions.from_space(gym.make("CartPole-v1")).says
            ('action_0', 'action_1')
        """
        if hasattr(env, "possible_agents"):
            offered = [env.action_space(agent) for agent in env.possible_agents]
        else:
            offered = [getattr(env, "single_action_space", env.action_space)]
        counts = {_count(space) for space in offered}
        if len(counts) > 1:
            raise ConfigurationError(
                f"the agents have {sorted(counts)} actions, and one list of names has "
                "to fit all of them; declare Actions with those that all have"
            )
        (count,) = counts
        if count > _MOST_ACTIONS:
            raise ConfigurationError(
                f"the action space has {count} actions, of which at most "
                f"{_MOST_ACTIONS} can be named; declare Actions with those that matter"
            )
        names = [f"action_{k}" for k in range(count)]
        meanings = getattr(getattr(env, "unwrapped", env), "get_action_meanings", None)
        if meanings is not None:
            words = [re.sub(r"\W", "_", str(name)).lower() for name in meanings()]
            if len(set(words)) == count and all(_NAME.match(name) for name in words):
                names = words
        return cls(tuple(Action(name, k) for k, name in enumerate(names)))

    @property
    def says(self) -> tuple[str, ...]:
        """All texts that a rule may say: actions, headings, places to go to."""
        headings = self.compass.headings if self.compass else {}
        return (
            *(action.name for action in self.actions),
            *(f"go {heading}" for heading in headings),
            *(f"{way} {place}" for place in self.places for way in ("toward", "away")),
        )

    @property
    def moves(self) -> tuple[Action | Heading, ...]:
        """The actions that move an agent, or the headings of the compass."""
        if self.compass is not None:
            return tuple(self.compass.headings.values())
        return tuple(action for action in self.actions if action.step is not None)

    def check_features(self, features: FeatureMap) -> None:
        """Checks that a vocabulary has the features that the actions read.

        Raises:
            ConfigurationError: A feature is unknown or read from the action, or the
                expression of an ``open`` is not valid.
        """
        known = [name for name in features.names if name not in features.action_names]
        read = {
            f"the place {place!r}": columns for place, columns in self.places.items()
        }
        headings = self.compass.headings if self.compass else {}
        read |= {
            f"the heading {name!r}": (heading.feature,)
            for name, heading in headings.items()
        }
        for what, columns in read.items():
            for name in columns:
                if name not in known:
                    raise ConfigurationError(
                        f"{what} is read from {name!r}, which is no feature of the "
                        f"state; such features are {', '.join(known)}"
                    )
        for what, text in self._opens():
            try:
                parse(text, features.names, forbidden=features.action_names)
            except ExpressionError as error:
                raise ConfigurationError(f"where {what} is open: {error}") from error

    def check_space(self, space: spaces.Space[Any]) -> None:
        """Checks that an action space has every action.

        Raises:
            ConfigurationError: The space is not discrete, or has fewer actions.
        """
        count = _count(space)
        for action in self.actions:
            if action.index >= count:
                raise ConfigurationError(
                    f"the action {action.name!r} has the index {action.index}, and the "
                    f"action space {space} has the actions 0 to {count - 1}; declare "
                    "the actions of this space"
                )

    def _opens(self) -> Iterator[tuple[str, str]]:
        for action in self.actions:
            if action.open is not None:
                yield f"the action {action.name!r}", action.open
        for name, heading in (self.compass.headings if self.compass else {}).items():
            if heading.open is not None:
                yield f"the heading {name!r}", heading.open

    def _check_compass(self, compass: Compass, names: Sequence[str]) -> None:
        for name in (compass.drive, compass.left, compass.right):
            if name not in names:
                raise ConfigurationError(
                    f"the compass turns or drives by {name!r}, which is no action; "
                    f"actions are {', '.join(names)}"
                )
        if len(compass.headings) < 2:
            raise ConfigurationError(
                "a compass needs at least two headings; name them in clockwise order"
            )
        if any(action.step is not None for action in self.actions):
            raise ConfigurationError(
                "actions of a robot with a compass have no step of their own; give the "
                "steps to the compass's headings"
            )

    def _check_axes(self) -> None:
        """Checks that steps and places have the same number of axes."""
        axes = {
            f"the step of {getattr(move, 'name', None) or move}": len(move.step or ())
            for move in self.moves
        }
        axes |= {f"the place {name!r}": len(at) for name, at in self.places.items()}
        if len(set(axes.values())) > 1:
            listed = ", ".join(f"{what} has {count}" for what, count in axes.items())
            raise ConfigurationError(
                f"steps and places need one number per axis, of as many axes: {listed}"
            )
        if self.places and (not self.moves or 0 in axes.values()):
            raise ConfigurationError(
                "places need actions that move and features to be read from; give "
                "actions a step, as in Action('up', 1, step=(-1, 0))"
            )


def _check_different(what: str, values: Sequence[Any]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ConfigurationError(
                f"two actions have the {what} {value!r}; every action needs its own"
            )


def _count(space: Any) -> int:
    """Returns how many actions a space has.

    Raises:
        ConfigurationError: The space is not discrete.
    """
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    raise ConfigurationError(
        f"an expert says which of a few actions are good, so it needs a Discrete "
        f"action space, not {space}; leave out actions= for this environment, or make "
        "its actions discrete"
    )
