"""What cannot be forked is refused before training, in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest


def test_a_missing_extra_is_a_sentence() -> None:
    code = (
        "import sys; sys.modules['benchmarl'] = None\n"
        "try:\n"
        "    import also_wrappers.trainers.benchmarl\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'also-wrappers[benchmarl]'" in result.stdout


pytest.importorskip("benchmarl")

from benchmarl.algorithms import (  # noqa: E402
    IppoConfig,
    IqlConfig,
    QmixConfig,
)
from benchmarl.environments import PettingZooTask  # noqa: E402

from also_wrappers.exceptions import ConfigurationError  # noqa: E402
from also_wrappers.run.run import Run  # noqa: E402
from also_wrappers.testing import Corridor  # noqa: E402
from also_wrappers.trainers.benchmarl import (  # noqa: E402
    AdaptationCallback,
    BenchMARLTrainer,
    ParallelTask,
    shaped_task,
)
from tests.support.benchmarl import make_corridor, make_experiment  # noqa: E402
from tests.support.trainers import TASK  # noqa: E402


@pytest.fixture
def run(tmp_path: Path) -> Any:
    with_board = Run(TASK, tmp_path / "run")
    yield with_board
    with_board.close()


def test_a_replay_buffer_that_keeps_the_rewards_of_earlier_signals_is_refused(
    run: Run, tmp_path: Path
) -> None:
    task = shaped_task(ParallelTask(make_corridor, max_steps=8), run.shape)
    callback = AdaptationCallback(run, verbose=0)
    with pytest.raises(ConfigurationError, match=r"run.shape, replays=True\)"):
        make_experiment(tmp_path, task, QmixConfig, [callback])


def test_a_prioritized_replay_buffer_is_refused(run: Run, tmp_path: Path) -> None:
    plain = ParallelTask(make_corridor, max_steps=8)
    task = shaped_task(plain, run.shape, replays=True)
    experiment = make_experiment(tmp_path, task, IqlConfig)
    # torchrl has such buffers only where it could be compiled.
    experiment.config.off_policy_use_prioritized_replay_buffer = True
    with pytest.raises(ConfigurationError, match="prioritized_replay_buffer to False"):
        BenchMARLTrainer(experiment)


def test_experts_are_for_policies_that_draw(run: Run, tmp_path: Path) -> None:
    plain = ParallelTask(make_corridor, max_steps=8)
    task = shaped_task(plain, run.shape, replays=True)
    trainer = BenchMARLTrainer(make_experiment(tmp_path, task, IqlConfig))
    assert not trainer.imitates
    with pytest.raises(ConfigurationError, match="Iql has no stochastic policy"):
        trainer.audition(run.shape, 2, 0, 0.0, lambda steps: None)


def test_a_task_without_the_signal_of_the_run_is_refused(
    run: Run, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"shaped_task\(task, run.shape\)"):
        make_experiment(tmp_path, callbacks=[AdaptationCallback(run, verbose=0)])


def test_a_task_with_the_signal_of_another_run_is_refused(
    run: Run, tmp_path: Path
) -> None:
    other = Run(TASK, tmp_path / "other")
    task = shaped_task(ParallelTask(make_corridor, max_steps=8), other.shape)
    with pytest.raises(ConfigurationError, match="no signal of this run"):
        make_experiment(tmp_path, task, callbacks=[AdaptationCallback(run, verbose=0)])
    other.close()


def test_a_signal_is_put_around_a_task_once(run: Run) -> None:
    task = shaped_task(ParallelTask(make_corridor, max_steps=8), run.shape)
    with pytest.raises(ConfigurationError, match="has a signal already"):
        shaped_task(task, run.shape)


def test_what_is_no_task_is_refused(run: Run) -> None:
    wrong: Any = Corridor()
    with pytest.raises(ConfigurationError, match="ParallelTask"):
        shaped_task(wrong, run.shape)
    with pytest.raises(ConfigurationError, match="get_from_yaml"):
        shaped_task(PettingZooTask.SIMPLE_SPREAD, run.shape)


def test_what_is_no_parallel_environment_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must make a parallel environment"):
        ParallelTask(lambda: gym.make("CartPole-v1"), max_steps=8)


def test_collecting_with_gradients_is_refused(tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path, None, IppoConfig, collect_with_grad=True)
    with pytest.raises(ConfigurationError, match="collect_with_grad to False"):
        BenchMARLTrainer(experiment)


def test_a_snapshot_of_another_experiment_is_refused(tmp_path: Path) -> None:
    trainer = BenchMARLTrainer(make_experiment(tmp_path))
    trainer.snapshot(tmp_path / "snapshot")
    longer = ParallelTask(lambda: Corridor(agents=3), max_steps=8)
    other = BenchMARLTrainer(
        make_experiment(tmp_path, longer, share_policy_params=False)
    )
    with pytest.raises(ConfigurationError, match="does not fit the experiment"):
        other.adopt(tmp_path / "snapshot")
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="is no snapshot"):
        other.adopt(tmp_path / "broken")
