"""The loop around learners that keep what they have seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stable_baselines3 import DQN

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.board.board import Board
from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.replay_buffer import Relabelling, ShapedReplayBuffer
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.wrappers.shape import Shape
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    callback,
    events,
    make_task,
    make_venv,
)
from tests.support.trainers import ACTIONS

TOTAL = 4096


def make_model(run: Run, buffer_size: int = 2048) -> DQN:
    return DQN(
        "MlpPolicy",
        make_venv(run.shape),
        learning_rate=1e-3,
        learning_starts=256,
        buffer_size=buffer_size,
        batch_size=64,
        train_freq=2,
        gradient_steps=2,
        target_update_interval=64,
        exploration_fraction=0.5,
        gamma=0.95,
        policy_kwargs={"net_arch": [32]},
        replay_buffer_class=ShapedReplayBuffer,
        replay_buffer_kwargs={"shape": run.shape},
        seed=0,
        device="cpu",
    )


def test_dqn_is_adapted_and_what_it_remembers_is_paid_anew(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run)
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]])
    executor = ProcessExecutor(2)
    model.learn(TOTAL, callback=callback(run, advisor, executor=executor))
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    assert model.num_timesteps == TOTAL
    branches = events(run.dir, "branch")
    assert {branch["error"] for branch in branches} == {""}
    # Scored by an evaluation of ten episodes, or some more, the same of every copy.
    assert {branch["episodes"] for branch in branches} == {16}
    assert all(branch["evaluation_steps"] > 16 for branch in branches)
    counts = events(run.dir)[-1]["trainer_steps"]
    spent = sum(branch["evaluation_steps"] for branch in branches)
    rehearsal = counts["evaluation"] - spent
    assert rehearsal >= 256  # a rollout, and its evaluations
    adopted = sum(e.get("adopted_steps", 0) for e in events(run.dir, "round_finished"))
    assert counts["mainline"] == TOTAL
    assert counts["branches"] == sum(b["steps"] for b in branches) - adopted
    # What the learner remembers of the time before the swap is paid by the new signal.
    buffer = model.replay_buffer
    assert isinstance(buffer, Relabelling)
    rows = buffer.rewards.rows
    assert rows is not None
    posted = run.board.read()
    assert posted.signal == HELPFUL.signal
    place = run.task.features.names.index("place")
    gained = 3.0 * (rows[:, :, 1, :, place] - rows[:, :, 0, :, place])
    paid = buffer.rewards[:] - buffer.rewards.base
    np.testing.assert_allclose(paid, gained.reshape(paid.shape), atol=1e-5)
    assert posted.strength == 1.0  # a fading signal would take the values away
    assert buffer.full


def test_an_expert_is_auditioned_and_followed(tmp_path: Path) -> None:
    task = make_task()
    task = Task(task.description, task.features, task.conditions, actions=ACTIONS)
    run = Run(task, tmp_path / "run")
    on = Expert(rules=(Rule(when="place < 1", do="on"),))
    advisor = RecordedAdvisor([[Proposal(signal=Signal(expert=on))]])
    model = make_model(run)
    adapting = callback(run, advisor, executor=ProcessExecutor(2))
    model.learn(TOTAL, callback=adapting)
    run.close()
    (play,) = events(run.dir, "audition")
    assert play["earned"] == 1.0
    assert play["policy"] < 0.8
    (swap,) = events(run.dir, "swap")
    assert swap["promised"] == 1.0
    assert {branch["error"] for branch in events(run.dir, "branch")} <= {""}
    before, after = (
        [event["window"]["mean"] for event in events(run.dir, "record")][k]
        for k in (0, -1)
    )
    assert after > 0.8 > 0.4 > before


def test_a_branch_explores_as_its_parent_would(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run)
    model.learn(1024)
    trainer = SB3Trainer(model, make_venv, TOTAL)
    shape = Shape(run.task, Board.create(tmp_path / "branch", run.board.read()))
    trainer.snapshot(tmp_path / "start")
    end = tmp_path / "end"
    outcome = trainer.fork()(tmp_path / "start", shape, 1, 512, end=end)
    run.close()
    before = model.exploration_rate
    trainer.adopt(end)
    assert trainer.steps == 1024 + 512
    # ``learn(1024)`` has come to the end of its own schedule; the branch follows that
    # of the training that is planned, in which exploration ends half way.
    assert before == 0.05
    assert model.exploration_rate == pytest.approx(
        1.0 - (1.0 - 0.05) * (1536 / TOTAL) / 0.5
    )
    # Looks at the branch were made with what exploration is left in the end.
    assert outcome.evaluated is not None
    assert outcome.evaluated["end"].tolist() == [32] * 16


def test_a_run_that_was_stopped_remembers(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run, TOTAL)
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]])
    model.learn(2048, callback=callback(run, advisor))
    run.close()
    again = Run(make_task(), tmp_path / "run", resume=True)
    other = make_model(again, TOTAL)
    other.learn(TOTAL, callback=callback(again, RecordedAdvisor([])))
    again.close()
    assert other.num_timesteps == TOTAL
    assert other._n_updates > model._n_updates
    buffer = other.replay_buffer
    assert isinstance(buffer, Relabelling)
    # A row for every step of the lineage, though only some were stored since.
    assert 0 < buffer.rewards.steps < TOTAL // 16
    assert buffer.full


def test_a_round_before_anything_is_learned_is_refused(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    early = callback(run, RecordedAdvisor([]), first=256)
    with pytest.raises(ConfigurationError, match="learning_starts=256; give first=512"):
        make_model(run).learn(TOTAL, callback=early)


def test_a_buffer_of_another_run_is_refused(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    other = Run(make_task(), tmp_path / "other")
    model = make_model(other)
    with pytest.raises(ConfigurationError, match="reads the board of another run"):
        model.learn(TOTAL, callback=callback(run, RecordedAdvisor([])))
