"""A harness that drives RLlib's PPO through the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.testing import Corridor
from also_wrappers.trainers.rllib import RLlibTrainer, shaped_config
from also_wrappers.trainers.rllib.snapshots import learner_state
from tests.support.trainers import flat


def make_corridor() -> Corridor:
    return Corridor(length=4, limit=8)


def make_cartpole() -> Any:
    return gym.make("CartPole-v1", max_episode_steps=20)


def make_config(runners: int = 0, copies: int = 1, batch: int = 64) -> PPOConfig:
    """A tiny configuration of one agent."""
    return (
        PPOConfig()
        .env_runners(
            num_env_runners=runners,
            num_envs_per_env_runner=copies,
            num_cpus_per_env_runner=0,  # or what is not stopped yet holds them all
        )
        .training(
            train_batch_size_per_learner=batch,
            minibatch_size=32,
            num_epochs=2,
            lr=3e-3,
            gamma=0.97,
        )
        .rl_module(
            model_config=DefaultModelConfig(fcnet_hiddens=[8], vf_share_layers=False)
        )
        .debugging(seed=1, log_level="ERROR")
    )


def make_shared(runners: int = 0, copies: int = 1, batch: int = 64) -> PPOConfig:
    """A tiny configuration of agents that share a policy."""
    config = make_config(runners, copies, batch)
    return config.multi_agent(
        policies={"all"}, policy_mapping_fn=lambda agent, episode, **_: "all"
    )


class RLlibHarness:
    """PPO in an environment."""

    def __init__(self, make_config: Callable[[], Any], make_env: Any) -> None:
        self.make_config = make_config
        self.make_env = make_env
        self._made: list[Any] = []

    def make(self, shape: Callable[[Any], Any]) -> RLlibTrainer:
        seed_randomness(1)
        config = shaped_config(self.make_config(), self.make_env, shape)
        trainer = RLlibTrainer(config.build_algo(), 4096)
        self._made.append(trainer.algorithm)
        return trainer

    def train(self, trainer: Any, steps: int) -> None:
        until = trainer.steps + steps
        while trainer.steps < until:
            trainer.algorithm.train()

    def state(self, trainer: Any) -> Mapping[str, Any]:
        return flat("", learner_state(trainer.algorithm))

    def close(self) -> None:
        """Stops what was made."""
        while self._made:
            self._made.pop().stop()
