"""Experts: BenchMARL's policies do as advised, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarl")

from benchmarl.algorithms import IppoConfig, MappoConfig
from benchmarl.experiment.callback import Callback

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.testing import Corridor
from also_wrappers.testing.states import check_same
from also_wrappers.trainer import Imitated
from also_wrappers.trainers.benchmarl import (
    BenchMARLTrainer,
    ParallelTask,
    shaped_task,
)
from also_wrappers.wrappers.shape import Shape
from tests.support.benchmarl import make_corridor, make_experiment
from tests.support.trainers import TASK, WITH_ACTIONS, flat

ON = Signal(expert=Expert(rules=(Rule(when="place < 1", do="on"),)))
#: Two actions are good for one agent, and nothing is said to the other.
ONE = Signal(
    expert=Expert(
        rules=(
            Rule(when="place < 0.4", do="on", agents=("agent_1",)),
            Rule(when="place > 0.6", do="stay", agents=("agent_1",)),
        )
    )
)


class Masked(Corridor):
    """A corridor in which nobody may stay; infos say so."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed, options)
        return observations, {agent: self._mask() for agent in infos}

    def step(self, actions: Any) -> Any:
        assert 0 not in [int(a) for a in actions.values()], "a forbidden action"
        *rest, infos = super().step(actions)
        return (*rest, {agent: self._mask() for agent in infos})

    def _mask(self) -> dict[str, Any]:
        return {"action_mask": np.array([False, True, True])}


class Batches(Callback):
    """Keeps what was collected."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Any] = []

    def on_batch_collected(self, batch: Any) -> None:
        self.batches.append(batch.clone())


def shape_of(folder: Path, signal: Signal, task: Any = WITH_ACTIONS) -> Shape:
    posting = Posting(version=2, signal=signal, gamma=0.97)
    return Shape(task, Board.create(folder, posting))


def make_trainer(
    folder: Path,
    signal: Signal,
    task: Any = WITH_ACTIONS,
    make_env: Any = make_corridor,
    algorithm: Any = IppoConfig,
    **changes: Any,
) -> BenchMARLTrainer:
    shape = shape_of(folder / "board", signal, task)
    parallel = ParallelTask(make_env, max_steps=8)
    experiment = make_experiment(
        folder, shaped_task(parallel, shape), algorithm, **changes
    )
    return BenchMARLTrainer(experiment)


def parameters(trainer: BenchMARLTrainer) -> dict[str, Any]:
    losses = trainer.experiment.losses
    return flat("", {group: loss.state_dict() for group, loss in losses.items()})


@pytest.mark.parametrize("algorithm", [IppoConfig, MappoConfig])
@pytest.mark.parametrize("make_env", [make_corridor, Masked], ids=["plain", "masked"])
def test_the_policies_do_as_advised(
    algorithm: Any, make_env: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(
        tmp_path, ON, make_env=make_env, algorithm=algorithm, lr=2e-2
    )
    trainer.train(trainer.rollout)
    first = trainer.imitated()
    trainer.train(12 * trainer.rollout)
    trainer.imitated()
    trainer.train(16 * trainer.rollout)
    last = trainer.imitated()
    assert first is not None
    assert first.agreement is not None
    assert last is not None
    assert last.agreement is not None
    assert first.agreement < 0.7
    assert last.agreement > 0.9


def test_the_agreement_is_told_of_each_agent_before_the_pull(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, ONE)
    batches = Batches()
    trainer.experiment.callbacks.append(batches)
    trainer.train(trainer.rollout)
    (batch,) = batches.batches
    place = batch["agent", "observation"][..., 1, 0].flatten()
    chances = batch["agent", "logits"].softmax(dim=-1)[..., 1, :].flatten(0, 1)
    low, high = place < 0.4, place > 0.6
    agreed = chances[low, 2].sum() + chances[high, 0].sum()
    imitated = trainer.imitated()
    assert imitated is not None
    assert imitated.pull == 1.0
    assert imitated.states == (0, int(low.sum() + high.sum()))
    assert imitated.agreed == pytest.approx((0.0, float(agreed)), rel=1e-5)
    assert trainer.imitated() is None


@pytest.mark.parametrize("task", [TASK, WITH_ACTIONS], ids=["plain", "with actions"])
def test_a_training_without_an_expert_stays_what_it_is_bit_for_bit(
    task: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(tmp_path, Signal(), task)
    trainer.train(3 * trainer.rollout)
    assert trainer.imitated() is None
    plain = BenchMARLTrainer(make_experiment(tmp_path))
    plain.train(3 * plain.rollout)
    check_same(parameters(trainer), parameters(plain), "a training without an expert")


def test_what_is_earned_is_counted_across_batches_and_kept(tmp_path: Path) -> None:
    """Episodes of up to eight steps, in batches of five steps of a copy."""
    trainer = make_trainer(tmp_path, ON, on_policy_collected_frames_per_batch=20)
    trainer.train(100)
    rewards: Any = trainer.experiment.task.get_reward_sum_transform
    episodes = rewards.shape.board.new_episodes()
    earned = trainer._earned
    assert earned.episodes == 2 * len(episodes) > 10
    assert earned.mean == pytest.approx(episodes["base_return"].mean())
    assert earned.mean > 0.0
    trainer.snapshot(tmp_path / "snapshot")
    other = BenchMARLTrainer(make_experiment(tmp_path))
    other.adopt(tmp_path / "snapshot")
    assert other._earned == earned


def test_the_pull_ends_as_what_was_promised_is_earned(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, ON)
    rewards: Any = trainer.experiment.task.get_reward_sum_transform
    board = rewards.shape.board
    posting = board.read()
    board.post(posting.model_copy(update={"version": 3, "promised": -1.0}))
    trainer.train(trainer.rollout)
    assert trainer.imitated() == Imitated(pull=0.0, states=(0, 0), agreed=(0.0, 0.0))


def test_the_expert_plays_where_it_speaks(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, Signal())
    before = parameters(trainer)
    calls: list[int] = []
    stepped = calls.append
    for signal, noise, least in ((ON, 0.0, 1.0), (ON, 0.5, 0.0), (Signal(), 0.0, 0.0)):
        calls.clear()
        shape = shape_of(tmp_path / f"{signal.id} {noise}", signal)
        outcome = trainer.audition(shape, 6, 3, noise, stepped)
        assert len(outcome.returns) == 8, "of four copies alike"
        assert set(calls) == {4}
        assert sum(calls) == outcome.steps
        assert np.mean(outcome.returns) >= least
        if signal is ON:
            assert 0 < outcome.agreed < outcome.spoken <= outcome.steps
        else:
            assert outcome.spoken == outcome.agreed == 0
        episodes = shape.board.new_episodes()
        assert episodes["base_return"].mean() == pytest.approx(
            np.mean(outcome.returns), abs=0.2
        )
    check_same(parameters(trainer), before, "the training after auditions")


def test_a_masked_action_is_not_taken_in_an_audition(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, Signal(), make_env=Masked)
    stay = Signal(expert=Expert(rules=(Rule(when="1", do="stay"),)))
    shape = shape_of(tmp_path / "stay", stay)
    outcome = trainer.audition(shape, 4, 3, 0.5, lambda steps: None)
    assert outcome.spoken == 0, "what is advised is forbidden"
