"""Experts: Tianshou's policies do as advised, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tianshou")

import torch
from tianshou.algorithm import A2C, NPG, PPO
from torch.distributions import Categorical

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.testing.states import check_same
from also_wrappers.trainer import Imitated
from also_wrappers.trainers.tianshou import TianshouTrainer
from also_wrappers.trainers.tianshou.imitation import distribution, good_actions
from also_wrappers.wrappers.shape import Shape
from tests.support.tianshou import NormalizedHarness, TianshouHarness, make_corridors
from tests.support.trainers import PENDULUM, TASK, WITH_ACTIONS, flat

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


def shape_of(folder: Path, signal: Signal, task: Any = WITH_ACTIONS) -> Shape:
    posting = Posting(version=2, signal=signal, gamma=0.97)
    return Shape(task, Board.create(folder, posting))


def parameters(trainer: TianshouTrainer) -> dict[str, Any]:
    return flat("", trainer.loop.algorithm.state_dict())


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_the_policy_does_as_advised(algorithm: Any, tmp_path: Path) -> None:
    trainer = TianshouHarness(algorithm, lr=2e-2).make(shape_of(tmp_path / "b", ON))
    trainer.loop.train(64)
    first = trainer.imitated()
    trainer.loop.train(1024)
    trainer.imitated()
    trainer.loop.train(1280)
    last = trainer.imitated()
    assert first is not None
    assert first.agreement is not None
    assert last is not None
    assert last.agreement is not None
    assert first.agreement < 0.6
    assert last.agreement > 0.9


def test_the_agreement_is_told_of_each_agent_before_the_pull(tmp_path: Path) -> None:
    trainer = TianshouHarness().make(shape_of(tmp_path / "board", ONE))
    loop = trainer.loop
    states: list[Any] = []
    imitation: Any = loop.imitation
    pull = imitation.pull

    def spy(heard: Any, weight: float) -> None:
        seen = np.concatenate([part[1] for part in heard.advised])
        with torch.no_grad():
            chances: Any = distribution(loop.algorithm.policy, seen)
        states.append((seen[:, 0], chances.probs.numpy()))
        pull(heard, weight)

    imitation.pull = spy
    loop.train(64)
    ((places, chances),) = states
    low, high = places < 0.4, places > 0.6
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
    trainer = TianshouHarness().make(shape_of(tmp_path / "board", Signal(), task))
    trainer.loop.train(192)
    assert trainer.imitated() is None
    plain = TianshouHarness().make(lambda env: env)
    plain.loop.train(192)
    check_same(parameters(trainer), parameters(plain), "a training without an expert")


def test_what_is_earned_is_counted_across_rollouts_and_kept(tmp_path: Path) -> None:
    shape = shape_of(tmp_path / "board", ON)
    trainer = TianshouHarness().make(shape)
    trainer.loop.train(640)
    episodes = shape.board.new_episodes()
    earned = trainer.loop.earned
    assert earned.episodes == 2 * len(episodes) > 10
    assert 0.0 < earned.mean == pytest.approx(episodes["base_return"].mean())
    trainer.snapshot(tmp_path / "snapshot")
    other = TianshouHarness().make(lambda env: env)
    other.adopt(tmp_path / "snapshot")
    assert other.loop.earned == earned


def test_the_pull_ends_as_what_was_promised_is_earned(tmp_path: Path) -> None:
    shape = shape_of(tmp_path / "board", ON)
    trainer = TianshouHarness().make(shape)
    posting = shape.board.read()
    shape.board.post(posting.model_copy(update={"version": 3, "promised": -1.0}))
    trainer.loop.train(64)
    assert trainer.imitated() == Imitated(pull=0.0, states=(0, 0), agreed=(0.0, 0.0))


def test_the_expert_plays_where_it_speaks(tmp_path: Path) -> None:
    trainer = TianshouHarness().make(lambda env: env)
    before = parameters(trainer)
    calls: list[int] = []
    for signal, noise, least in ((ON, 0.0, 1.0), (ON, 0.5, 0.0), (Signal(), 0.0, 0.0)):
        calls.clear()
        shape = shape_of(tmp_path / f"{signal.id} {noise}", signal)
        outcome = trainer.audition(shape, 5, 3, noise, calls.append)
        assert len(outcome.returns) == 6, "of two copies alike"
        assert set(calls) == {4}
        assert sum(calls) == outcome.steps
        assert np.mean(outcome.returns) >= least
        if signal is ON:
            assert 0 < outcome.agreed < outcome.spoken <= outcome.steps
        else:
            assert outcome.spoken == outcome.agreed == 0
    check_same(parameters(trainer), before, "the training after auditions")


def test_what_a_policy_cannot_do_is_not_good() -> None:
    logits = torch.tensor([[0.0, -1e8, 0.0], [0.0, -torch.inf, 0.0]])
    good = good_actions(np.array([0b110, 0b010]), Categorical(logits=logits))
    assert good.tolist() == [[False, False, True], [False, False, False]]


def test_who_cannot_imitate_says_why() -> None:
    pendulum = NormalizedHarness().make(lambda env: env)
    critic = TianshouHarness(NPG).make(lambda env: env)
    for trainer, reason in (
        (pendulum, "make the actions discrete"),
        (critic, "the critic's alone"),
    ):
        assert not trainer.imitates
        with pytest.raises(ConfigurationError, match=reason):
            trainer.audition(lambda env: env, 2, 0, 0.0, lambda steps: None)
    assert PENDULUM.actions is None


def test_a_branch_whose_environments_tell_no_advice_is_refused(tmp_path: Path) -> None:
    harness = TianshouHarness()
    trainer = harness.make(lambda env: env)
    trainer.snapshot(tmp_path / "start")
    trainer._make_venv = lambda shape: make_corridors(lambda env: env)
    fork = trainer.fork()
    with pytest.raises(ConfigurationError, match="told what the expert advises"):
        fork(tmp_path / "start", shape_of(tmp_path / "board", ON), 3, 64)
