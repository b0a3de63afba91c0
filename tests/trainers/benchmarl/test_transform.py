"""The transform pays what the wrapper pays, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")

import numpy as np
import torch
from benchmarl.experiment.callback import Callback
from pettingzoo.utils import BaseParallelWrapper
from torchrl.envs import EnvBase, PettingZooWrapper, SerialEnv, TransformedEnv

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainers.benchmarl import (
    ParallelTask,
    ShapeRewardTransform,
    shaped_task,
)
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


#: Of every kind, and of every way in which a batch can be computed otherwise.
VARIED = [
    ("progress", "tanh(place * 3) + exp(-team_std(place))", None),
    ("potential", "others_mean(place ** 2) - hypot(place, team_min(place))", None),
    ("potential", "1 / (place - 0.5)", ("agent_1",)),
    ("bonus", "where(delta(place) > 0, push, -log1p(place))", ("agent_0",)),
    ("bonus", "log1p(place - 3)", None),
    ("bonus", "delta(team_sum(twice)) * push", None),
]
READ = FeatureMap(
    *corridor_features().features,
    Feature("push", "action"),
    Feature("twice", lambda view: 2 * float(view.observation[0]) + (view.action or 0)),
    Feature("told", "info['told']", default=0.5),
)


def varied(seed: int) -> Signal:
    """Three of these terms."""
    chosen = np.random.default_rng(seed).permutation(len(VARIED))[:3]
    return Signal(
        terms=tuple(
            Term(name=f"t{k}", kind=kind, expression=text, weight=0.3, agents=agents)
            for k, (kind, text, agents) in ((k, VARIED[k]) for k in chosen.tolist())
        )
    )


def roll(make: Any, post: Any, transform: Any = None) -> torch.Tensor:
    """The rewards of many steps of three copies, across three signals."""
    copies: EnvBase = SerialEnv(3, make)
    if transform is not None:
        copies = TransformedEnv(copies, transform(copies))
    torch.manual_seed(0)
    copies.set_seed(0)
    state = copies.reset()
    rewards = []
    for t in range(75):
        post(t)
        step, state = copies.step_and_maybe_reset(copies.rand_action(state))
        rewards.append(step["next", "agent", "reward"].clone())
    copies.close()
    return torch.stack(rewards)


@pytest.mark.parametrize("seed", range(4))
def test_any_signal_is_paid_bit_for_bit_across_swaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Some of its terms have no value, and are switched off on the way."""
    monkeypatch.setattr("also_wrappers.signal.shaper.MOST_INVALID", 9)
    monkeypatch.setattr("also_wrappers.signal.values.MOST_INVALID", 9)
    task = Task("Walk.", READ, success="base_return >= 1 and team_min(place) > 0")
    boards = [board(tmp_path / name, varied(seed)) for name in "ab"]
    postings = {
        25: Posting(version=3, signal=varied(seed + 100), gamma=0.97, strength=0.7),
        50: Posting(version=4, signal=varied(seed), gamma=0.97, strength=0.2),
    }

    def post_on(one: Board) -> Any:
        return lambda t: one.post(postings[t]) if t in postings else None

    def wrapped(env: Any) -> EnvBase:
        return PettingZooWrapper(env, categorical_actions=seed % 2 == 0)

    around = Shape(task, boards[0])
    inside = roll(lambda: wrapped(Quiet(around(make_corridor()))), post_on(boards[0]))
    outside = roll(
        lambda: wrapped(make_corridor()),
        post_on(boards[1]),
        lambda env: ShapeRewardTransform(
            Shape(task, boards[1]), {"agent": ["agent_0", "agent_1"]}, env
        ),
    )
    assert torch.equal(inside, outside)
    ours, theirs = boards[1].new_episodes(), boards[0].new_episodes()
    assert len(ours) > 12
    assert (ours == theirs).all()


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
