"""What a signal adds to the rewards of one environment copy's team.

The wrappers are thin adapters over this: they hand over what the environment returned
and add to the rewards what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from also_wrappers.board.board import Board
from also_wrappers.evidence.recorder import Recorder
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import View
from also_wrappers.signal.model import Signal
from also_wrappers.signal.shaper import CompiledSignal, Shaper, compile_signal
from also_wrappers.signal.transitions import encode
from also_wrappers.wrappers.info import Shaping
from also_wrappers.wrappers.source import Options, SignalSource, flat_action

__all__ = ["ShapedTeam"]

_NO_INFO: Mapping[str, Any] = {}
_NOBODY: Sequence[int] = ()


class ShapedTeam:
    """Computes what a signal adds to the rewards of a team, and records.

    Observations go in, added rewards come out, and episodes are left on the board.

    Args:
        features: The vocabulary.
        agents: All agents that can take part, as the environment calls them.
        action_spaces: Their action spaces, in the same order.
        signal: A signal that stays (static use); this or ``board``, not both.
        board: Where to read the active signal and leave evidence (live use).
        **options: See ``Options``.

    Attributes:
        needs_state: True if a feature reads ``env.state()``.

    Raises:
        ConfigurationError: Neither or both of signal and board were given.
        ExpressionError: The signal, a condition or the success does not parse.
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
        self.features = features
        self.agents = tuple(agents)
        self.places = {agent: i for i, agent in enumerate(self.agents)}
        self._source = SignalSource(
            features, agents, action_spaces, signal, board, options
        )
        self.needs_state = features.needs_state
        self._spaces = list(action_spaces)
        sizes = self._source.layout.actions
        # A team that makes one choice each is recorded without detours.
        self._starts = (
            [
                (agent, int(getattr(space, "start", 0)))
                for agent, space in zip(self.agents, action_spaces, strict=True)
            ]
            if all(isinstance(space, spaces.Discrete) for space in action_spaces)
            and all(len(size) == 1 for size in sizes)
            else None
        )
        self._compile()
        self._advised: list[int] | None = None
        self._steps = 0
        self._rows: list[Sequence[float]] = [[0.0] * len(features) for _ in self.agents]
        self._everyone: Sequence[int] = tuple(range(len(self.agents)))
        self._present: Sequence[int] = self._everyone
        self._checked = False
        self._encoded: npt.NDArray[np.float32] | None = None

    @property
    def signal(self) -> Signal:
        """The signal in force in the episode that is running."""
        compiled = self._shaper.compiled
        return compiled.signal if compiled else self._compiled.signal

    def reset(
        self,
        observations: Mapping[str, Any],
        infos: Mapping[str, Any],
        state: Any = None,
    ) -> None:
        """Starts an episode; a signal that was posted meanwhile is taken now."""
        alive = self._read(observations, {}, infos, state)
        if self._source.refresh():
            self._renew()
        strength = self._source.strength(self._steps)
        self._shaper.reset(self._compiled, self._rows, alive, strength)
        self.signal_id = self._compiled.signal.id
        if self._recorder is not None:
            self._recorder.begin(self._rows, alive)
        self._advise()

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
        waiting: Mapping[str, bool] = _NO_INFO,
    ) -> list[float] | None:
        """Returns what the signal adds to the reward of each agent at one step.

        Args:
            actions: What the agents did.
            observations: What they observe now.
            rewards: Base rewards.
            terminations: Whose episode terminated, or who left.
            truncations: Whose episode was truncated.
            infos: The environment's infos.
            state: ``env.state()``, if ``needs_state``.
            ended: Whether anybody's episode terminated or was truncated.
            over: Whether the environment's episode ends with this step.
            waiting: Agents that are there and did not act, and whether they have acted
                since they came; none where all act together.

        Returns:
            What to add to the agents' rewards, in the order of ``agents``, or ``None``
            where the signal is empty and the rewards must stay as they are.
        """
        if self._source.swaps_at_step and self._source.outdated:
            self._swap()
        before, was = self._rows, self._shaper.present
        alive = self._read(observations, actions, infos, state)
        self._steps += 1
        terminated = truncated = _NOBODY
        if ended:
            places = self.places
            terminated = [places[a] for a, is_so in terminations.items() if is_so]
            truncated = [places[a] for a, is_so in truncations.items() if is_so]
        shaper = self._shaper
        added = (
            shaper.step(
                self._rows,
                alive,
                terminated,
                truncated,
                {
                    self.places[agent]: shaper.gamma if begun else 1.0
                    for agent, begun in waiting.items()
                },
            )
            if waiting
            else shaper.step(self._rows, alive, terminated, truncated)
        )
        if self._source.rows_wanted:
            self._encoded = encode(
                before, was, self._rows, alive, terminated, truncated
            )
        if self._advice is not None:
            self._advise()
        recorder = self._recorder
        if recorder is not None:
            agents = self.agents
            if alive is self._everyone:
                base = [float(rewards[agent]) for agent in agents]
            else:
                base = [float(rewards.get(agent, 0.0)) for agent in agents]
            recorder.step(self._rows, self._taken(actions), base, added, alive)
            if over or recorder.full:
                self._leave(bool(terminated) and over)
                if not over:
                    recorder.begin(self._rows, alive)
        return added if shaper.totals else None

    def first_infos(self, infos: Mapping[str, Any]) -> Any:
        """Returns the infos of a reset, with the advice for the first state.

        They stay as they are where no expert is in force.

        Args:
            infos: The environment's infos.
        """
        if self._advised is None:
            return infos
        first = {
            self.agents[i]: {"shaping": {"advice": self._advised[i]}}
            for i in self._present
        }
        return {
            **infos,
            **{agent: {**infos.get(agent, {}), **first[agent]} for agent in first},
        }

    def info(self, base: float, added: float, over: bool, place: int = 0) -> Shaping:
        """Returns what a step tells an agent under ``info["shaping"]``.

        Args:
            base: The agent's base reward.
            added: What the signal added to it.
            over: Whether the episode ends, so that it tells what each term paid.
            place: The agent's place in the team.
        """
        shaping: Shaping = {
            "base": base,
            "total": base + added,
            "signal": self.signal_id,
        }
        if over:
            names = [term.name for term in self.signal.terms]
            shaping["terms"] = dict(zip(names, self._shaper.totals, strict=True))
        if self._encoded is not None:
            shaping["rows"], shaping["place"] = self._encoded, place
        if self._advised is not None:
            shaping["advice"] = self._advised[place]
        return shaping

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out compiled code, which does not travel."""
        state = self.__dict__.copy()
        for name in ("_compiled", "_shaper", "_recorder", "_advice"):
            state[name] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def _compile(self) -> None:
        source = self._source
        self._recorder = (
            Recorder(source.layout, source.success()) if source.live else None
        )
        self._compiled: CompiledSignal = compile_signal(
            source.signal, self.features, source.names
        )
        self._shaper = Shaper(
            len(self.agents), source.gamma, source.posting.bootstraps_truncation
        )
        self._advice = source.advice()
        self.signal_id = self._compiled.signal.id

    def _renew(self) -> None:
        """Puts what was posted in force."""
        source = self._source
        if source.signal != self._compiled.signal:
            self._compiled = compile_signal(source.signal, self.features, source.names)
            self._advice = source.advice()
        self._shaper.gamma = source.gamma
        self._shaper.bootstraps_truncation = source.posting.bootstraps_truncation

    def _advise(self) -> None:
        """Asks the expert in force, if there is one, about the current state."""
        advice = self._advice
        self._advised = None if advice is None else advice(self._rows, self._present)

    def _swap(self) -> None:
        """Takes a new posting in the middle of an episode, which is cut in two."""
        recorder = self._recorder
        if recorder is not None:
            if recorder.steps:
                self._leave(False)
            recorder.begin(self._rows, self._present)
        self._source.refresh()
        self._renew()
        self._shaper.swap(self._compiled, self._source.posting.strength)
        self.signal_id = self._compiled.signal.id
        self._advise()

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
        agents = self.agents
        if len(observations) == len(agents):
            self._rows = self.features.rows(agents, observations, actions, infos, state)
            self._present = self._everyone
            return self._everyone
        rows = list(self._rows)
        alive = []
        for i, a in enumerate(agents):
            if a in observations:
                (rows[i],) = self.features.rows(
                    [a], observations, actions, infos, state
                )
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
        """Checks that the features fit what every agent observes."""
        for agent, observation in observations.items():
            info = infos.get(agent, _NO_INFO)
            view = View(observation, actions.get(agent), info, state, agent)
            self.features.check(view, agent)
        self._checked = True

    def _taken(self, actions: Mapping[str, Any]) -> list[float]:
        """Returns the components of all agents' actions, one after the other."""
        if self._starts is not None:
            if len(actions) == len(self.agents):
                return [actions[agent] - start for agent, start in self._starts]
            return [actions.get(agent, start) - start for agent, start in self._starts]
        components = self._source.layout.components
        taken: list[float] = []
        for agent, space in zip(self.agents, self._spaces, strict=True):
            taken.extend(flat_action(space, actions.get(agent), components))
        return taken

    def _leave(self, terminated: bool) -> None:
        """Leaves the episode on the board."""
        assert self._recorder is not None
        shaper = self._shaper
        paid = None if self._source.outdated else shaper.totals
        episode = self._recorder.finish(terminated, paid, shaper.invalid)
        self._source.leave(episode, self._steps)


def action_spaces_of(env: Any, agents: Sequence[str]) -> list[spaces.Space[Any]]:
    """Returns the action spaces of a PettingZoo environment, in the team's order."""
    return [env.action_space(agent) for agent in agents]


def as_float(reward: Any) -> float:
    """Returns a reward as a Python float; it may be a numpy array of one element."""
    if isinstance(reward, float):
        return float(reward)
    return float(np.asarray(reward).reshape(())) if np.ndim(reward) else float(reward)
