"""Makes environments for RLlib's runners, with a signal inside."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
from gymnasium import spaces
from pettingzoo import ParallelEnv
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.env.env_runner_group import EnvRunnerGroup
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from also_wrappers.exceptions import ConfigurationError, brief
from also_wrappers.wrappers.shape import Shape

__all__ = [
    "GymnasiumEnv",
    "PettingZooEnv",
    "check_boards",
    "shape_of",
    "shaped_config",
]


class PettingZooEnv(MultiAgentEnv):
    """Makes a PettingZoo parallel environment fit for RLlib.

    RLlib's own ``ParallelPettingZooEnv`` never ends an episode in which some agents
    terminate and others are truncated, as it waits until all agents have ended in the
    same way. Here an episode ends when no agent is left, and counts as truncated where
    any agent was truncated.

    Args:
        config: ``make_env``, which makes one environment, and ``shape``, which goes
            around it where its board can be seen.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.par_env = _shaped(config)
        self.par_env.reset()  # lets the loop know of this copy before it trains
        self.possible_agents = list(self.par_env.possible_agents)
        self.agents = list(self.possible_agents)
        self.observation_spaces = {
            agent: self.par_env.observation_space(agent)
            for agent in self.possible_agents
        }
        self.action_spaces = {
            agent: self.par_env.action_space(agent) for agent in self.possible_agents
        }
        self.observation_space = spaces.Dict(self.observation_spaces)
        self.action_space = spaces.Dict(self.action_spaces)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Resets the environment."""
        observations, infos = self.par_env.reset(seed=seed, options=options)
        self.agents = list(self.par_env.agents)
        return observations, infos

    def step(
        self, action_dict: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, Any],
    ]:
        """Steps the environment."""
        observations, rewards, ends, cuts, infos = self.par_env.step(action_dict)
        self.agents = list(self.par_env.agents)
        over = not self.agents
        cut = over and any(cuts.values())
        return (
            observations,
            rewards,
            {**ends, "__all__": over and not cut},
            {**cuts, "__all__": cut},
            infos,
        )

    def render(self) -> Any:
        """Returns what the PettingZoo environment renders."""
        return self.par_env.render()

    def close(self) -> None:
        """Closes the environment."""
        self.par_env.close()


class GymnasiumEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Makes a Gymnasium environment fit for RLlib.

    Args:
        config: ``make_env``, which makes one environment, and ``shape``, which goes
            around it where its board can be seen.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(_shaped(config))
        self.env.reset()  # lets the loop know of this copy before it trains


def shaped_config(
    config: AlgorithmConfig, make_env: Callable[[], Any], shape: Callable[[Any], Any]
) -> AlgorithmConfig:
    """Gives an RLlib configuration environments in which a signal is paid.

    Call it in place of ``config.environment(env=...)``, after ``config.multi_agent``
    and ``config.evaluation``. Environments of RLlib's own evaluations pay the base
    reward alone.

    Args:
        config: The configuration, which is changed.
        make_env: Makes one environment of PettingZoo (parallel) or Gymnasium, without
            a wrapper of this package.
        shape: ``run.shape``.

    Returns:
        The configuration.

    Raises:
        ConfigurationError: ``make_env`` makes no such environment, or an environment of
            another kind than the configuration trains, or cannot be pickled.

    Example:
        >>> from ray.rllib.algorithms.ppo import PPOConfig
        >>> from also_wrappers.testing import Corridor
        >>> config = PPOConfig().multi_agent(
        ...     policies={"all"}, policy_mapping_fn=lambda agent, episode: "all"
        ... )
        >>> shaped_config(config, Corridor, lambda env: env).env.__name__
        'PettingZooEnv'
    """
    if not isinstance(config, AlgorithmConfig):
        raise ConfigurationError(
            f"a configuration of RLlib is wanted, such as PPOConfig(), not "
            f"{config!r:.80}"
        )
    env = make_env()
    kind: type = PettingZooEnv if isinstance(env, ParallelEnv) else GymnasiumEnv
    if not isinstance(env, ParallelEnv | gym.Env) or isinstance(env, MultiAgentEnv):
        raise ConfigurationError(
            f"make_env made a {type(env).__name__}, and must make a parallel "
            "environment of PettingZoo or an environment of Gymnasium"
        )
    env.close()
    try:
        cloudpickle.dumps(make_env)
    except Exception as error:  # parts of it may raise any error
        raise ConfigurationError(
            f"make_env cannot be sent to RLlib's runners and to branches "
            f"({brief(error)}); let it make what it needs itself, from plain values, "
            "and hold no locks, open files or connections"
        ) from error
    if kind is PettingZooEnv and not config.is_multi_agent:
        raise ConfigurationError(
            "make_env makes an environment of many agents and the configuration trains "
            "one; say before shaped_config which policy is whose, as in .multi_agent("
            'policies={"all"}, policy_mapping_fn=lambda agent, episode, **_: "all")'
        )
    if kind is GymnasiumEnv and config.is_multi_agent:
        raise ConfigurationError(
            "make_env makes an environment of one agent and the configuration trains "
            "many; leave .multi_agent(...) out of it"
        )
    config.environment(env=kind, env_config={"make_env": make_env, "shape": shape})
    if isinstance(config.evaluation_config, AlgorithmConfig):
        config.evaluation_config.env_config = {"make_env": make_env, "shape": _plain}
    else:
        evaluation = dict(config.evaluation_config or {})
        evaluation["env_config"] = {"make_env": make_env, "shape": _plain}
        config.evaluation(evaluation_config=evaluation)
    return config


def shape_of(config: AlgorithmConfig) -> Callable[[Any], Any] | None:
    """Returns the shape around the environments of a configuration.

    Returns:
        The shape; ``None`` where ``shaped_config`` did not make the environments.
    """
    if config.env not in (PettingZooEnv, GymnasiumEnv):
        return None
    shape: Callable[[Any], Any] | None = config.env_config.get("shape")
    return shape


def check_boards(runners: EnvRunnerGroup) -> None:
    """Checks that all runners of a training see the board of their environments.

    Raises:
        ConfigurationError: A runner is on a machine without the board.
    """
    blind = runners.foreach_env_runner(_unseen, local_env_runner=False)
    for board, machine in filter(None, blind):
        raise ConfigurationError(
            f"the board {board} is not on {machine}, where an environment runner of "
            "RLlib has its environments; give a run directory that all machines share, "
            "by its absolute path, or keep the runners on the machine of the training"
        )


def _plain(env: Any) -> Any:
    return env


def _shaped(config: Mapping[str, Any]) -> Any:
    """Returns an environment with the shape around it, if the board is there.

    On a machine without the board the environment stays plain, and ``check_boards``
    raises an error; RLlib would recreate a failing runner again and again.
    """
    shape, env = config["shape"], config["make_env"]()
    return shape(env) if _sees(shape) else env


def _sees(shape: Callable[[Any], Any]) -> bool:
    return not isinstance(shape, Shape) or shape.board.exists


def _unseen(runner: Any) -> tuple[Path, str] | None:
    """Returns board and machine of a runner that cannot see its board."""
    shape = runner.config.env_config["shape"]
    return None if _sees(shape) else (shape.board.path, platform.node())
