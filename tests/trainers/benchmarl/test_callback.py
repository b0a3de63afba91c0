"""The callback: ``Experiment.run`` stays the way to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

from benchmarl.experiment import Experiment
from benchmarl.experiment.callback import Callback

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from also_wrappers.testing import Corridor
from also_wrappers.testing.states import check_same
from also_wrappers.trainers.benchmarl import (
    AdaptationCallback,
    BenchMARLTrainer,
    ParallelTask,
    shaped_task,
)
from tests.support.benchmarl import (
    make_experiment,
)
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    LENIENT,
    check_every_step_is_counted_once,
    events,
    make_task,
)
from tests.support.trainers import flat

BATCH: dict[str, Any] = {
    "on_policy_n_envs_per_worker": 8,
    "on_policy_collected_frames_per_batch": 128,
    "on_policy_n_minibatch_iters": 4,
    "on_policy_minibatch_size": 64,
}
LONG = ParallelTask(lambda: Corridor(length=5, limit=12), max_steps=12)


def make_callback(run: Run, advisor: Any = None, **options: Any) -> AdaptationCallback:
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
    return AdaptationCallback(run, advisor, **(settings | options))


def parameters(experiment: Experiment) -> dict[str, Any]:
    states = {group: loss.state_dict() for group, loss in experiment.losses.items()}
    return flat("", states)


class Stop(Callback):
    """Stops a training before it has learned from so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def on_batch_collected(self, batch: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("stopped")


def test_a_signal_is_swapped_in_and_steps_are_counted(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]])
    experiment = make_experiment(
        tmp_path,
        shaped_task(LONG, run.shape),
        callbacks=[make_callback(run, advisor)],
        max_n_frames=2048,
        checkpoint_at_end=True,
        **BATCH,
    )
    experiment.run()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    check_every_step_is_counted_once(run.dir, 2048)
    assert experiment.total_frames == 2048
    assert experiment.collector.closed
    (checkpoint,) = (experiment.folder_name / "checkpoints").iterdir()
    assert checkpoint.name == "checkpoint_2048.pt"
    assert all(event["error"] == "" for event in events(run.dir, "branch"))


def test_a_run_without_rounds_is_the_training_bit_for_bit(tmp_path: Path) -> None:
    """The rehearsal is a branch in the same process, which nothing must notice."""
    changes: dict[str, Any] = {"max_n_frames": 384, **BATCH}
    plain = make_experiment(tmp_path, LONG, **changes)
    plain.run()
    run = Run(make_task(), tmp_path / "run")
    callbacks = [make_callback(run, budget=0.0)]
    adapted = make_experiment(
        tmp_path, shaped_task(LONG, run.shape), callbacks=callbacks, **changes
    )
    adapted.run()
    run.close()
    check_same(parameters(adapted), parameters(plain), "a run without rounds")
    assert events(run.dir, "record")[-1]["window"]["episodes"] > 0


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    first = Run(make_task(), tmp_path / "run")
    callbacks = [make_callback(first, budget=0.0, checkpoint_every=128), Stop(5)]
    experiment = make_experiment(
        tmp_path,
        shaped_task(LONG, first.shape),
        callbacks=callbacks,
        max_n_frames=1024,
        **BATCH,
    )
    with pytest.raises(RuntimeError, match="stopped"):
        experiment.run()
    assert experiment.collector.closed
    first.close()
    second = Run(make_task(), tmp_path / "run", resume="auto")
    again = make_experiment(
        tmp_path,
        shaped_task(LONG, second.shape),
        callbacks=[make_callback(second, budget=0.0)],
        max_n_frames=1024,
        **BATCH,
    )
    again.run()
    second.close()
    assert events(second.dir, "run_resumed")
    assert again.total_frames == 1024
    check_every_step_is_counted_once(second.dir, 1024)


def test_what_goes_back_in_a_pause_trains_to_the_end_all_the_same(
    tmp_path: Path,
) -> None:
    trainer = BenchMARLTrainer(make_experiment(tmp_path, max_n_frames=320))
    pauses: list[int] = []

    def rest() -> None:
        pauses.append(trainer.steps)
        if trainer.steps == 64:
            trainer.snapshot(tmp_path / "older")
        if trainer.steps == 256 and pauses.count(256) == 1:
            trainer.adopt(tmp_path / "older")

    trainer.train(rest=rest)
    assert pauses == [0, 64, 128, 192, 256, 128, 192, 256]  # 64 is not rested at again
    assert trainer.steps == 320


def test_the_drift_of_policies_is_told_per_agent(tmp_path: Path) -> None:
    trainer = BenchMARLTrainer(make_experiment(tmp_path))
    assert trainer.policy_drift() is None, "nothing was observed"
    trainer.observe(next(iter(trainer.experiment.collector)))
    assert trainer.policy_drift() is None, "there is nothing to compare with"
    assert trainer.policy_drift() == [0.0, 0.0]
    trainer.train(128)
    drift = trainer.policy_drift()
    assert drift is not None
    assert len(drift) == 2
    assert min(drift) > 0.0
