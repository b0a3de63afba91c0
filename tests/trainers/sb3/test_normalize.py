"""Statistics of VecNormalize: of observations they stay, of rewards they begin anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.snapshots import share_statistics
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape

TASK = Task("Walk.", corridor_features())
GAMMA = 0.99


def pays(weight: float) -> Signal:
    term = Term(name="on", kind="bonus", expression="place", weight=weight, bound=500.0)
    return Signal(terms=(term,))


def plain_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 4)


def make_venv(shape: Callable[[Any], Any]) -> VecNormalize:
    return VecNormalize(plain_venv(shape), clip_reward=np.inf)


def trained(folder: Path, weight: float) -> SB3Trainer:
    posting = Posting(version=1, signal=pays(weight), gamma=GAMMA)
    shape = Shape(TASK, Board.create(folder / "board", posting))
    model = PPO(
        "MlpPolicy", make_venv(shape), n_steps=32, n_epochs=1, seed=0, device="cpu"
    )
    model.learn(8192)
    return SB3Trainer(model, make_venv, 100_000)


def statistics(snapshot: Path) -> dict[str, Any]:
    with np.load(snapshot) as file:
        return {
            name.removeprefix("statistics/"): file[name]
            for name in file.files
            if name.startswith("statistics/")
        }


@pytest.mark.parametrize("new_signal", [True, False])
def test_a_signal_100_times_larger(new_signal: bool, tmp_path: Path) -> None:
    trainer = trained(tmp_path, 1.0)
    start, end = tmp_path / "start", tmp_path / "end"
    trainer.snapshot(start)
    before = statistics(start)
    posting = Posting(version=1, signal=pays(100.0), gamma=GAMMA)
    shape = Shape(TASK, Board.create(tmp_path / "branch", posting))
    trainer.fork()(start, shape, 1, 1024, new_signal=new_signal, end=end)
    after = statistics(end)
    # A training on the larger signal from the start says what its rewards are like.
    trained(tmp_path / "large", 100.0).snapshot(tmp_path / "other")
    wanted = statistics(tmp_path / "other")
    found = np.sqrt(after["rewards.var"] / wanted["rewards.var"])
    if new_signal:
        assert 0.8 < found < 1.25
        assert after["rewards.count"] == 8 + 1024  # the weight of a step, and all since
    else:
        assert found < 0.7  # and much would be paid for long
    assert after["observations.count"] > before["observations.count"] + 1024
    np.testing.assert_allclose(
        after["observations.mean"], before["observations.mean"], atol=0.2
    )


def test_evaluation_shares_statistics_of_observations(tmp_path: Path) -> None:
    trainer = trained(tmp_path, 1.0)
    venv = share_statistics(trainer.model, make_venv(lambda env: env))
    assert isinstance(venv, VecNormalize)
    own = trainer.model.get_vec_normalize_env()
    assert own is not None
    own_statistics: Any = own.obs_rms
    before = own_statistics.count
    venv.seed(3)
    seen = venv.reset()
    raw = venv.get_original_obs()
    np.testing.assert_array_equal(seen, own.normalize_obs(raw))
    for _ in range(8):
        _, rewards, _, _ = venv.step(np.full(8, 2))
    assert own_statistics.count == before
    assert set(np.unique(rewards)) <= {0.0, 1.0}


def test_a_factory_without_it_is_refused(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    model = PPO("MlpPolicy", make_venv(run.shape), n_steps=32, device="cpu")
    callback = AdaptationCallback(run, plain_venv, every=4096, verbose=0)
    with pytest.raises(ConfigurationError, match="put it into make_venv"):
        model.learn(16_384, callback)
