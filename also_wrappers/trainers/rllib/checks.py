"""Refuses RLlib algorithms that cannot be forked, before training."""

from __future__ import annotations

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.impala import IMPALA
from ray.rllib.algorithms.ppo import PPO

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.rllib.environments import check_boards, shape_of
from also_wrappers.wrappers.shape import Shape

__all__ = ["check_algorithm"]


def check_algorithm(algorithm: Any) -> None:
    """Refuses an algorithm that cannot be forked.

    Raises:
        ConfigurationError: The algorithm cannot be forked; the sentence says why, and
            what to do instead.
    """
    if not isinstance(algorithm, Algorithm):
        raise ConfigurationError(
            f"an algorithm of RLlib is wanted, such as PPOConfig().build_algo(), not "
            f"{algorithm!r:.80}"
        )
    name, config = type(algorithm).__name__, algorithm.config
    if isinstance(algorithm, IMPALA):  # APPO is a subclass
        raise ConfigurationError(
            f"{name} samples while it learns, and is nowhere at rest; use PPO "
            "(PPOConfig)"
        )
    if not isinstance(algorithm, PPO):
        raise ConfigurationError(
            f"{name} learns from what it has stored, whose rewards would stay those of "
            "earlier signals; use PPO (PPOConfig)"
        )
    if not (
        config.enable_rl_module_and_learner
        and config.enable_env_runner_and_connector_v2
    ):
        raise ConfigurationError(
            f"{name} is on RLlib's old API stack, whose algorithms are not forked; "
            "leave api_stack(...) out of the configuration"
        )
    if config.count_steps_by != "env_steps":
        raise ConfigurationError(
            "the configuration counts the steps of agents; a trainer step is one of "
            'the environment: set count_steps_by="env_steps" in multi_agent(...)'
        )
    if shape_of(config) is None:
        raise ConfigurationError(
            f"the environments of {name} cannot be made with another signal; make the "
            "configuration with shaped_config(config, make_env, run.shape) in place of "
            "config.environment(...)"
        )
    evaluations = algorithm.eval_env_runner_group
    if evaluations is not None and isinstance(
        shape_of(algorithm.evaluation_config), Shape
    ):
        raise ConfigurationError(
            "RLlib's evaluations would be recorded as training; call shaped_config "
            "after config.evaluation(...)"
        )
    check_boards(algorithm.env_runner_group)
