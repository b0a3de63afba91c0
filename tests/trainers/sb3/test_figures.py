"""What SB3's own loggers get to show of an adaptation."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.vec_env import VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.figures import LoggedFigures
from also_wrappers.trainers.sb3.replay_buffer import ShapedReplayBuffer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.ledgers import settled, whole_run

TASK = Task("Walk.", corridor_features())


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 4)


def test_csv_and_tensorboard_have_base_and_shaped_returns(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    venv = make_venv(run.shape)
    model = PPO("MlpPolicy", venv, n_steps=16, n_epochs=1, device="cpu")
    model.set_logger(configure(str(tmp_path / "log"), ["csv", "tensorboard"]))
    model.learn(1024, AdaptationCallback(run, make_venv, budget=0, verbose=0))
    run.close()
    with (tmp_path / "log" / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    last = rows[-1]
    for name in (
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "also/base_return",
        "also/shaped_return",
        "also/episode_length",
        "also/steps_mainline",
        "also/steps_branches",
        "also/steps_total",
    ):
        float(last[name])
    assert 0.0 <= float(last["also/base_return"]) <= 1.0
    files = EventAccumulator(str(tmp_path / "log"))
    files.Reload()
    assert "also/base_return" in files.Tags()["scalars"]
    assert "rollout/ep_rew_mean" in files.Tags()["scalars"]


def test_off_policy_models_have_them_too(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    model = DQN(
        "MlpPolicy",
        make_venv(run.shape),
        learning_starts=64,
        train_freq=8,
        replay_buffer_class=ShapedReplayBuffer,
        replay_buffer_kwargs={"shape": run.shape},
        device="cpu",
    )
    model.set_logger(configure(str(tmp_path / "log"), ["csv"]))
    model.learn(1200, AdaptationCallback(run, make_venv, budget=0, verbose=0))
    run.close()
    with (tmp_path / "log" / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    float(rows[-1]["rollout/ep_rew_mean"])
    # Where several episodes end at a step, SB3 dumps more often than it records.
    returns = [float(row["also/base_return"] or "nan") for row in rows]
    assert any(0.0 <= value <= 1.0 for value in returns)


def test_a_run_ends_with_what_it_found_and_how_to_see_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(TASK, tmp_path / "my run")
    model = PPO("MlpPolicy", make_venv(run.shape), n_steps=16, n_epochs=1, device="cpu")
    model.learn(1024, AdaptationCallback(run, make_venv, budget=0))
    run.close()
    said = capsys.readouterr().out
    assert "finish  the signal is nothing (the base reward alone)" in said
    assert "environment steps: 512 of the policy's own" in said
    assert said.rstrip().endswith(
        f"report  also-wrappers report '{run.dir}' writes {run.dir / 'report.html'}"
    )


def test_a_run_that_is_resumed_counts_on(tmp_path: Path) -> None:
    for total, finished in ((1024, 1), (2048, 2)):
        run = Run(TASK, tmp_path / "run", resume="auto")
        venv = make_venv(run.shape)
        model = PPO("MlpPolicy", venv, n_steps=16, n_epochs=1, device="cpu")
        model.set_logger(Logger(folder=None, output_formats=[]))
        callback = AdaptationCallback(run, make_venv, budget=0, verbose=0, every=256)
        model.learn(total, callback)
        run.close()
        rounds = [e for e in run.events() if e.event == "round_finished"]
        figures = callback._figures.latest
        assert figures["also/rounds"] == len(rounds) >= finished
        assert sum(e.event == "run_finished" for e in run.events()) == finished
        drawn = EventAccumulator(str(run.dir / "tensorboard" / "mainline"))
        drawn.Reload()
        steps = [point.step for point in drawn.Scalars("also/base_return")]
        assert steps == sorted(set(steps))
        assert steps[-1] == total


def test_decisions_are_counted(tmp_path: Path) -> None:
    accounting = Accounting(agents_per_env=2)
    ledger = Ledger(tmp_path / "ledger.jsonl", accounting)
    figures = LoggedFigures()
    ledger.listeners.append(figures)
    for event, accounting.mainline, accounting.branches in whole_run(settled()):
        ledger.write(event)
    ledger.close()
    logger = Logger(folder=None, output_formats=[])
    figures.record(logger)
    shown = {
        name.removeprefix("also/"): round(value, 3)
        for name, value in logger.name_to_value.items()
    }
    assert shown["base_return"] == 0.98
    assert shown["decision_swapped"] == 1.0
    assert shown["decision_effect"] == pytest.approx(0.4)
    assert shown["confirmed"] == shown["swaps"] == 1.0
    assert shown["steps_mainline"] == 10_000.0
    assert shown["steps_total"] == shown["steps_mainline"] + shown["steps_branches"]
    logger.dump()
    assert not logger.name_to_value
    figures.record(logger)  # they stay as they are until something happens
    assert logger.name_to_value["also/rounds"] == figures.latest["also/rounds"]
