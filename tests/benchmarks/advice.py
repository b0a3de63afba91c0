"""What experts cost: advice at every step, and imitation after every rollout."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from also_wrappers.catalog import lbforaging
from also_wrappers.signal.advice import Advice
from also_wrappers.trainers.sb3.imitation import ImitationCallback
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import wrap
from tests.benchmarks.measure import Action, Row, row
from tests.support.experts import recorded

_ENV = "Foraging-8x8-2p-2f-coop-v3"


def advising(scale: int) -> list[Row]:
    """The recorded foraging expert: advice for two agents in one state, against a step
    of the bare environment; and a rollout of PPO with imitation, against one without
    in the same environments."""
    env = lbforaging.parallel_env(_ENV)
    features = lbforaging.features(env, experts=True)
    actions, signal = lbforaging.actions(env), recorded("foraging_8x8")
    advice = Advice(signal, features, actions, env.possible_agents)
    # Offsets and flags of the size that they have; what matters is which rules hold.
    chance = np.random.default_rng(0)
    shape = 256, len(env.possible_agents), len(features.names)
    states = itertools.cycle(chance.integers(-1, 2, shape).astype(float).tolist())
    script = [
        {agent: int(chance.integers(6)) for agent in env.possible_agents}
        for _ in range(256)
    ]
    turns = itertools.cycle(script)
    env.reset(seed=0)

    def step() -> None:
        env.step(next(turns))
        if not env.agents:
            env.reset()

    def make_env() -> Any:
        bare = lbforaging.parallel_env(_ENV)
        return wrap(bare, features, signal=signal, actions=actions)

    return [
        row(
            "g: experts",
            "advice for 2 agents, a bare step",
            lambda: advice(next(states), (0, 1)),
            step,
            20 * scale,
            100,
        ),
        row(
            "g: experts",
            "a rollout with imitation, without",
            trainer(make_env, Lasting()),
            trainer(make_env, None),
            2 * scale,
            1,
        ),
    ]


class Lasting(ImitationCallback):
    """Imitates over several calls of ``learn``."""

    def _on_training_start(self) -> None:
        if self._imitation is None:
            super()._on_training_start()


def trainer(make_env: Callable[[], Any], callback: BaseCallback | None) -> Action:
    """Returns what trains a PPO model for one more rollout."""
    torch.set_num_threads(1)
    model = PPO(
        "MlpPolicy",
        PettingZooVecEnv(make_env, 16),
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        policy_kwargs={"net_arch": [128, 128]},
        seed=0,
        device="cpu",
    )
    steps = model.n_steps * model.n_envs
    return lambda: model.learn(steps, callback, reset_num_timesteps=False)
