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
        "import sys; sys.modules['tianshou'] = None\n"
        "try:\n"
        "    import also_wrappers.trainers.tianshou\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'also-wrappers[tianshou]'" in result.stdout


pytest.importorskip("tianshou")

from tianshou.algorithm import DQN, PPO, Reinforce  # noqa: E402
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy  # noqa: E402
from tianshou.algorithm.optim import AdamOptimizerFactory  # noqa: E402
from tianshou.data import Collector, VectorReplayBuffer  # noqa: E402
from tianshou.env import DummyVectorEnv  # noqa: E402
from tianshou.trainer import OffPolicyTrainerParams  # noqa: E402
from tianshou.utils.net.common import Net  # noqa: E402

from also_wrappers.exceptions import ConfigurationError  # noqa: E402
from also_wrappers.run.run import Run  # noqa: E402
from also_wrappers.trainers.tianshou import AdaptedTrainer  # noqa: E402
from tests.support.tianshou import (  # noqa: E402
    NormalizedHarness,
    TianshouHarness,
    make_corridors,
    make_discrete,
    make_params,
)
from tests.support.trainers import TASK  # noqa: E402


@pytest.fixture
def run(tmp_path: Path) -> Any:
    with_board = Run(TASK, tmp_path / "run")
    yield with_board
    with_board.close()


def training(run: Run, **changes: Any) -> AdaptedTrainer:
    venv = make_corridors(run.shape)
    algorithm = make_discrete(PPO, venv)
    params = make_params(algorithm, venv, **changes)
    return AdaptedTrainer(algorithm, params, run, make_corridors, verbose=0)


def test_learners_with_a_replay_buffer_are_refused(run: Run) -> None:
    venv = make_corridors(run.shape)
    net = Net(state_shape=(2,), action_shape=(3,), hidden_sizes=[8])
    policy = DiscreteQLearningPolicy(model=net, action_space=venv.action_space[0])
    algorithm: Any = DQN(policy=policy, optim=AdamOptimizerFactory())
    collector = Collector(algorithm, venv, VectorReplayBuffer(256, 4))
    params: Any = OffPolicyTrainerParams(training_collector=collector)
    with pytest.raises(ConfigurationError, match="DQN learns from a replay buffer"):
        AdaptedTrainer(algorithm, params, run, make_corridors)


def test_learners_without_a_critic_are_refused(run: Run) -> None:
    venv = make_corridors(run.shape)
    policy = make_discrete(PPO, venv).policy
    algorithm = Reinforce(policy=policy, optim=AdamOptimizerFactory())
    params = make_params(algorithm, venv)
    with pytest.raises(ConfigurationError, match="without a critic"):
        AdaptedTrainer(algorithm, params, run, make_corridors)


def test_what_is_no_algorithm_is_refused(run: Run) -> None:
    wrong: Any = "PPO"
    venv = make_corridors(run.shape)
    params = make_params(make_discrete(PPO, venv), venv)
    with pytest.raises(ConfigurationError, match="'PPO' is no algorithm of Tianshou"):
        AdaptedTrainer(wrong, params, run, make_corridors)


def test_rollouts_of_whole_episodes_are_refused(run: Run) -> None:
    changes = {"collection_step_num_env_steps": None, "collection_step_num_episodes": 4}
    with pytest.raises(ConfigurationError, match="collection_step_num_env_steps"):
        training(run, **changes)


def test_a_buffer_that_is_too_small_is_refused(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="for 256 steps, and each rollout has"):
        training(run, collection_step_num_env_steps=512)


def test_a_collector_of_another_policy_is_refused(run: Run) -> None:
    venv = make_corridors(run.shape)
    collector = Collector(make_discrete(PPO, venv), venv, VectorReplayBuffer(256, 4))
    with pytest.raises(ConfigurationError, match="plays another policy"):
        training(run, training_collector=collector)


def test_environments_without_the_signal_are_refused(run: Run) -> None:
    venv = make_corridors(lambda env: env)
    algorithm = make_discrete(PPO, venv)
    params = make_params(algorithm, venv)
    trainer = AdaptedTrainer(algorithm, params, run, make_corridors, verbose=0)
    with pytest.raises(ConfigurationError, match=r"make_venv\(run.shape\)"):
        trainer.run()


def test_environments_at_times_of_their_own_are_refused(run: Run) -> None:
    venv = DummyVectorEnv([lambda: gym.make("CartPole-v1")] * 4, wait_num=2)
    algorithm = make_discrete(PPO, venv)
    collector = Collector(algorithm, venv, VectorReplayBuffer(256, 4))
    params = make_params(algorithm, venv, training_collector=collector)
    with pytest.raises(ConfigurationError, match="leave wait_num and timeout out"):
        AdaptedTrainer(algorithm, params, run, make_corridors)


def test_a_snapshot_of_another_training_is_refused(tmp_path: Path) -> None:
    trainer = TianshouHarness().make(lambda env: env)
    trainer.snapshot(tmp_path / "snapshot")
    other = NormalizedHarness().make(lambda env: env)
    with pytest.raises(ConfigurationError, match="does not fit the training"):
        other.adopt(tmp_path / "snapshot")
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="is no snapshot"):
        other.adopt(tmp_path / "broken")
