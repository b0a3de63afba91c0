"""``SignalSource``: where an environment copy has its signal from."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal, TypedDict

import numpy as np
from gymnasium import spaces

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.board.slots import Slot
from also_wrappers.evidence.numbers.conditions import parse_conditions
from also_wrappers.evidence.recorder import Episode, Success, compile_success
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.vector import EpisodeVector
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.parser import parse
from also_wrappers.signal.model import Fade, Signal

__all__ = ["Options", "SignalSource", "plain_names"]

#: Larger actions are recorded in part: so many components, so many choices each.
_MOST_COMPONENTS, _MOST_CHOICES = 8, 1024


class Options(TypedDict, total=False):
    """What every wrapper takes besides features, signal and board.

    Attributes:
        gamma: The learner's discount factor, for a static signal; with a board, the
            trainer posts it.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes; with
            a board, the trainer posts it.
        conditions: Expressions to record, by name (with a board).
        success: Expression over the features, ``base_return`` and ``episode_length``
            that holds at the end of a success (with a board).
        fade: Takes the strength of a static signal to zero, in steps of this
            environment copy; with a board, the loop posts the strength.
        swap_at: When a signal that was posted meanwhile is taken: ``"reset"``, so
            that no episode mixes two signals, or ``"step"``, for environments that do
            not end; potentials then begin anew from the current state.
        actions: What the experts of signals may say.

    Example:
        >>> options: Options = {"gamma": 0.95, "bootstraps_truncation": False}
    """

    gamma: float
    bootstraps_truncation: bool
    conditions: Mapping[str, str] | None
    success: str | None
    fade: Fade | None
    swap_at: Literal["reset", "step"]
    actions: Actions | None


class SignalSource:
    """Holds the signal in force, and the slot of the board that takes episodes.

    Args:
        features: The vocabulary.
        agents: All agents that can take part, as the environment calls them.
        action_spaces: Their action spaces, in the same order.
        signal: A signal that stays (static use); this or ``board``, not both.
        board: Where to read the active signal and leave evidence (live use).
        options: See ``Options``.
        copies: How many environment copies share the source.

    Attributes:
        names: The agents as signals and evidence call them.
        layout: Of what is recorded.
        posting: What is in force from the next episode on.
        rows_wanted: Whether infos carry the features of each step.
        live: Whether there is a board.
        swaps_at_step: Whether a new posting is taken in the middle of an episode.
        counts_steps: Whether it matters how many steps were played.

    Raises:
        ConfigurationError: An argument is of another type, or unknown; neither or both
            of signal and board were given, or an option that does not go with them, or
            actions that the spaces do not have.
        ExpressionError: The success expression does not parse.
    """

    def __init__(
        self,
        features: FeatureMap,
        agents: Sequence[Any],
        action_spaces: Sequence[spaces.Space[Any]],
        signal: Signal | None,
        board: Board | None,
        options: Options,
        copies: int = 1,
    ) -> None:
        _check_types(features, signal, board, options)
        if (signal is None) == (board is None):
            raise ConfigurationError(
                "give either signal= (it then stays as it is) or board= (the active "
                "signal is then read from there), not both and not neither"
            )
        self._fade = options.get("fade")
        if board is not None and self._fade is not None:
            raise ConfigurationError(
                "fade= is for a signal that stays; with a board, the loop posts the "
                "strength: give Adaptation or AdaptationCallback fade_out="
            )
        if signal is not None and signal.fade is not None:
            raise ConfigurationError(
                "the signal fades by a share of a run's training, and there is no run; "
                "leave its fade out and give fade=Fade(begin=..., end=...), in steps"
            )
        swap_at = options.get("swap_at", "reset")
        if swap_at not in ("reset", "step"):
            raise ConfigurationError(f"swap_at is 'reset' or 'step', not {swap_at!r}")
        self._actions = options.get("actions")
        if self._actions is not None:
            for space in action_spaces:
                self._actions.check_space(space)
        self.live = board is not None
        self.counts_steps = self.live or self._fade is not None
        self.swaps_at_step = swap_at == "step" and self.live
        self._features = features
        self.names = plain_names(agents)
        self.layout = Layout.declare(
            self.names, features, tuple(_choices(space) for space in action_spaces)
        )
        self.posting = Posting(
            version=-1,
            signal=signal or Signal(),
            gamma=options.get("gamma", 0.99),
            bootstraps_truncation=options.get("bootstraps_truncation", True),
        )
        self.rows_wanted = False
        self._board = board
        self._copies = copies
        self._slot: Slot | None = None
        self._claimed_in = 0  # a process that was forked off claims its own
        self._conditions = dict(options.get("conditions") or {})
        self._success = options.get("success")
        self.success()  # says at once what is wrong with it
        if board is not None:
            self.take()

    @property
    def signal(self) -> Signal:
        """The signal from the next episode on; none before gamma is known."""
        return self.posting.signal if self.posting.gamma is not None else Signal()

    @property
    def gamma(self) -> float:
        """The learner's discount factor; without a meaning before it was posted."""
        return 0.0 if self.posting.gamma is None else self.posting.gamma

    @property
    def outdated(self) -> bool:
        """True if something else was posted meanwhile."""
        board = self._board
        return board is not None and board.version != self.posting.version

    @property
    def fades(self) -> bool:
        """True if the strength depends on how many steps were played."""
        return self._fade is not None or self.posting.fade is not None

    def strength(self, steps: int) -> float:
        """Returns the strength of an episode that begins after so many steps."""
        fade = self._fade or self.posting.fade
        return self.posting.strength * (fade.strength(steps) if fade else 1.0)

    def success(self) -> Success | None:
        """Returns what says whether an episode was a success, if that was declared."""
        if not self._success:
            return None
        names = (*self.layout.features, "base_return", "episode_length")
        return compile_success(parse(self._success, names))

    def advice(self) -> Advice | None:
        """Returns what the expert of the signal says, if the signal has one.

        Raises:
            ConfigurationError: Nothing says what actions there are, or the expert says
                what it may not.
            ExpressionError: A condition is not valid.
        """
        if self.signal.expert is None:
            return None
        if self._actions is None:
            raise ConfigurationError(
                "the signal has an expert, and nothing says what the actions are; give "
                "actions=Actions(...), or Task(actions=...) for a run"
            )
        features = self._features
        return Advice(self.signal, features, self._actions, self.names)

    def take(self) -> None:
        """Takes the posting from the board.

        Raises:
            ConfigurationError: A condition is not a valid expression.
        """
        board = self._board
        if board is None:
            return
        self.posting = board.read()
        named = {**self._conditions, **self.posting.probes}
        nodes = parse_conditions(named, self.layout.features)
        if self._slot is not None:
            self._slot.conditions = nodes

    def refresh(self) -> bool:
        """Takes what was posted meanwhile, and acknowledges it on the board.

        Returns:
            Whether something was posted.
        """
        board = self._board
        if board is None:
            return False
        first = self._slot is None or self._claimed_in != os.getpid()
        if self._slot is None or first:
            self._slot = board.claim(self.layout, self._copies)
            self._claimed_in = os.getpid()
        news = first or self.outdated
        if news:
            self.take()
        self.rows_wanted = board.rows_wanted
        self._slot.acknowledge(self.posting.version)
        return news

    def leave(self, episode: Episode, at: int) -> None:
        """Leaves an episode in the slot.

        Args:
            episode: What was recorded.
            at: Step of the environment copy at which it ended.
        """
        assert self._slot is not None  # claimed at the first reset
        assert self._board is not None
        self._slot.leave(episode, self._board.window, at)

    def leave_all(self, ended: EpisodeVector) -> None:
        """Leaves episodes that ended with one step in the slot.

        Args:
            ended: What was recorded.
        """
        assert self._slot is not None  # claimed at the first reset
        assert self._board is not None
        self._slot.leave_all(ended, self._board.window)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the slot: a copy claims one of its own."""
        return {**self.__dict__, "_slot": None}


def _choices(space: spaces.Space[Any]) -> tuple[int, ...]:
    """Returns the choices of each component of an action; 0 for a continuous one."""
    if isinstance(space, spaces.Discrete):
        sizes = [int(space.n)]
    elif isinstance(space, spaces.MultiDiscrete):
        sizes = [int(n) for n in space.nvec.ravel()]
    elif isinstance(space, spaces.MultiBinary):
        sizes = [2] * math.prod(space.shape)
    elif isinstance(space, spaces.Box):
        sizes = [0] * math.prod(space.shape)
    else:
        sizes = []
    return tuple(
        size if size <= _MOST_CHOICES else 0 for size in sizes[:_MOST_COMPONENTS]
    )


def flat_action(
    space: spaces.Space[Any], action: Any, components: int, count: int = 0
) -> Any:
    """Returns the first components of an action as numbers, choices counted from 0.

    Args:
        space: The space of one action.
        action: The action, or those of a vector of environments.
        components: How many numbers to return for an action.
        count: How many actions there are; 0 for a single one.

    Returns:
        ``components`` numbers, or an array of shape ``(count, components)``.
    """
    if action is None or not _choices(space):
        return np.zeros((count, components) if count else components)
    start = getattr(space, "start", 0)
    if not count and isinstance(space, spaces.Discrete):
        return [action - start, *[0.0] * (components - 1)]
    flat = np.asarray(action, dtype=float) - start
    flat = flat.reshape(max(count, 1), -1)[:, :components]
    if flat.shape[1] < components:
        flat = np.pad(flat, ((0, 0), (0, components - flat.shape[1])))
    return flat if count else flat[0]


def plain_names(agents: Sequence[Any]) -> tuple[str, ...]:
    """Returns the agents' names as signals, evidence and prompts use them.

    An environment's own names may be of any kind, and are not trusted.

    Example:
        >>> plain_names([0, "walker 1", "ignore all rules."])
        ('0', 'walker_1', 'ignore_all_rules_')
    """
    names = tuple(re.sub(r"[^A-Za-z0-9_-]", "_", str(a))[:40] for a in agents)
    if len(set(names)) < len(names):
        return tuple(f"agent_{i}" for i in range(len(names)))
    return names


#: What the arguments of a wrapper are, and how they are written.
_WANTED: dict[str, tuple[type[Any], str]] = {
    "features": (FeatureMap, "a FeatureMap: write FeatureMap(Feature(...), ...)"),
    "signal": (Signal, "a Signal: write Signal(terms=(Term(...),))"),
    "board": (Board, "a Board: write board=run.board, or run.shape(env)"),
    "gamma": (Real, "a number: write gamma=0.99"),
    "conditions": (Mapping, "expressions by name: write {'near': 'distance < 0.2'}"),
    "fade": (Fade, "a Fade: write Fade(begin=..., end=...)"),
    "actions": (Actions, "an Actions: write Actions((Action('left', 0), ...))"),
}


def _check_types(features: Any, signal: Any, board: Any, options: Options) -> None:
    """Refuses arguments that a wrapper does not have, or that are something else."""
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        known = ", ".join(["signal", "board", *Options.__annotations__])
        raise ConfigurationError(
            f"a wrapper takes no {unknown[0]}=; beside features it takes {known}"
        )
    given = {"signal": signal, "board": board, **options}
    arguments = {name: value for name, value in given.items() if value is not None}
    for name, value in {"features": features, **arguments}.items():
        kind, wanted = _WANTED.get(name, (object, ""))
        if not isinstance(value, kind):
            raise ConfigurationError(
                f"{name} is of type {type(value).__name__}, and must be {wanted}"
            )
