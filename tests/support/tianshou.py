"""Harnesses that drive Tianshou's algorithms through the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from tianshou.algorithm import NPG, PPO, TRPO
from tianshou.algorithm.modelfree.reinforce import (
    DiscreteActorPolicy,
    ProbabilisticActorPolicy,
)
from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactoryLinear
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import BaseVectorEnv, DummyVectorEnv, VectorEnvNormObs
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch.distributions import Independent, Normal

from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.testing import Corridor
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from also_wrappers.trainers.tianshou.trainer import TianshouTrainer
from also_wrappers.trainers.tianshou.vector_env import ParallelVectorEnv
from tests.support.trainers import flat


def make_corridors(shape: Callable[[Any], Any]) -> BaseVectorEnv:
    """Two copies of the corridor: four indices."""
    return ParallelVectorEnv([lambda: shape(Corridor(length=4, limit=8))] * 2)


def make_pendulums(shape: Callable[[Any], Any]) -> BaseVectorEnv:
    """Four pendulums, whose observations are normalised."""
    return VectorEnvNormObs(
        DummyVectorEnv(
            [lambda: shape(gym.make("Pendulum-v1", max_episode_steps=9))] * 4
        )
    )


def make_discrete(
    algorithm: Any, venv: BaseVectorEnv, lr: float = 3e-3, **settings: Any
) -> Any:
    """A tiny algorithm that chooses one of some actions."""
    size, action_space = venv.observation_space[0].shape, venv.action_space[0]
    actor, critic = (Net(state_shape=size, hidden_sizes=[8]) for _ in range(2))
    policy = DiscreteActorPolicy(
        actor=DiscreteActor(
            preprocess_net=actor, action_shape=action_space.n, softmax_output=False
        ),
        action_space=action_space,
    )
    optim = AdamOptimizerFactory(lr=lr)
    optim.with_lr_scheduler_factory(LRSchedulerFactoryLinear(8, 512, 64))
    options = {"gamma": 0.97, "return_scaling": True, **settings}
    return algorithm(
        policy=policy,
        critic=DiscreteCritic(preprocess_net=critic),
        optim=optim,
        **options,
    )


def normal(parts: Any) -> Any:
    return Independent(Normal(*parts), 1)


def make_continuous(algorithm: Any, venv: BaseVectorEnv) -> Any:
    """A tiny algorithm with continuous actions."""
    size, action_space = venv.observation_space[0].shape, venv.action_space[0]
    actor, critic = (Net(state_shape=size, hidden_sizes=[8]) for _ in range(2))
    policy = ProbabilisticActorPolicy(
        actor=ContinuousActorProbabilistic(
            preprocess_net=actor, action_shape=action_space.shape, unbounded=True
        ),
        dist_fn=normal,
        action_space=action_space,
    )
    return algorithm(
        policy=policy,
        critic=ContinuousCritic(preprocess_net=critic),
        optim=AdamOptimizerFactory(lr=3e-3),
        gamma=0.97,
    )


def make_params(algorithm: Any, venv: Any, **changes: Any) -> OnPolicyTrainerParams:
    """Sixteen steps of four indices in a rollout, nothing but training."""
    buffer = VectorReplayBuffer(256, len(venv))
    settings: dict[str, Any] = {
        "training_collector": Collector(algorithm, venv, buffer),
        "max_epochs": 8,
        "epoch_num_steps": 512,
        "collection_step_num_env_steps": 64,
        "update_step_num_repetitions": 2,
        "batch_size": 32,
        "show_progress": False,
        "verbose": False,
    }
    return OnPolicyTrainerParams(**(settings | changes))


class TianshouHarness:
    """An algorithm of Tianshou in the corridor."""

    make_venv = staticmethod(make_corridors)

    def __init__(self, algorithm: Any = PPO, lr: float = 3e-3) -> None:
        self.algorithm = algorithm
        self.lr = lr

    def make(self, shape: Callable[[Any], Any]) -> TianshouTrainer:
        seed_randomness(1)
        venv = self.make_venv(shape)
        venv.seed(1)
        algorithm = self.make_algorithm(venv)
        loop = PausedTrainer(algorithm, make_params(algorithm, venv), shape)
        loop.reset()
        return TianshouTrainer(loop, self.make_venv)

    def make_algorithm(self, venv: BaseVectorEnv) -> Any:
        settings = {} if self.algorithm in (NPG, TRPO) else {"max_grad_norm": 0.5}
        return make_discrete(self.algorithm, venv, self.lr, **settings)

    def train(self, trainer: Any, steps: int) -> None:
        trainer.loop.train(trainer.steps + steps)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        algorithm = trainer.loop.algorithm
        rates = [part.get_last_lr() for part in algorithm.lr_schedulers]
        returns = vars(algorithm.ret_rms)
        assert not algorithm.return_scaling or returns["count"] or not trainer.steps
        return {
            **flat("algorithm", algorithm.state_dict()),
            **flat("rates", rates),
            **flat("returns", returns),
        }


class NormalizedHarness(TianshouHarness):
    """An algorithm with continuous actions, and observations that are normalised."""

    make_venv = staticmethod(make_pendulums)

    def make_algorithm(self, venv: BaseVectorEnv) -> Any:
        return make_continuous(self.algorithm, venv)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        statistics = trainer.loop.env.venv.get_obs_rms()
        parts = {"mean": np.array(statistics.mean), "count": statistics.count}
        return {**super().state(trainer), **flat("observations", parts)}
