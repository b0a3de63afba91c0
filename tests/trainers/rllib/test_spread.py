"""A particle environment of PettingZoo, adapted to the end with a swap.

The gate lets nearly everything pass: this shows that all parts work together, and no
gain.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)
pytest.importorskip("mpe2")

from mpe2 import simple_spread_v3

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.catalog import mpe2
from also_wrappers.gate.gate import Gate
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from also_wrappers.task import Task
from also_wrappers.trainers.rllib import AdaptationCallback, shaped_config
from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.rllib import make_shared

NEAR = tuple(
    Term(
        name=f"near{k}",
        kind="progress",
        expression=f"-landmark{k}_distance",
        weight=2.0,
        agents=(f"agent_{k}",),
    )
    for k in range(2)
)


def make_env() -> Any:
    return simple_spread_v3.parallel_env(N=2, max_cycles=16)


def test_a_swap_and_the_end(tmp_path: Path) -> None:
    task = Task("Each agent covers a landmark.", mpe2.spread_features(make_env()))
    run = Run(task, tmp_path / "run")
    callback = AdaptationCallback(
        run,
        1536,
        RecordedAdvisor([[Proposal(signal=Signal(terms=NEAR))]]),
        first=512,
        every=1024,
        horizon=512,
        budget=8.0,
        pause_on="interval",
        gate=Gate(critical=-3.0, max_pairs=2, min_gain=-1.0),
        executor=SerialExecutor(),
        verbose=0,
    )
    config = make_shared(copies=8, batch=256).training(num_epochs=4, lr=1e-2)
    shaped_config(config, make_env, run.shape)
    algorithm = config.callbacks(callback).build_algo()
    while not callback.done:
        algorithm.train()
    algorithm.stop()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]).terms == NEAR
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    trained = events(run.dir, "run_finished")[0]["trainer_steps"]["mainline"]
    assert 1536 <= trained < 1536 + 256
    check_every_step_is_counted_once(run.dir, trained)
