"""The callback: ``algorithm.train`` stays the way to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)

import ray
from ray.rllib.callbacks.callbacks import RLlibCallback

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.branches.ray import RayExecutor
from also_wrappers.gate import Provisional
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from also_wrappers.testing import Corridor
from also_wrappers.testing.states import check_same
from also_wrappers.trainers.rllib import AdaptationCallback, shaped_config
from also_wrappers.trainers.rllib.snapshots import learner_state
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    LENIENT,
    check_every_step_is_counted_once,
    events,
    make_task,
)
from tests.support.rllib import make_shared
from tests.support.trainers import flat

COUNT = "num_env_steps_sampled_lifetime"


def make_env() -> Corridor:
    return Corridor(length=5, limit=12)


def make_long(run: Run | None = None, **settings: Any) -> Any:
    """A configuration whose batches have 128 steps."""
    config = make_shared(batch=128, **settings)
    return shaped_config(config, make_env, run.shape if run else lambda env: env)


def make_callback(
    run: Run, total: int, advisor: Any = None, **options: Any
) -> AdaptationCallback:
    settings: dict[str, Any] = {
        "first": 512,
        "every": 1024,
        "horizon": 512,
        "budget": 8.0,
        "pause_on": "interval",
        "gate": LENIENT,
        "executor": SerialExecutor(),
        "verbose": 0,
    }
    return AdaptationCallback(run, total, advisor, **(settings | options))


def train(config: Any, callback: AdaptationCallback) -> list[dict[str, Any]]:
    """Trains to the end; returns RLlib's results."""
    algorithm = config.callbacks([RLlibCallback, callback]).build_algo()
    results = []
    try:
        while not callback.done:
            results.append(algorithm.train())
    finally:
        algorithm.stop()
    return results


def test_a_signal_is_swapped_in_and_steps_are_counted(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    callback = make_callback(run, 2048, RecordedAdvisor([[HARMFUL, HELPFUL]]))
    results = train(make_long(run, copies=4), callback)
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    trained = events(run.dir, "run_finished")[0]["trainer_steps"]["mainline"]
    assert 2048 <= trained < 2048 + 128
    check_every_step_is_counted_once(run.dir, trained)
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    assert results[-1]["env_runners"][COUNT] == trained, "RLlib counts the lineage"


def test_branches_run_on_the_ray_that_rllib_has_started(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    default = make_callback(run, 1280, executor=None).adaptation
    assert isinstance(default._executor, RayExecutor)
    options: dict[str, Any] = {
        "executor": RayExecutor(in_flight=2),
        "gate": Provisional(),
        "horizon": 256,
        "budget": 0.5,
        "candidates": 1,
        "refinements": 0,
    }
    callback = make_callback(run, 1280, RecordedAdvisor([[HELPFUL]]), **options)
    train(make_long(run, runners=1, copies=2), callback)
    run.close()
    branches = events(run.dir, "branch")
    assert branches
    assert all(event["error"] == "" for event in branches)
    assert ray.is_initialized(), "Ray is the training's"


def test_a_run_without_rounds_is_the_training_bit_for_bit(tmp_path: Path) -> None:
    """The rehearsal is a branch in the same process, which nothing must notice."""
    plain = make_long(copies=2).build_algo()
    for _ in range(3):
        plain.train()
    run = Run(make_task(), tmp_path / "run")
    callback = make_callback(run, 384, budget=0.0)
    adapted = make_long(run, copies=2).callbacks(callback).build_algo()
    while not callback.done:
        adapted.train()
    run.close()
    state, expected = (flat("", learner_state(each)) for each in (adapted, plain))
    check_same(state, expected, "a run without rounds")
    assert events(run.dir, "record")[-1]["window"]["episodes"] > 0
    adapted.stop()
    plain.stop()


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    first = Run(make_task(), tmp_path / "run")
    callback = make_callback(first, 1024, budget=0.0, checkpoint_every=128)
    algorithm = make_long(first).callbacks(callback).build_algo()
    for _ in range(5):
        algorithm.train()
    algorithm.stop()
    first.close()
    second = Run(make_task(), tmp_path / "run", resume="auto")
    results = train(make_long(second), make_callback(second, 1024, budget=0.0))
    second.close()
    assert events(second.dir, "run_resumed")
    assert 512 < results[0]["env_runners"][COUNT] < 1024, "it begins anew"
    trained = results[-1]["env_runners"][COUNT]
    check_every_step_is_counted_once(second.dir, trained)


def test_evaluations_of_rllib_are_not_recorded(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    config = make_shared(batch=128).evaluation(
        evaluation_interval=1, evaluation_duration=4, evaluation_num_env_runners=0
    )
    shaped_config(config, make_env, run.shape)
    (*_, result) = train(config, make_callback(run, 256, budget=0.0))
    assert result["evaluation"]["env_runners"]["num_episodes"] == 4
    assert run.board.copies == 1
    run.close()
