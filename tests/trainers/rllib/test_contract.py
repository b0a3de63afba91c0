"""RLlib's PPO passes the trainer contract."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)

from ray.rllib.connectors.env_to_module import MeanStdFilter

from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import check_trainer
from tests.support.rllib import (
    RLlibHarness,
    make_cartpole,
    make_config,
    make_corridor,
    make_shared,
)
from tests.support.trainers import SIGNAL, TASK

BALANCE = Task("Balance.", FeatureMap(Feature("angle", "obs[2]")))
UPRIGHT = Signal(
    terms=(Term(name="up", kind="potential", expression="-abs(angle)", weight=1.0),)
)


@pytest.fixture
def make_harness() -> Iterator[Callable[..., RLlibHarness]]:
    made: list[RLlibHarness] = []

    def make(*parts: Any) -> RLlibHarness:
        made.append(RLlibHarness(*parts))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


def normalized() -> Any:
    """A connector that keeps statistics of observations."""
    return make_config(copies=2).env_runners(
        env_to_module_connector=lambda env, spaces, device: MeanStdFilter()
    )


@pytest.mark.parametrize("copies", [1, 4])
def test_agents_that_share_a_policy_pass(make_harness: Any, copies: int) -> None:
    make = functools.partial(make_shared, copies=copies)
    check_trainer(make_harness(make, make_corridor), TASK, SIGNAL)


def test_one_agent_with_normalized_observations_passes(make_harness: Any) -> None:
    check_trainer(make_harness(normalized, make_cartpole), BALANCE, UPRIGHT)


@pytest.mark.slow
def test_remote_runners_pass(make_harness: Any) -> None:
    """Exactly, as sets of agents have the same order in all of their processes."""
    make = functools.partial(make_shared, runners=2, copies=2)
    check_trainer(make_harness(make, make_corridor), TASK, SIGNAL)
