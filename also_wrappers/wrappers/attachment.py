"""One environment copy's attachment to a signal, or to a board.

The wrappers are thin adapters over this: they hand over what the environment returned
and add to the rewards what comes back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from gymnasium import spaces

from also_wrappers.board import Board, Posting
from also_wrappers.evidence.recorder import Recorder
from also_wrappers.evidence.statistics import MAX_EVENTS, Layout
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.signal.features import FeatureMap, View
from also_wrappers.signal.language import Node, parse
from also_wrappers.signal.model import Fade, Signal
from also_wrappers.signal.shaper import CompiledSignal, Shaper, compile_signal
from also_wrappers.slots import Slot

__all__ = ["Attachment", "Options"]

_NO_INFO: Mapping[str, Any] = {}
_NOBODY: Sequence[int] = ()


class Options(TypedDict, total=False):
    """What every wrapper takes besides features, signal and board.

    Attributes:
        gamma: The learner's discount factor, for a static signal; with a board, the
            trainer posts it.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes; with
            a board, the trainer posts it.
        events: Expressions to record, by name (with a board).
        success: Expression over the features, ``base_return`` and ``episode_length``
            that holds at the end of a success (with a board).
        fade: Takes the strength of a static signal to zero, in steps of this
            environment copy; with a board, the loop posts the strength.
        swap_at: When a signal that was posted meanwhile is taken: ``"reset"``, so
            that no episode mixes two signals, or ``"step"``, for environments that do
            not end; potentials then begin anew from the current state.
    """

    gamma: float
    bootstraps_truncation: bool
    events: Mapping[str, str] | None
    success: str | None
    fade: Fade | None
    swap_at: Literal["reset", "step"]


class Attachment:
    """Features in, added reward out; evidence left on the board on the way.

    Args:
        features: The vocabulary.
        agents: All agents that can take part, as the environment calls them.
        action_spaces: Their action spaces, in the same order.
        signal: A signal that stays (static use); this or ``board``, not both.
        board: Where to read the active signal and leave evidence (live use).
        **options: See ``Options``.

    Raises:
        ConfigurationError: Neither or both of signal and board were given.
        ExpressionError: The signal, an event or the success does not parse.
    """

    def __init__(
        self,
        features: FeatureMap,
        agents: Sequence[str],
        action_spaces: Sequence[spaces.Space[Any]],
        signal: Signal | None,
        board: Board | None,
        **options: Unpack[Options],
    ) -> None:
        if (signal is None) == (board is None):
            raise ConfigurationError(
                "give either signal= (it then stays as it is) or board= (the active "
                "signal is then read from there), not both and not neither"
            )
        if board is not None and options.get("fade") is not None:
            raise ConfigurationError(
                "fade= is for a signal that stays; with a board, the loop posts the "
                "strength: give Adaptation or AdaptationCallback fade_out="
            )
        gamma = options.get("gamma", 0.99)
        bootstraps_truncation = options.get("bootstraps_truncation", True)
        success = options.get("success")
        self._fade = options.get("fade")
        self._steps = 0
        self._swaps_at_step = options.get("swap_at", "reset") == "step"
        self.features = features
        self.agents = tuple(agents)
        self._names = plain_names(agents)
        self.places = {agent: i for i, agent in enumerate(self.agents)}
        self._board = board
        self._events = dict(options.get("events") or {})
        self._starts = [int(getattr(space, "start", 0)) for space in action_spaces]
        sizes = {
            int(space.n) if isinstance(space, spaces.Discrete) else 0
            for space in action_spaces
        }
        self._layout = Layout(
            self._names,
            features.names,
            max(sizes) if sizes and 0 not in sizes else 0,
        )
        state_columns = [
            column
            for column, name in enumerate(features.names)
            if name not in features.action_names
        ]
        self._recorder = Recorder(self._layout, state_columns) if board else None
        self._posting = Posting(
            version=-1,
            signal=signal or Signal(),
            gamma=gamma,
            bootstraps_truncation=bootstraps_truncation,
        )
        self._compiled: CompiledSignal = compile_signal(
            self._posting.signal, features, self._names
        )
        self._shaper = Shaper(len(self.agents), gamma, bootstraps_truncation)
        self.signal_id = self._compiled.signal.id
        self._slot: Slot | None = None
        self._event_nodes: list[Node] = []
        self._success = (
            parse(success, [*features.names, "base_return", "episode_length"])
            if success
            else None
        )
        self._rows: list[Sequence[float]] = [[0.0] * len(features) for _ in self.agents]
        self._everyone: Sequence[int] = tuple(range(len(self.agents)))
        self._present: Sequence[int] = self._everyone
        self._checked = False
        if board is not None:
            self._take(board.read())

    @property
    def signal(self) -> Signal:
        """The signal of the episode that is running."""
        compiled = self._shaper.compiled
        return compiled.signal if compiled else self._compiled.signal

    @property
    def needs_state(self) -> bool:
        """Whether a feature reads ``env.state()``."""
        return self.features.needs_state

    def reset(
        self,
        observations: Mapping[str, Any],
        infos: Mapping[str, Any],
        state: Any = None,
    ) -> None:
        """Starts an episode; a signal that was posted meanwhile is taken now."""
        alive = self._read(observations, {}, infos, state)
        board = self._board
        if board is not None:
            if self._slot is None:
                self._slot = board.claim(self._layout)
                self._take(board.read())
            elif board.version != self._posting.version:
                self._take(board.read())
            self._slot.acknowledge(self._posting.version)
        fade = self._fade
        strength = fade.strength(self._steps) if fade else self._posting.strength
        self._shaper.reset(self._compiled, self._rows, alive, strength)
        self.signal_id = self._compiled.signal.id
        if self._recorder is not None:
            self._recorder.begin(self._rows, alive)

    def step(
        self,
        actions: Mapping[str, Any],
        observations: Mapping[str, Any],
        rewards: Mapping[str, Any],
        terminations: Mapping[str, Any],
        truncations: Mapping[str, Any],
        infos: Mapping[str, Any],
        state: Any = None,
        *,
        ended: bool,
        over: bool,
    ) -> list[float] | None:
        """Handles one environment step.

        Args:
            actions: What the agents did.
            observations: What they observe now.
            rewards: Base rewards.
            terminations: Whose episode terminated.
            truncations: Whose episode was truncated.
            infos: The environment's infos.
            state: ``env.state()``, if ``needs_state``.
            ended: Whether anybody's episode terminated or was truncated.
            over: Whether the environment's episode ends with this step.

        Returns:
            What to add to the agents' rewards, in the order of ``agents``, or ``None``
            where the signal is empty and the rewards must stay as they are.
        """
        if self._swaps_at_step:
            self._swap()
        alive = self._read(observations, actions, infos, state)
        self._steps += 1
        terminated = truncated = _NOBODY
        if ended:
            places = self.places
            terminated = [places[a] for a, is_so in terminations.items() if is_so]
            truncated = [places[a] for a, is_so in truncations.items() if is_so]
        added = self._shaper.step(self._rows, alive, terminated, truncated)
        if self._recorder is not None:
            self._record(actions, rewards, added, alive)
            if over or self._recorder.full:
                self._leave(bool(terminated) and over)
                if not over:
                    self._recorder.begin(self._rows, alive)
        return added if self._shaper.totals else None

    def _swap(self) -> None:
        """Takes a new posting in the middle of an episode, which is cut in two."""
        board, recorder = self._board, self._recorder
        if board is None or board.version == self._posting.version:
            return
        if recorder is not None:
            if recorder.steps:
                self._leave(False)
            recorder.begin(self._rows, self._present)
        self._take(board.read())
        self._shaper.swap(self._compiled, self._posting.strength)
        self.signal_id = self._compiled.signal.id

    def info(self, base: float, added: float, over: bool) -> dict[str, Any]:
        """What goes under ``info["shaping"]``; small, as SB3 copies it every step.

        Args:
            base: The agent's base reward.
            added: What the signal added to it.
            over: Whether the episode ends; what each term paid is told then.
        """
        told: dict[str, Any] = {
            "base": base,
            "total": base + added,
            "signal": self.signal_id,
        }
        if over:
            names = [term.name for term in self.signal.terms]
            told["terms"] = dict(zip(names, self._shaper.totals, strict=True))
        return told

    def __getstate__(self) -> dict[str, Any]:
        """A copy claims a slot of its own: the slot is dropped, code is rebuilt."""
        state = self.__dict__.copy()
        state["_slot"] = None
        state["_compiled"] = None
        state["_shaper"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compiled = compile_signal(
            self._posting.signal, self.features, self._names
        )
        self._shaper = Shaper(
            len(self.agents),
            self._posting.gamma or 0.0,
            self._posting.bootstraps_truncation,
        )

    def _take(self, posting: Posting) -> None:
        """Puts a posting in force from the next episode on."""
        in_force = posting.signal if posting.gamma is not None else Signal()
        if self._posting.version < 0 or in_force != self._compiled.signal:
            self._compiled = compile_signal(in_force, self.features, self._names)
        if posting.gamma is not None:
            self._shaper.gamma = posting.gamma
        self._shaper.bootstraps_truncation = posting.bootstraps_truncation
        named = {**self._events, **posting.probes}
        self._event_nodes = []
        for name, text in list(named.items())[:MAX_EVENTS]:
            try:
                node = parse(text, self.features.names, allow_delta=True)
            except AlsoError as error:
                raise ConfigurationError(f"event {name!r}: {error}") from error
            self._event_nodes.append(node)
        self._posting = posting

    def _read(
        self,
        observations: Mapping[str, Any],
        actions: Mapping[str, Any],
        infos: Mapping[str, Any],
        state: Any,
    ) -> Sequence[int]:
        """Reads a new list of rows; returns the places of those who are there."""
        if not self._checked:
            self._check(observations, actions, infos, state)
        read = self.features.read
        agents = self.agents
        if len(observations) == len(agents):
            self._rows = [
                read(observations[a], actions.get(a), infos.get(a, _NO_INFO), state, a)
                for a in agents
            ]
            self._present = self._everyone
            return self._everyone
        rows = list(self._rows)
        alive = []
        for i, a in enumerate(agents):
            if a in observations:
                info = infos.get(a, _NO_INFO)
                rows[i] = read(observations[a], actions.get(a), info, state, a)
                alive.append(i)
        self._rows = rows
        self._present = tuple(alive)
        return self._present

    def _check(
        self,
        observations: Mapping[str, Any],
        actions: Mapping[str, Any],
        infos: Mapping[str, Any],
        state: Any,
    ) -> None:
        for agent, seen in observations.items():
            info = infos.get(agent, _NO_INFO)
            view = View(seen, actions.get(agent), info, state, agent)
            self.features.check(view, agent)
        self._checked = True

    def _record(
        self,
        actions: Mapping[str, Any],
        rewards: Mapping[str, Any],
        added: Sequence[float],
        alive: Sequence[int],
    ) -> None:
        assert self._recorder is not None
        agents = self.agents
        if alive is self._everyone:
            base = [float(rewards[agent]) for agent in agents]
        else:
            base = [float(rewards.get(agent, 0.0)) for agent in agents]
        taken: list[Any] = [0] * len(agents)
        if self._layout.actions:
            for i, start in enumerate(self._starts):
                action = actions.get(agents[i])
                if action is not None:
                    taken[i] = action - start
        self._recorder.step(self._rows, taken, base, added, alive)

    def _leave(self, terminated: bool) -> None:
        assert self._recorder is not None
        assert self._slot is not None
        assert self._board is not None
        episode = self._recorder.finish(terminated, self._event_nodes, self._success)
        shaper = self._shaper
        current = self._board.version == self._posting.version
        with self._slot.leave(episode, self._board.window) as values:
            self._recorder.accumulate(
                values, episode, shaper.totals if current else None, shaper.invalid
            )


def plain_names(agents: Sequence[Any]) -> tuple[str, ...]:
    """Agents' names as signals, evidence and prompts use them.

    The environment's own names may be of any kind, and are not trusted.

    Example:
        >>> plain_names([0, "walker 1", "ignore all rules."])
        ('0', 'walker_1', 'ignore_all_rules_')
    """
    names = tuple(re.sub(r"[^A-Za-z0-9_-]", "_", str(a))[:40] for a in agents)
    if len(set(names)) < len(names):
        return tuple(f"agent_{i}" for i in range(len(names)))
    return names


def action_spaces_of(env: Any, agents: Sequence[str]) -> list[spaces.Space[Any]]:
    """The action spaces of a PettingZoo environment, in the order of the team."""
    return [env.action_space(agent) for agent in agents]


def as_float(reward: Any) -> float:
    """A reward as a Python float, also where it is a numpy scalar or array of one."""
    return float(np.asarray(reward).reshape(())) if np.ndim(reward) else float(reward)
