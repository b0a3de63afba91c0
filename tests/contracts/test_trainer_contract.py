"""Every trainer adapter passes the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sb3_contrib import QRDQN, TQC, RecurrentPPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import (
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)

from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import TrainerHarness, check_trainer
from also_wrappers.trainers.sb3.replay_buffer import ShapedNStepReplayBuffer
from tests.support.trainers import (
    BY_VALUES,
    PENDULUM,
    SIGNAL,
    TASK,
    UP,
    WITH_ACTIONS,
    WITH_EXPERT,
    ContinuousHarness,
    MaskableHarness,
    Normalized,
    OffPolicyHarness,
    PlainHarness,
    SB3Harness,
)

ZERO, ONE = np.zeros(1), np.ones(1)


@pytest.mark.parametrize(
    "harness",
    [
        SB3Harness(PPO),
        SB3Harness(A2C),
        SB3Harness(RecurrentPPO, "MlpLstmPolicy"),
        Normalized(),
        PlainHarness(),
    ],
    ids=["ppo", "a2c", "recurrent ppo", "normalised ppo", "plain loop"],
)
def test_every_trainer_passes(harness: TrainerHarness) -> None:
    check_trainer(harness, TASK, SIGNAL)


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_noise_that_depends_on_the_state_passes(algorithm: Any) -> None:
    check_trainer(ContinuousHarness(algorithm), PENDULUM, UP)


@pytest.mark.parametrize(
    "harness", [SB3Harness(PPO), SB3Harness(A2C), Normalized(), PlainHarness()]
)
def test_trainers_that_imitate_pass_with_an_expert(harness: TrainerHarness) -> None:
    trainer = harness.make(lambda env: env)
    assert trainer.imitates
    check_trainer(harness, WITH_ACTIONS, WITH_EXPERT)


@pytest.mark.parametrize("algorithm", BY_VALUES)
def test_learners_of_values_pass_with_an_expert(algorithm: Any, tmp_path: Path) -> None:
    harness = OffPolicyHarness(algorithm, tmp_path)
    harness.task = WITH_ACTIONS
    trainer = harness.make(lambda env: env)
    assert trainer.imitates
    check_trainer(harness, WITH_ACTIONS, WITH_EXPERT)


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (SAC, {"train_freq": 4}),
        (SAC, {"train_freq": 4, "ent_coef": 0.1, "use_sde": True}),
        (TD3, {"train_freq": 4, "action_noise": NormalActionNoise(ZERO, ONE)}),
        (
            DDPG,
            {
                "train_freq": 8,
                "gradient_steps": 2,
                "action_noise": OrnsteinUhlenbeckActionNoise(ZERO, ONE),
            },
        ),
        (DQN, {"target_update_interval": 96, "exploration_fraction": 0.5}),
        (
            DQN,
            {
                "replay_buffer_class": ShapedNStepReplayBuffer,
                "replay_buffer_kwargs": {"n_steps": 3, "gamma": 0.99},
            },
        ),
        (TQC, {"train_freq": 4}),
        (QRDQN, {}),
    ],
    ids=["sac", "sac, sde", "td3", "ddpg", "dqn", "dqn, n-step", "tqc", "qrdqn"],
)
def test_off_policy_trainers_pass(
    algorithm: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    harness = OffPolicyHarness(algorithm, tmp_path, **settings)
    signal = SIGNAL if algorithm in BY_VALUES else UP
    check_trainer(harness, harness.task, signal)


def test_masks_come_through() -> None:
    features = FeatureMap(Feature("angle", "obs[2]"))
    upright = Term(name="up", kind="bonus", expression="1 - abs(angle)", weight=0.1)
    check_trainer(
        MaskableHarness(), Task("Stay up.", features), Signal(terms=(upright,))
    )
