"""Tianshou's on-policy algorithms pass the trainer contract."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("tianshou")

from tianshou.algorithm import A2C, NPG, PPO, TRPO

from also_wrappers.testing import check_trainer
from tests.support.tianshou import NormalizedHarness, TianshouHarness
from tests.support.trainers import PENDULUM, UP, WITH_ACTIONS, WITH_EXPERT


@pytest.mark.parametrize("algorithm", [PPO, A2C, NPG, TRPO])
def test_on_policy_algorithms_pass(algorithm: Any) -> None:
    """PPO and A2C imitate experts, NPG and TRPO say why they do not."""
    trainer = TianshouHarness(algorithm).make(lambda env: env)
    assert trainer.imitates is (algorithm in (PPO, A2C))
    check_trainer(TianshouHarness(algorithm), WITH_ACTIONS, WITH_EXPERT)


def test_normalised_observations_and_continuous_actions_pass() -> None:
    check_trainer(NormalizedHarness(PPO), PENDULUM, UP)
