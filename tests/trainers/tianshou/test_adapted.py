"""The trainer that adapts: Tianshou's own, with pauses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import pytest

pytest.importorskip("tianshou")

from tianshou.algorithm import PPO
from tianshou.data import Collector
from tianshou.env import DummyVectorEnv, SubprocVectorEnv

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor
from also_wrappers.testing.states import check_same
from also_wrappers.trainers.tianshou import (
    AdaptedTrainer,
    ParallelVectorEnv,
    TianshouTrainer,
)
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    LENIENT,
    check_every_step_is_counted_once,
    events,
    make_task,
)
from tests.support.tianshou import TianshouHarness, make_discrete, make_params
from tests.support.trainers import flat

SETTINGS: dict[str, Any] = {
    "first": 512,
    "every": 1024,
    "horizon": 512,
    "budget": 8.0,
    "pause_on": "interval",
    "gate": LENIENT,
    "executor": SerialExecutor(),
    "verbose": 0,
}
BATCH: dict[str, Any] = {
    "collection_step_num_env_steps": 128,
    "update_step_num_repetitions": 4,
    "batch_size": 64,
}


def make_venv(shape: Callable[[Any], Any]) -> ParallelVectorEnv:
    return ParallelVectorEnv([lambda: shape(Corridor(length=5, limit=12))] * 8)


def make_training(
    shape: Callable[[Any], Any],
    steps: int,
    make_venv: Callable[[Any], Any] = make_venv,
) -> tuple[Any, Any]:
    """An algorithm, and how it is trained."""
    seed_randomness(0)
    venv = make_venv(shape)
    venv.seed(0)
    algorithm = make_discrete(PPO, venv, return_scaling=False)
    settings = {"epoch_num_steps": 512, "max_epochs": steps // 512, **BATCH}
    return algorithm, make_params(algorithm, venv, **settings)


def adapted(run: Run, steps: int, advisor: Any = None, **options: Any) -> Any:
    algorithm, params = make_training(run.shape, steps)
    settings = SETTINGS | options
    return AdaptedTrainer(algorithm, params, run, make_venv, advisor, **settings)


def test_a_signal_is_swapped_in_and_steps_are_counted(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    trainer = adapted(run, 4096, RecordedAdvisor([[HARMFUL, HELPFUL]]))
    result = trainer.run()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    check_every_step_is_counted_once(run.dir, 4096)
    assert trainer.steps == 4096
    assert result.update_step > 0
    assert all(event["error"] == "" for event in events(run.dir, "branch"))


def test_a_run_without_rounds_is_the_training_bit_for_bit(tmp_path: Path) -> None:
    """The rehearsal is a branch in the same process, which nothing must notice."""
    plain, params = make_training(lambda env: env, 1024)
    plain.run_training(params)
    run = Run(make_task(), tmp_path / "run")
    trainer = adapted(run, 1024, budget=0.0)
    trainer.run()
    run.close()
    parameters = flat("", trainer.algorithm.state_dict())
    check_same(parameters, flat("", plain.state_dict()), "a run without rounds")
    assert events(run.dir, "record")[-1]["window"]["episodes"] > 0


def test_tests_and_functions_of_the_trainer_are_called_as_by_tianshou() -> None:
    calls: list[dict[str, list[Any]]] = []
    for kind in ("tianshou", "paused"):
        log: dict[str, list[Any]] = {"training": [], "test": [], "best": []}
        algorithm, params = make_training(lambda env: env, 1024)
        tested = Collector(algorithm, make_venv(lambda env: env))
        params.test_collector = tested
        params.test_step_num_episodes = 16
        params.training_fn = lambda *now, log=log: log["training"].append(now)
        params.test_fn = lambda *now, log=log: log["test"].append(now)
        params.save_best_fn = lambda _, log=log: log["best"].append(True)
        if kind == "tianshou":
            algorithm.run_training(params)
        else:
            PausedTrainer(algorithm, params).run()
        calls.append(log)
    assert calls[0] == calls[1]
    assert calls[0]["training"][0] == (1, 0)
    assert calls[0]["test"] == [(0, 0), (1, 512), (2, 1024)]


def test_epochs_end_where_the_lineage_is(tmp_path: Path) -> None:
    """Whatever a pause loads, the planned steps are trained and no more."""
    algorithm, params = make_training(lambda env: env, 1024)
    trainer = PausedTrainer(algorithm, params)
    adapter = TianshouTrainer(trainer, make_venv)
    trainer.reset()
    pauses: list[int] = []
    ends: list[tuple[int, int]] = []
    execute, running = trainer.execute_epoch, cast(Any, trainer)

    def epoch() -> Any:
        result = execute()
        ends.append((result.epoch, trainer.steps))
        return result

    def rest() -> None:
        pauses.append(trainer.steps)
        if pauses == [0, 128]:
            adapter.snapshot(tmp_path / "older")
        if trainer.steps == 768 and pauses.count(768) == 1:
            adapter.adopt(tmp_path / "older")

    running.execute_epoch = epoch
    trainer.train(trainer.total, rest)
    assert pauses == [*range(0, 896, 128), *range(256, 1024, 128)]
    assert trainer.steps == 1024
    assert ends[-1] == (2, 1024)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    first = Run(make_task(), tmp_path / "run")
    trainer = adapted(first, 1024, budget=0.0, checkpoint_every=128)

    def stop(epoch: int, env_step: int) -> None:
        if env_step == 640:
            raise RuntimeError("stopped")

    trainer.params.training_fn = stop
    with pytest.raises(RuntimeError, match="stopped"):
        trainer.run()
    first.close()
    second = Run(make_task(), tmp_path / "run", resume="auto")
    again = adapted(second, 1024, budget=0.0)
    again.run()
    second.close()
    assert events(second.dir, "run_resumed")
    assert again.steps == 1024
    check_every_step_is_counted_once(second.dir, 1024)


def test_the_drift_of_policies_is_told_per_agent() -> None:
    trainer = TianshouHarness().make(lambda env: env)
    assert trainer.policy_drift() is None, "nothing was observed"
    trainer.loop.train(64)
    assert trainer.policy_drift() is None, "there is nothing to compare with"
    assert trainer.policy_drift() == [0.0, 0.0]
    trainer.loop.train(192)
    drift = trainer.policy_drift()
    assert drift is not None
    assert len(drift) == 2
    assert min(drift) > 0.0


@pytest.mark.parametrize("kind", [DummyVectorEnv, SubprocVectorEnv])
def test_environments_of_gymnasium_are_adapted(kind: Any, tmp_path: Path) -> None:
    """In this process and in others; terms of the signals differ, as do infos."""
    up = Term(name="up", kind="bonus", expression="1 - abs(angle)", weight=0.1)
    right = Term(name="right", kind="bonus", expression="place", weight=0.1)
    features = FeatureMap(Feature("angle", "obs[2]"), Feature("place", "obs[0]"))
    run = Run(Task("Hold the pole upright.", features), tmp_path / "run")
    advisor = RecordedAdvisor(
        [[Proposal(signal=Signal(terms=(term,)))] for term in (up, right)]
    )

    def make_venv(shape: Callable[[Any], Any]) -> Any:
        return kind([lambda: shape(gym.make("CartPole-v1"))] * 2)

    algorithm, params = make_training(run.shape, 1024, make_venv)
    options = SETTINGS | {"first": 256, "every": 256, "horizon": 128}
    trainer = AdaptedTrainer(algorithm, params, run, make_venv, advisor, **options)
    trainer.run()
    run.close()
    assert trainer.steps == 1024
    assert len(events(run.dir, "decision")) >= 2
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    trainer.env.close()
