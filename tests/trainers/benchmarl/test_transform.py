"""The transform pays what the wrapper pays, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

import torch
from benchmarl.experiment.callback import Callback
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainers.benchmarl import ParallelTask, shaped_task
from also_wrappers.wrappers.shape import Shape
from tests.support.benchmarl import make_corridor, make_experiment

TASK = Task("Walk.", corridor_features(), success="base_return >= 1")
SIGNAL = Signal(
    terms=(
        Term(name="on", kind="progress", expression="place", weight=0.5),
        Term(name="near", kind="potential", expression="-team_std(place)", weight=0.3),
        Term(name="go", kind="bonus", expression="delta(place) > 0", weight=0.1),
    )
)


class Rewards(Callback):
    """Keeps the rewards and the sums of rewards of all batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[torch.Tensor] = []

    def on_batch_collected(self, batch: Any) -> None:
        self.batches.append(batch["next", "agent", "reward"].clone())
        self.batches.append(batch["next", "agent", "episode_reward"].clone())

    def __reduce__(self) -> Any:
        return Callback, ()


class Quiet(BaseParallelWrapper):
    """Leaves out what the wrapper tells: torchrl fixes the fields of infos early."""

    def step(self, actions: Any) -> Any:
        *rest, infos = self.env.step(actions)
        return (*rest, {agent: {} for agent in infos})


def train(folder: Path, task: Any) -> torch.Tensor:
    """The rewards of three batches."""
    rewards = Rewards()
    make_experiment(folder, task, callbacks=[rewards], max_n_frames=192).run()
    return torch.stack(rewards.batches)


def board(path: Path, signal: Signal) -> Board:
    return Board.create(path, Posting(version=2, signal=signal, gamma=0.97))


def test_it_pays_what_the_wrapper_pays_bit_for_bit(tmp_path: Path) -> None:
    inside, outside = board(tmp_path / "a", SIGNAL), board(tmp_path / "b", SIGNAL)
    around = Shape(TASK, inside)
    evaluated = ParallelTask(lambda: Quiet(around(make_corridor())), max_steps=8)
    wrapped = train(tmp_path, evaluated)
    plain = ParallelTask(make_corridor, max_steps=8)
    transformed = train(tmp_path, shaped_task(plain, Shape(TASK, outside)))
    assert torch.equal(wrapped, transformed)
    assert not torch.equal(wrapped, train(tmp_path, plain))
    ours, theirs = outside.new_episodes(), inside.new_episodes()
    assert len(ours) > 10
    assert (ours == theirs).all()
    collected = outside.collect()
    assert collected is not None
    assert collected.copies == outside.copies == 4


def test_the_empty_signal_changes_nothing_bit_for_bit(tmp_path: Path) -> None:
    plain = ParallelTask(make_corridor, max_steps=8)
    shape = Shape(TASK, board(tmp_path / "board", Signal()))
    with_board = train(tmp_path, shaped_task(plain, shape))
    assert torch.equal(with_board, train(tmp_path, plain))


def test_evaluations_see_the_base_reward(tmp_path: Path) -> None:
    shape = Shape(TASK, board(tmp_path / "board", SIGNAL))
    task = shaped_task(ParallelTask(make_corridor, max_steps=8), shape)
    experiment = make_experiment(tmp_path, task)
    rewards = experiment.test_env.rollout(8)["next", "agent", "reward"]
    assert set(rewards.flatten().tolist()) <= {0.0, 1.0}
    assert shape.board.copies == 4
