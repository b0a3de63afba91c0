"""BenchMARL's on-policy algorithms pass the trainer contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

from benchmarl.algorithms import IppoConfig, MappoConfig

from also_wrappers.testing import check_trainer
from tests.support.benchmarl import BenchMARLHarness
from tests.support.trainers import SIGNAL, TASK


@pytest.mark.parametrize("algorithm", [IppoConfig, MappoConfig])
def test_on_policy_algorithms_pass(tmp_path: Path, algorithm: Any) -> None:
    check_trainer(BenchMARLHarness(tmp_path, algorithm), TASK, SIGNAL)
