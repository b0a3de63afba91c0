"""What cannot be forked is refused before training, in a sentence."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def test_a_missing_extra_is_a_sentence() -> None:
    for missing in ("ray", "tree"):
        code = (
            f"import sys; sys.modules[{missing!r}] = None\n"
            "try:\n"
            "    import also_wrappers.trainers.rllib\n"
            "except ImportError as error:\n"
            "    print(error)\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert "pip install 'also-wrappers[rllib]'" in result.stdout


pytest.importorskip("ray.rllib", exc_type=ImportError)

import cloudpickle  # noqa: E402
from ray.rllib.algorithms.appo import APPOConfig  # noqa: E402
from ray.rllib.algorithms.dqn import DQNConfig  # noqa: E402
from ray.rllib.algorithms.impala import IMPALAConfig  # noqa: E402
from ray.rllib.algorithms.ppo import PPOConfig  # noqa: E402
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv  # noqa: E402

from also_wrappers.exceptions import ConfigurationError  # noqa: E402
from also_wrappers.run.run import Run  # noqa: E402
from also_wrappers.testing import Corridor  # noqa: E402
from also_wrappers.trainers.rllib import (  # noqa: E402
    AdaptationCallback,
    RLlibTrainer,
    shaped_config,
)
from tests.support.rllib import (  # noqa: E402
    make_cartpole,
    make_config,
    make_corridor,
    make_shared,
)
from tests.support.trainers import TASK  # noqa: E402


@pytest.fixture
def run(tmp_path: Path) -> Any:
    with_board = Run(TASK, tmp_path / "run")
    yield with_board
    with_board.close()


def plain(env: Any) -> Any:
    return env


def check_refused(config: Any, match: str) -> None:
    algorithm = config.build_algo()
    try:
        with pytest.raises(ConfigurationError, match=match):
            RLlibTrainer(algorithm, 4096)
    finally:
        algorithm.stop()


@pytest.mark.parametrize("make", [IMPALAConfig, APPOConfig])
def test_algorithms_that_never_rest_are_refused(make: Any) -> None:
    config = make().env_runners(num_env_runners=0).learners(num_learners=0)
    shaped_config(config, make_cartpole, plain)
    check_refused(config, r"nowhere at rest; use PPO")


def test_learners_with_a_replay_buffer_are_refused() -> None:
    config = DQNConfig().env_runners(num_env_runners=0)
    check_refused(shaped_config(config, make_cartpole, plain), "DQN learns from what")


def test_the_old_stack_is_refused() -> None:
    config = PPOConfig().api_stack(
        enable_rl_module_and_learner=False, enable_env_runner_and_connector_v2=False
    )
    config = config.env_runners(num_env_runners=0)
    check_refused(shaped_config(config, make_cartpole, plain), "old API stack")


def test_counting_the_steps_of_agents_is_refused() -> None:
    config = make_shared().multi_agent(count_steps_by="agent_steps")
    shaped_config(config, make_corridor, plain)
    check_refused(config, 'count_steps_by="env_steps"')


def test_environments_of_others_are_refused() -> None:
    check_refused(make_config().environment("CartPole-v1"), r"shaped_config\(config")


def test_evaluations_with_the_signal_are_refused(run: Run) -> None:
    config = shaped_config(make_shared(), make_corridor, run.shape)
    config.evaluation(
        evaluation_interval=1, evaluation_num_env_runners=0, evaluation_config={}
    )
    config.evaluation_config = {}
    check_refused(config, r"after config.evaluation\(...\)")


def test_what_is_no_algorithm_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="an algorithm of RLlib is wanted"):
        RLlibTrainer(make_config(), 4096)


def test_environments_without_the_signal_of_the_run_are_refused(run: Run) -> None:
    config = shaped_config(make_shared(), make_corridor, plain)
    with pytest.raises(ConfigurationError, match="pay no signal of this run"):
        config.callbacks(AdaptationCallback(run, 4096, verbose=0)).build_algo()


def test_an_algorithm_in_another_process_than_its_run_is_refused(run: Run) -> None:
    config = shaped_config(make_shared(), make_corridor, plain)
    config.callbacks(AdaptationCallback(run, 4096, verbose=0))
    sent = pickle.loads(cloudpickle.dumps(config))
    with pytest.raises(ConfigurationError, match="inside the trial's function"):
        sent.build_algo()


@pytest.mark.parametrize(
    ("config", "make_env", "match"),
    [
        (make_config(), make_corridor, r"\.multi_agent\("),
        (make_shared(), make_cartpole, "leave .multi_agent"),
        (make_config(), object, "made a object"),
        (
            make_shared(),
            lambda: ParallelPettingZooEnv(make_corridor()),
            "parallel environment of PettingZoo",
        ),
        ({}, make_cartpole, r"such as PPOConfig\(\)"),
    ],
)
def test_environments_that_do_not_fit_are_refused(
    config: Any, make_env: Any, match: str
) -> None:
    with pytest.raises(ConfigurationError, match=match):
        shaped_config(config, make_env, plain)


def test_what_cannot_be_sent_is_refused(run: Run) -> None:
    import threading

    lock = threading.Lock()

    def make_env() -> Corridor:
        assert lock is not None
        return make_corridor()

    with pytest.raises(ConfigurationError, match="make_env cannot be sent"):
        shaped_config(make_shared(), make_env, run.shape)


def test_a_board_that_a_runner_cannot_see_is_a_sentence(run: Run) -> None:
    config = shaped_config(make_shared(runners=1), make_corridor, run.shape)
    shutil.rmtree(run.board.path)
    check_refused(config, "a run directory that all machines share")


def test_a_snapshot_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    algorithm = shaped_config(make_shared(), make_corridor, plain).build_algo()
    trainer = RLlibTrainer(algorithm, 4096)
    trainer.snapshot(tmp_path / "snapshot")
    one = shaped_config(make_config(), make_cartpole, plain).build_algo()
    other = RLlibTrainer(one, 4096)
    with pytest.raises(ConfigurationError, match="does not fit the algorithm"):
        other.adopt(tmp_path / "snapshot")
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="is no snapshot"):
        other.adopt(tmp_path / "broken")
    with pytest.raises(ConfigurationError, match="not imitated"):
        trainer.audition(plain, 2, 0, 0.0)
    algorithm.stop()
    one.stop()
