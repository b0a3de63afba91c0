"""Replay buffers of BenchMARL: what is stored is paid by the signal that is active."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

import numpy as np
import torch
from benchmarl.algorithms import IqlConfig, QmixConfig
from benchmarl.experiment.callback import Callback

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from also_wrappers.testing import Corridor
from also_wrappers.testing.states import check_same, differ
from also_wrappers.trainers.benchmarl import (
    AdaptationCallback,
    BenchMARLTrainer,
    ParallelTask,
    shaped_task,
)
from also_wrappers.wrappers.shape import Shape
from tests.support.benchmarl import BenchMARLHarness, make_corridor, make_experiment
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    LENIENT,
    check_every_step_is_counted_once,
    events,
    make_task,
)
from tests.support.trainers import TASK

SIGNAL = Signal(
    terms=(
        Term(name="on", kind="progress", expression="place", weight=0.5),
        Term(name="near", kind="potential", expression="-team_std(place)", weight=0.3),
        Term(
            name="go",
            kind="bonus",
            expression="delta(place) > 0",
            weight=0.1,
            agents=("agent_1",),
        ),
    )
)


class Paid(Callback):
    """Keeps the rewards of all batches, shape ``(steps, agents, 1)``."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards = torch.zeros(0, 2, 1)

    def on_batch_collected(self, batch: Any) -> None:
        reward = batch["next", "agent", "reward"].flatten(0, 1)
        self.rewards = torch.cat([self.rewards, reward])


def state_of(harness: BenchMARLHarness, trainer: Any) -> dict[str, Any]:
    return {name: np.array(part) for name, part in harness.state(trainer).items()}


@pytest.mark.parametrize("algorithm", [IqlConfig, QmixConfig])
def test_a_buffer_pays_what_the_environments_have_paid(
    algorithm: Any, tmp_path: Path
) -> None:
    posting = Posting(version=2, signal=SIGNAL, gamma=0.97)
    shape = Shape(TASK, Board.create(tmp_path / "board", posting))
    task = ParallelTask(make_corridor, max_steps=8)
    experiment = make_experiment(
        tmp_path, shaped_task(task, shape, replays=True), algorithm
    )
    paid = Paid()
    experiment.callbacks.append(paid)
    BenchMARLTrainer(experiment).train(128)
    buffer = experiment.replay_buffers["agent"]
    stored = buffer[: len(buffer)]
    assert len(stored) == 128
    assert torch.allclose(stored["next", "agent", "reward"], paid.rewards, atol=1e-5)
    of_team = paid.rewards.mean(dim=1)
    if algorithm is QmixConfig:
        assert torch.allclose(stored["next", "reward"], of_team, atol=1e-5)
    kept = buffer.storage.get(slice(0, 128))["next", "agent", "reward"]
    assert set(kept.flatten().tolist()) <= {0.0, 1.0}, "base rewards are stored"
    assert paid.rewards.abs().sum() > kept.sum()


def test_a_buffer_that_wraps_around_is_put_back_whole(tmp_path: Path) -> None:
    harness = BenchMARLHarness(tmp_path, IqlConfig, off_policy_memory_size=100)
    trainer = harness.make(lambda env: env)
    harness.train(trainer, 64)
    trainer.snapshot(tmp_path / "one batch")
    before = state_of(harness, trainer)
    harness.train(trainer, 128)
    trainer.snapshot(tmp_path / "three batches")
    after = state_of(harness, trainer)
    other = harness.make(lambda env: env)
    other.adopt(tmp_path / "three batches")
    check_same(harness.state(other), after, "a buffer that has wrapped around")
    other.adopt(tmp_path / "one batch")
    check_same(harness.state(other), before, "a buffer that is shorter again")
    assert differ(before, after)


def test_exploration_and_hard_updates_of_targets_go_back_as_well(
    tmp_path: Path,
) -> None:
    harness = BenchMARLHarness(
        tmp_path, QmixConfig, soft_target_update=False, hard_target_update_frequency=7
    )
    trainer = harness.make(lambda env: env)
    harness.train(trainer, 64)
    trainer.snapshot(tmp_path / "older")
    (updater,) = trainer.experiment.target_updaters.values()
    policy = trainer.experiment.group_policies["agent"]
    counter, epsilon = updater.counter, float(policy[-1].eps)
    assert counter == 2
    harness.train(trainer, 128)
    assert updater.counter != counter
    assert float(policy[-1].eps) < epsilon
    trainer.adopt(tmp_path / "older")
    assert updater.counter == counter
    assert float(policy[-1].eps) == epsilon


def test_a_signal_is_swapped_in_and_steps_are_counted(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    plain = ParallelTask(lambda: Corridor(length=5, limit=12), max_steps=12)
    callback = AdaptationCallback(
        run,
        RecordedAdvisor([[HARMFUL, HELPFUL]]),
        first=512,
        every=1024,
        horizon=512,
        budget=8.0,
        pause_on="interval",
        gate=LENIENT,
        executor=SerialExecutor(),
        verbose=0,
    )
    experiment = make_experiment(
        tmp_path,
        shaped_task(plain, run.shape, replays=True),
        IqlConfig,
        [callback],
        max_n_frames=2048,
        off_policy_n_envs_per_worker=8,
        off_policy_collected_frames_per_batch=128,
        off_policy_n_optimizer_steps=16,
        off_policy_memory_size=2048,
        exploration_anneal_frames=512,
    )
    experiment.run()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    check_every_step_is_counted_once(run.dir, 2048)
    assert experiment.total_frames == 2048
