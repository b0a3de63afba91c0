"""BenchMARL's algorithms pass the trainer contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

from benchmarl.algorithms import (
    IppoConfig,
    IqlConfig,
    MappoConfig,
    QmixConfig,
    VdnConfig,
)
from benchmarl.models import GruConfig

from also_wrappers.testing import check_trainer
from tests.support.benchmarl import BenchMARLHarness, make_model
from tests.support.trainers import SIGNAL, TASK, WITH_ACTIONS, WITH_EXPERT


def recurrent() -> GruConfig:
    model = GruConfig.get_from_yaml()
    model.hidden_size, model.mlp_num_cells = 8, [8]
    return model


@pytest.mark.parametrize(
    ("algorithm", "model"),
    [(IppoConfig, make_model), (MappoConfig, make_model), (MappoConfig, recurrent)],
    ids=["ippo", "mappo", "recurrent mappo"],
)
def test_on_policy_algorithms_pass(tmp_path: Path, algorithm: Any, model: Any) -> None:
    harness = BenchMARLHarness(tmp_path, algorithm, make_model=model)
    check_trainer(harness, WITH_ACTIONS, WITH_EXPERT)


@pytest.mark.parametrize(
    ("algorithm", "model"),
    [
        (IqlConfig, make_model),
        (VdnConfig, make_model),
        (QmixConfig, make_model),
        (IqlConfig, recurrent),
    ],
    ids=["iql", "vdn", "qmix", "recurrent iql"],
)
def test_algorithms_with_a_replay_buffer_pass(
    tmp_path: Path, algorithm: Any, model: Any
) -> None:
    harness = BenchMARLHarness(tmp_path, algorithm, make_model=model)
    check_trainer(harness, TASK, SIGNAL)
