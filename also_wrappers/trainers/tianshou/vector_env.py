"""Makes vector environments of Tianshou for many agents, and reads their infos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv
from tianshou.env import BaseVectorEnv
from tianshou.env.venv_wrappers import VectorEnvWrapper
from tianshou.env.worker import EnvWorker

from also_wrappers.exceptions import ConfigurationError

__all__ = ["ListeningVectorEnv", "ParallelVectorEnv", "Told", "agents_of", "layers"]

#: Number of observations on which the drift of the policy is measured.
_PROBES = 256


class ParallelVectorEnv(BaseVectorEnv):
    """Steps copies of a PettingZoo parallel environment, with parameter sharing.

    Index ``k * agents + i`` is agent ``i`` of copy ``k``. A copy's episode ends for
    all its agents together: an agent that ended before the others observes zeros and
    is paid nothing until then. A collector that plays whole episodes plays as many
    episodes of every agent if ``n_episode`` is a multiple of the number of agents.

    Args:
        env_fns: Functions that make one copy each.

    Attributes:
        agents_per_env: Agents of one copy.

    Raises:
        ConfigurationError: A function makes another kind of environment, or the agents'
            spaces differ.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> env = ParallelVectorEnv([lambda: Corridor(agents=2)] * 4)
        >>> len(env), env.reset()[0].shape
        (8, (8, 2))
    """

    def __init__(self, env_fns: Sequence[Callable[[], Any]]) -> None:
        copies = [_Copy(make()) for make in env_fns]
        if not copies:
            raise ConfigurationError("env_fns is empty; give a function for each copy")
        self.agents_per_env = len(copies[0].agents)
        super().__init__(
            [partial(_Agent, copy, name) for copy in copies for name in copy.agents],
            lambda make: make(),
        )

    def seed(self, seed: int | list[int] | None = None) -> Any:
        """Seeds copy ``k`` with ``seed + k``, or with its first agent's number."""
        if isinstance(seed, int):
            indices = range(len(self))
            seed = [seed + index // self.agents_per_env for index in indices]
        return super().seed(seed)


class _Copy:
    """Steps one parallel environment once all its agents have an action.

    Args:
        env: The environment.
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, ParallelEnv):
            raise ConfigurationError(
                "ParallelVectorEnv is for parallel environments of PettingZoo, not for "
                f"a {type(env).__name__}; use Tianshou's DummyVectorEnv for those of "
                "Gymnasium"
            )
        self.env = env
        self.agents = list(env.possible_agents)
        first = self.agents[0]
        self.space = env.observation_space(first)
        for agent in self.agents[1:]:
            if env.observation_space(agent) != self.space or env.action_space(
                agent
            ) != env.action_space(first):
                raise ConfigurationError(
                    "one policy for all agents needs the same spaces for all of them; "
                    "put supersuit.pad_observations_v0 and pad_action_space_v0 around "
                    "the environment"
                )
        self.asked: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.results: dict[str, Any] = {}

    def answer(self, agent: str) -> Any:
        """Returns an agent's part of the result, once all agents have asked."""
        if self.asked:
            self._advance()
        return self.results.pop(agent)

    def _advance(self) -> None:
        missing = [agent for agent in self.agents if agent not in self.asked]
        if missing:
            raise ConfigurationError(
                f"agents of a copy step and reset together, and {missing[0]!r} was "
                "left out; play a number of episodes that is a multiple of the agents"
            )
        asked, self.asked = self.asked, {}
        if any(action is None for action in asked.values()):
            observations, infos = self.env.reset(**self.options)
            self.options = {}
            self.results = {
                agent: (self._seen(observations, agent), dict(infos.get(agent, {})))
                for agent in self.agents
            }
            return
        live = {agent: asked[agent] for agent in self.env.agents}
        observations, paid, ended, cut, infos = self.env.step(live)
        over = not self.env.agents
        timed_out = {agent for agent in cut if cut[agent] and not ended.get(agent)}
        self.results = {
            agent: (
                self._seen(observations, agent),
                float(paid.get(agent, 0.0)),
                over and agent not in timed_out,
                over and agent in timed_out,
                dict(infos.get(agent, {})),
            )
            for agent in self.agents
        }

    def _seen(self, observations: dict[str, Any], agent: str) -> Any:
        return observations[agent] if agent in observations else _zeros(self.space)


class _Agent(EnvWorker):
    """Makes an agent of a copy look like an environment of Tianshou."""

    def __init__(self, copy: _Copy, agent: str) -> None:
        self._copy = copy
        self._agent = agent
        super().__init__(lambda: copy.env)

    def get_env_attr(self, key: str) -> Any:
        value = getattr(self._copy.env, key)
        return value(self._agent) if key.endswith("_space") else value

    def set_env_attr(self, key: str, value: Any) -> None:
        setattr(self._copy.env.unwrapped, key, value)

    def send(self, action: Any, **options: Any) -> None:
        discrete = isinstance(self.action_space, spaces.Discrete)
        if action is None:
            self._copy.options |= options
        self._copy.asked[self._agent] = (
            int(action) if discrete and action is not None else action
        )

    def recv(self) -> Any:
        return self._copy.answer(self._agent)

    def reset(self, **options: Any) -> Any:
        raise ConfigurationError(
            "an agent is reset with the others of its environment; reset the whole "
            "ParallelVectorEnv, or an environment with all of its indices"
        )

    def seed(self, seed: int | None = None) -> Any:
        super().seed(seed)
        if self._agent == self._copy.agents[0]:
            self._copy.env.reset(seed=seed)
        return [seed]

    def render(self, **options: Any) -> Any:
        return self._copy.env.render(**options)

    def close_env(self) -> None:
        if self._agent == self._copy.agents[0]:
            self._copy.env.close()


class Told(NamedTuple):
    """Holds what the infos of some steps told.

    Attributes:
        episodes: Indices whose episodes have ended, and their base returns.
        advised: Indices, observations and advice where an expert spoke, step by step.
    """

    episodes: list[tuple[int, float]]
    advised: list[tuple[npt.NDArray[np.int64], Any, npt.NDArray[np.int64]]]


class ListeningVectorEnv(VectorEnvWrapper):
    """Reads our wrappers' entries of infos, and hides these entries from Tianshou.

    Tianshou stores infos, which change with the signal, in its buffers.

    Args:
        venv: The environments.

    Attributes:
        advice: The expert's advice for the present states, a bit for each action, shape
            ``(indices,)``; 0 where the expert is silent.
        advised: Whether an expert was in force in any environment so far.
        steps: Steps of an environment copy.
    """

    def __init__(self, venv: BaseVectorEnv) -> None:
        super().__init__(venv)
        count = len(venv)
        self.advice: npt.NDArray[np.int64] = np.zeros(count, np.int64)
        self.advised = False
        self.steps = 0
        self._returns = np.zeros(count)
        self._told = Told([], [])
        self._probes: list[npt.NDArray[Any]] = []
        self._seen: Any = None

    @classmethod
    def around(cls, venv: Any) -> ListeningVectorEnv:
        """Returns environments with exactly one ``ListeningVectorEnv`` around them."""
        return venv if isinstance(venv, cls) else cls(venv)

    @property
    def probes(self) -> npt.NDArray[Any] | None:
        """The first observations, shape ``(observations, ...)``.

        ``None`` before the first reset.
        """
        return np.concatenate(self._probes) if self._probes else None

    def take(self) -> Told:
        """Returns what infos told since the last call."""
        told, self._told = self._told, Told([], [])
        return told

    def reset(self, env_id: Any = None, **options: Any) -> Any:
        """Resets some environments."""
        observations, infos = self.venv.reset(env_id, **options)
        at = self._indices(env_id)
        if len(at) == len(self):
            self._seen = observations.copy()
        self._returns[at] = 0.0
        self._keep(at, observations, infos)
        return observations, _plain(infos)

    def step(self, action: Any, id: Any = None) -> Any:
        """Steps some environments."""
        at = self._indices(id)
        if sum(map(len, self._probes)) < _PROBES and len(at) == len(self):
            self._probes.append(self._seen.copy())
        spoken = at[self.advice[at] != 0]
        if len(spoken):
            states = spoken, self._seen[spoken], self.advice[spoken]
            self._told.advised.append(states)
        observations, paid, ended, cut, infos = self.venv.step(action, id)
        self.steps += 1
        for place, index in enumerate(at):
            base = infos[place].get("shaping", {}).get("base", paid[place])
            self._returns[index] += base
            if ended[place] or cut[place]:
                episode = int(index), float(self._returns[index])
                self._told.episodes.append(episode)
        self._keep(at, observations, infos)
        return observations, paid, ended, cut, _plain(infos)

    def _indices(self, which: Any) -> npt.NDArray[np.int64]:
        return np.arange(len(self)) if which is None else np.atleast_1d(which)

    def _keep(self, at: npt.NDArray[np.int64], observations: Any, infos: Any) -> None:
        """Keeps the states that were reached, and the advice for them."""
        self._seen[at] = observations
        shapings = [info.get("shaping", {}) for info in infos]
        self.advised = self.advised or any("advice" in shaping for shaping in shapings)
        self.advice[at] = [shaping.get("advice", 0) for shaping in shapings]


def layers(env: Any) -> list[Any]:
    """Returns a vector environment and all it wraps, from the outermost inwards."""
    stack = [env]
    while isinstance(stack[-1], VectorEnvWrapper):
        stack.append(stack[-1].venv)
    return stack


def agents_of(env: Any) -> int:
    """Returns the number of successive indices that are one environment's agents."""
    return int(getattr(layers(env)[-1], "agents_per_env", 1))


def _plain(infos: Any) -> Any:
    """Returns infos without the entry that our wrappers write."""
    plain = [{k: v for k, v in info.items() if k != "shaping"} for info in infos]
    return np.array(plain)


def _zeros(space: spaces.Space[Any]) -> Any:
    """Returns the zeros that an agent observes once it is gone."""
    if isinstance(space, spaces.Dict):
        return {key: _zeros(part) for key, part in space.spaces.items()}
    return np.zeros(space.shape or (), space.dtype)
