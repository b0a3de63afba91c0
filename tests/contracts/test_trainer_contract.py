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
    SIGNAL,
    TASK,
    UP,
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
<<<<<<< HEAD
=======


class Wrong(PlainHarness):
    """An adapter with a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def state(self, trainer: Any) -> Mapping[str, Any]:
        return flat("optimizer", trainer.optimizer.state_dict())

    def make(self, shape: Callable[[Any], Any]) -> Training:
        training = super().make(shape)
        fault = self.fault
        if fault == "optimizer":
            parts = {"policy": training.policy, "value": training.value}
            training._parts = lambda: parts  # type: ignore[method-assign]
        if fault in ("shape", "seed", "count", "parent", "evaluated"):
            inner = training.fork()
            training.fork = lambda: WrongFork(  # type: ignore[method-assign]
                inner.make_env, inner.total, inner.settings, fault, training
            )
        return training


class WrongFork(Fork):
    """A fork with a fault."""

    def __init__(self, *arguments: Any) -> None:
        *own, fault, training = arguments
        super().__init__(*own)
        object.__setattr__(self, "fault", fault)
        object.__setattr__(self, "training", training)

    def __call__(
        self,
        snapshot: bytes,
        shape: Any,
        seed: int,
        steps: int,
        new_signal: bool = False,
    ) -> ForkOutcome:
        fault: str = vars(self)["fault"]
        if fault == "shape":
            shape = _no_shape
        if fault == "seed":
            seed = 5
        outcome = super().__call__(snapshot, shape, seed, steps)
        if fault == "count":
            return ForkOutcome(outcome.snapshot, steps - 1, outcome.copy_steps)
        if fault == "evaluated":
            rows: Any = np.zeros((4, 2))
            return replace(outcome, evaluated=rows)
        if fault == "parent":
            with torch.no_grad():
                next(vars(self)["training"].policy.parameters()).add_(1.0)
        return outcome


def _no_shape(env: Any) -> Any:
    return env


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("optimizer", "a fresh training that adopted the snapshot differs in"),
        ("shape", "the signal did not reach the environments"),
        ("seed", "branches with other seeds are the same"),
        ("count", "512 steps were wanted|256 steps were wanted"),
        ("evaluated", "evaluated is an array of float64; make it one of"),
        ("parent", "the parent of a fork differs in|a training that was forked"),
        ("none", ""),
    ],
)
def test_the_contract_notices(fault: str, message: str) -> None:
    expected: Any = contextlib.nullcontext()
    if message:
        expected = pytest.raises(AssertionError, match=message)
    with expected:
        check_trainer(Wrong(fault), TASK, SIGNAL)
    if fault == "seed":  # what is left out at the lower level is no more than it says
        with pytest.raises(AssertionError, match="other seeds are the same"):
            check_trainer(Wrong(fault), TASK, SIGNAL, "approximate")
>>>>>>> h-evidence
