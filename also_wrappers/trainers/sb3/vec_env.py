"""Steps parallel environments as one SB3 VecEnv in this process.

Every agent of every copy is one index of the VecEnv, so that one policy learns from
all of them (parameter sharing).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from also_wrappers.exceptions import ConfigurationError

__all__ = ["PettingZooVecEnv"]


class PettingZooVecEnv(VecEnv):
    """Steps copies of a PettingZoo ParallelEnv, with parameter sharing.

    Index ``k * agents + i`` is agent ``i`` of copy ``k``. A copy's episode ends for
    all its agents together: an agent that ended before the others observes zeros and
    is paid nothing until then, as with SuperSuit's ``black_death``. Time-outs are
    reported (``TimeLimit.truncated``, ``terminal_observation``), so SB3 bootstraps.
    Episodes are reported as SB3's ``Monitor`` does: ``info["episode"]`` holds what the
    index was paid (``r``), the steps of the episode (``l``) and the seconds since the
    environments were made (``t``), so that SB3 logs ``rollout/ep_rew_mean``.

    Args:
        make_env: Makes one copy; called ``num_envs`` times.
        num_envs: Number of copies.

    Attributes:
        agents_per_env: Agents of one copy.

    Raises:
        ConfigurationError: The agents' spaces differ; ``make_env`` is no function,
            makes another kind of environment, or returns the same environment twice; or
            ``num_envs`` is less than 1.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> venv = PettingZooVecEnv(lambda: Corridor(agents=2), num_envs=4)
        >>> venv.num_envs, venv.reset().shape
        (8, (8, 2))
    """

    def __init__(
        self, make_env: Callable[[], ParallelEnv[str, Any, Any]], num_envs: int
    ) -> None:
        if isinstance(make_env, ParallelEnv) or not callable(make_env):
            raise ConfigurationError(
                f"make_env is of type {type(make_env).__name__}; give a function that "
                "makes one environment, such as lambda: parallel_env()"
            )
        if not isinstance(num_envs, int | np.integer) or num_envs < 1:
            raise ConfigurationError(
                f"num_envs is a whole number of copies from 1 up, not {num_envs!r:.80}"
            )
        self.envs = [make_env() for _ in range(num_envs)]
        first = self.envs[0]
        if not isinstance(first, ParallelEnv):
            what = "nothing" if first is None else f"a {type(first).__name__}"
            raise ConfigurationError(
                f"PettingZooVecEnv needs a PettingZoo ParallelEnv, and make_env "
                f"returned {what}; for Gymnasium environments use SB3's make_vec_env"
            )
        # A factory may put new wrappers around one and the same environment.
        innermost = {id(getattr(env, "unwrapped", env)) for env in self.envs}
        if len(innermost) != num_envs:
            raise ConfigurationError(
                "make_env must make a new environment at every call; it returned the "
                "same one again"
            )
        self.possible_agents = list(first.possible_agents)
        self.agents_per_env = len(self.possible_agents)
        space, action = (
            self._common([first.observation_space(a) for a in self.possible_agents]),
            self._common([first.action_space(a) for a in self.possible_agents]),
        )
        super().__init__(num_envs * self.agents_per_env, space, action)
        self.metadata = dict(first.metadata)
        self._keys: list[str | None] = (
            list(space.spaces) if isinstance(space, spaces.Dict) else [None]
        )
        self._buffers: dict[str | None, npt.NDArray[Any]] = {
            key: np.zeros(
                (self.num_envs, *(self._inner(key).shape or ())), self._inner(key).dtype
            )
            for key in self._keys
        }
        self._discrete = isinstance(action, spaces.Discrete)
        self._actions: npt.NDArray[Any] = np.zeros(0)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._made = time.time()

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keeps the actions of the next ``step_wait``, one per index."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps every copy, and resets copies whose episode has ended."""
        rewards = np.zeros(self.num_envs, dtype=np.float32)
        dones = np.zeros(self.num_envs, dtype=np.bool_)
        infos: list[dict[str, Any]] = []
        actions = self._actions.tolist() if self._discrete else self._actions
        agents = self.possible_agents
        self._lengths += 1
        for k, env in enumerate(self.envs):
            first = k * self.agents_per_env
            live = set(env.agents)
            observations, paid, ended, cut, all_infos = env.step(
                {a: actions[first + i] for i, a in enumerate(agents) if a in live}
            )
            over = not env.agents
            for i, agent in enumerate(agents):
                info = dict(all_infos.get(agent, {}))
                self._write(first + i, observations.get(agent))
                rewards[first + i] = reward = paid.get(agent, 0.0)
                self._returns[first + i] += reward
                if over:
                    dones[first + i] = True
                    info["terminal_observation"] = self._read(first + i)
                    info["TimeLimit.truncated"] = bool(
                        cut.get(agent, False) and not ended.get(agent, False)
                    )
                    info["episode"] = self._episode(k, first + i)
                infos.append(info)
            if over:
                self._reset_copy(k, None, {})
        return self._all(), rewards, dones, infos

    def reset(self) -> VecEnvObs:
        """Resets every copy, with the seeds and options that were set."""
        for k in range(len(self.envs)):
            first = k * self.agents_per_env
            self._reset_copy(k, self._seeds[first], self._options[first])
        self._reset_seeds()
        self._reset_options()
        return self._all()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Sets the seeds of the next reset: ``seed + k`` for copy ``k``."""
        if seed is None:
            seed = int(np.random.randint(0, np.iinfo(np.uint32).max, dtype=np.uint32))
        self._seeds = [
            seed + index // self.agents_per_env for index in range(self.num_envs)
        ]
        return self._seeds

    def close(self) -> None:
        """Closes every copy."""
        for env in self.envs:
            env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns an attribute of the environments behind the indices."""
        return [getattr(env, attr_name) for env in self._behind(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: VecEnvIndices = None
    ) -> None:
        """Sets an attribute on the innermost wrapper that has the attribute."""
        for env in self._distinct(indices):
            target = env
            inner = env
            while inner is not None:
                if attr_name in vars(inner):
                    target = inner
                    break
                inner = vars(inner).get("env")
            setattr(target, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Calls a method once per copy; every index of the copy gets the result."""
        results = {
            id(env): getattr(env, method_name)(*method_args, **method_kwargs)
            for env in self._distinct(indices)
        }
        return [results[id(env)] for env in self._behind(indices)]

    def env_is_wrapped(
        self,
        wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Returns, per index, whether its environment has a wrapper of a class."""

        def wrapped(env: Any) -> bool:
            while env is not None:
                if isinstance(env, wrapper_class):
                    return True
                env = getattr(env, "__dict__", {}).get("env")
            return False

        return [wrapped(env) for env in self._behind(indices)]

    def get_images(self) -> Sequence[npt.NDArray[Any] | None]:
        """Returns one picture per copy."""
        return [env.render() for env in self.envs]

    def _behind(self, indices: VecEnvIndices) -> list[Any]:
        return [
            self.envs[index // self.agents_per_env]
            for index in self._get_indices(indices)
        ]

    def _distinct(self, indices: VecEnvIndices) -> list[Any]:
        return list({id(env): env for env in self._behind(indices)}.values())

    def _reset_copy(self, k: int, seed: int | None, options: dict[str, Any]) -> None:
        observations, infos = self.envs[k].reset(seed=seed, options=options or None)
        first = k * self.agents_per_env
        self._returns[first : first + self.agents_per_env] = 0.0
        self._lengths[k] = 0
        for i, agent in enumerate(self.possible_agents):
            self._write(first + i, observations.get(agent))
            self.reset_infos[first + i] = dict(infos.get(agent, {}))

    def _episode(self, k: int, index: int) -> dict[str, float]:
        """Returns the numbers that ``Monitor`` reports of an ended episode."""
        return {
            "r": round(float(self._returns[index]), 6),
            "l": int(self._lengths[k]),
            "t": round(time.time() - self._made, 6),
        }

    def _write(self, index: int, observation: Any) -> None:
        for key, buffer in self._buffers.items():
            if observation is None:
                buffer[index] = 0
            else:
                buffer[index] = observation if key is None else observation[key]

    def _read(self, index: int) -> Any:
        if self._keys == [None]:
            return self._buffers[None][index].copy()
        return {key: buffer[index].copy() for key, buffer in self._buffers.items()}

    def _all(self) -> VecEnvObs:
        if self._keys == [None]:
            return self._buffers[None].copy()
        return {str(key): buffer.copy() for key, buffer in self._buffers.items()}

    def _inner(self, key: str | None) -> spaces.Space[Any]:
        space = self.observation_space
        if key is None:
            return space
        assert isinstance(space, spaces.Dict)
        return space.spaces[key]

    @staticmethod
    def _common(per_agent: list[spaces.Space[Any]]) -> spaces.Space[Any]:
        """Returns a copy of the space that all agents share."""
        if any(space != per_agent[0] for space in per_agent[1:]):
            raise ConfigurationError(
                "one policy for all agents needs the same spaces for all of them; "
                "put supersuit.pad_observations_v0 and pad_action_space_v0 around the "
                f"environment (found {per_agent})"
            )
        # SB3 samples from the space, so every VecEnv has a copy of its own.
        return deepcopy(per_agent[0])
