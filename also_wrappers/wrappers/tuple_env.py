"""``TupleParallelEnv``: tuple spaces and reward lists -> a PettingZoo environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from pettingzoo import ParallelEnv

from also_wrappers.exceptions import ConfigurationError

__all__ = ["TupleParallelEnv"]


class TupleParallelEnv(ParallelEnv[str, Any, Any]):
    """A multi-agent environment in Gymnasium's clothes as a PettingZoo ParallelEnv.

    Level-based foraging, the robotic warehouse and others follow the Gymnasium API
    with a tuple of spaces, a tuple of observations and a list of rewards, and report
    a time-out as a termination. This adapter tells the two apart.

    Args:
        env: The environment.
        time_limit: Steps after which an episode is cut.
        finished: Whether the task itself is over, asked when an episode ends at the
            time limit; without it, an end at the limit counts as a truncation.
        shared_reward: Whether every agent is paid the sum of the team's rewards.

    Raises:
        ConfigurationError: The spaces are not tuples of the same length.

    Example:
        >>> from also_wrappers.catalog import lbforaging
        >>> env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
        >>> isinstance(env, TupleParallelEnv), env.possible_agents
        (True, ['agent_0', 'agent_1'])
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        time_limit: int,
        finished: Callable[[gym.Env[Any, Any]], bool] | None = None,
        shared_reward: bool = False,
    ) -> None:
        self.env = env
        space, actions = env.observation_space, env.action_space
        if (
            not isinstance(space, spaces.Tuple)
            or not isinstance(actions, spaces.Tuple)
            or len(space.spaces) != len(actions.spaces)
        ):
            raise ConfigurationError(
                f"TupleParallelEnv needs tuple observation and action spaces of one "
                f"length, not {space} and {actions}"
            )
        self.possible_agents = [f"agent_{i}" for i in range(len(space.spaces))]
        self.agents: list[str] = []
        self.observation_spaces = dict(
            zip(self.possible_agents, space.spaces, strict=True)
        )
        self.action_spaces = dict(
            zip(self.possible_agents, actions.spaces, strict=True)
        )
        self.render_mode = getattr(env, "render_mode", None)
        spec = getattr(env, "spec", None)
        name = spec.id if spec else type(env.unwrapped).__name__
        self.metadata = {**env.metadata, "name": name, "is_parallelizable": True}
        self._time_limit = time_limit
        self._finished = finished
        self._shared_reward = shared_reward
        self._steps = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The agent's observation space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The agent's action space."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Resets the environment."""
        observations, _ = self.env.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        self._steps = 0
        return (
            dict(zip(self.agents, observations, strict=True)),
            {agent: {} for agent in self.agents},
        )

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Steps all agents at once."""
        agents = self.agents
        chosen = tuple(int(actions[agent]) for agent in self.possible_agents)
        observations, rewards, done, truncated, _ = self.env.step(chosen)
        self._steps += 1
        done = bool(done)
        if done and self._steps >= self._time_limit:
            done = self._finished is not None and self._finished(self.env)
            truncated = not done
        truncated = bool(truncated) or (not done and self._steps >= self._time_limit)
        payments: Any = rewards
        paid = [float(reward) for reward in payments]
        if self._shared_reward:
            paid = [sum(paid)] * len(paid)
        if done or truncated:
            self.agents = []
        return (
            dict(zip(agents, observations, strict=True)),
            dict(zip(agents, paid, strict=True)),
            dict.fromkeys(agents, done),
            dict.fromkeys(agents, truncated),
            {agent: {} for agent in agents},
        )

    def render(self) -> Any:
        """Renders the inner environment."""
        return self.env.render()

    def close(self) -> None:
        """Closes the inner environment."""
        self.env.close()
