"""The pull of an expert, in a run and in its branches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch as th
from sb3_contrib import QRDQN
from stable_baselines3 import DQN, PPO

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_restored
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.run.run import Run
from also_wrappers.signal import Fade, Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.replay_buffer import ShapedReplayBuffer
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape
from tests.support.trainers import TASK, WITH_ACTIONS, WITH_EXPERT

ON = Signal(expert=WITH_EXPERT.expert)
ALGORITHMS = [PPO, DQN, QRDQN]
Act = Callable[[Any], None]


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 4)


class Pulled(AdaptationCallback):
    """A run that keeps its pulls, and calls a function at one of its pauses."""

    def __init__(self, run: Run, act: Act | None = None, at: int = 512) -> None:
        super().__init__(run, make_venv, budget=0.0, first=10**6, verbose=0)
        self.pulls: list[float] = []
        self._act = act
        self._at = at

    @property
    def earned(self) -> Earned:
        return self._earned

    def _on_rollout_start(self) -> None:
        posting = self.adaptation.run.board.read()
        self.pulls.append(posting.pull(self._earned.mean))
        super()._on_rollout_start()
        if self._act is not None and self.num_timesteps >= self._at:
            self._act(self)
            self._act = None


def make_model(shape: Callable[[Any], Any], algorithm: Any = PPO) -> Any:
    settings: dict[str, Any] = {"n_steps": 16}
    width = {"n_quantiles": 7} if algorithm is QRDQN else {}
    if algorithm is not PPO:
        settings = {
            "learning_starts": 128,
            "exploration_fraction": 0.1,
            "replay_buffer_class": ShapedReplayBuffer,
            "replay_buffer_kwargs": {"shape": shape},
            "buffer_size": 600,  # wraps around
        }
    return algorithm(
        "MlpPolicy",
        make_venv(shape),
        batch_size=64,
        learning_rate=1e-3,
        policy_kwargs={"net_arch": [16], **width},
        seed=3,
        device="cpu",
        **settings,
    )


def learned(
    folder: Path,
    posting: Posting,
    steps: int = 1024,
    act: Act | None = None,
    algorithm: Any = PPO,
    task: Task = WITH_ACTIONS,
) -> tuple[Any, Pulled]:
    """Trains in a run on whose board an expert was posted beforehand."""
    run = Run(task, folder)
    run.board.post(posting.model_copy(update={"version": 1, "gamma": 0.99}))
    model = make_model(run.shape, algorithm)
    callback = Pulled(run, act)
    model.learn(steps, callback)
    run.close()
    return model, callback


def same(one: Any, other: Any) -> bool:
    states = one.policy.state_dict(), other.policy.state_dict()
    return all(th.equal(a, b) for a, b in zip(*map(dict.values, states), strict=True))


def test_the_pull_falls_as_the_policy_earns_what_was_promised(tmp_path: Path) -> None:
    _, callback = learned(tmp_path / "run", Posting(signal=ON, promised=0.9), 6144)
    assert callback.pulls[0] == 1.0
    assert callback.earned.mean > 0.8
    assert callback.pulls[-1] < 0.2
    assert any(0.2 < pull < 0.9 for pull in callback.pulls)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_expert_that_earns_nothing_pulls_nothing(
    algorithm: Any, tmp_path: Path
) -> None:
    nothing = Posting(signal=ON, promised=0.0)
    worthless, callback = learned(tmp_path / "1", nothing, algorithm=algorithm)
    assert set(callback.pulls) == {0.0}
    alone, _ = learned(tmp_path / "2", Posting(), algorithm=algorithm)
    unknown, _ = learned(tmp_path / "3", Posting(), algorithm=algorithm, task=TASK)
    pulled, _ = learned(tmp_path / "4", Posting(signal=ON), algorithm=algorithm)
    assert same(worthless, alone)
    assert same(unknown, alone), "as where no expert can be"
    assert not same(pulled, alone)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_that_is_saved_and_forked_goes_on_bit_identically(
    algorithm: Any, tmp_path: Path
) -> None:
    posting = Posting(version=1, signal=ON, promised=0.5, gamma=0.99)
    ends: list[Any] = []

    def fork(callback: Pulled) -> None:
        trainer = callback._trainer
        assert trainer is not None
        with randomness_restored():
            trainer.snapshot(tmp_path / "snapshot")
            for number in range(3):
                board = Board.create(tmp_path / str(number), posting)
                seed, end = 7 + number // 2, tmp_path / f"{number}.end"
                shape = Shape(WITH_ACTIONS, board)
                trainer.fork()(tmp_path / "snapshot", shape, seed, 256, end=end)
                model = make_model(shape, algorithm)
                other = SB3Trainer(model, make_venv, 1024)
                other.adopt(tmp_path / "snapshot")
                assert other.earned == callback.earned
                other.adopt(end)
                ends.append(other)

    plain, uninterrupted = learned(tmp_path / "plain", posting, algorithm=algorithm)
    forked, callback = learned(
        tmp_path / "forked", posting, act=fork, algorithm=algorithm
    )
    assert same(plain, forked)
    assert callback.pulls == uninterrupted.pulls
    assert callback.earned.episodes > 40
    first, again, different = ends
    assert same(first.model, again.model)
    assert first.earned == again.earned
    assert first.earned.episodes > callback.earned.episodes // 2
    assert not same(first.model, different.model)


def test_what_is_earned_stays_in_a_resumed_run(tmp_path: Path) -> None:
    posting = Posting(signal=ON, promised=0.5)
    earned: list[Earned] = []

    def save(callback: Pulled) -> None:
        trainer = callback._trainer
        assert trainer is not None
        earned.append(Earned(callback.earned.mean, callback.earned.episodes))
        callback.adaptation._lineage.save("round", trainer)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path / "run", posting, act=save)
    run = Run(WITH_ACTIONS, tmp_path / "run", resume=True)
    model = make_model(run.shape)

    def check(callback: Pulled) -> None:
        assert callback.earned == earned[0]
        assert run.board.read().promised == 0.5
        assert run.board.read().signal == ON

    callback = Pulled(run, check, at=0)
    model.learn(1024, callback)
    run.close()
    assert callback._act is None
    assert earned[0].episodes > 20


def test_snapshots_without_actions_hold_nothing_more(tmp_path: Path) -> None:
    model = PPO("MlpPolicy", make_venv(lambda env: env), n_steps=16, batch_size=16)
    trainer = SB3Trainer(model, make_venv, 1024)
    trainer.snapshot(tmp_path / "snapshot")
    trainer.earned.add(0.7)
    trainer.adopt(tmp_path / "snapshot")
    assert trainer.earned == Earned()
    assert b"earned" not in (tmp_path / "snapshot").read_bytes()


def test_a_branch_that_loses_infos_says_so(tmp_path: Path) -> None:
    class Silent(PettingZooVecEnv):
        def step_wait(self) -> Any:
            observations, rewards, dones, _ = super().step_wait()
            return observations, rewards, dones, [{} for _ in dones]

        def reset(self) -> Any:
            observations = super().reset()
            self.reset_infos = [{} for _ in self.reset_infos]
            return observations

    def silent(shape: Callable[[Any], Any]) -> Any:
        return Silent(lambda: shape(Corridor(length=4, limit=20)), 4)

    model = PPO("MlpPolicy", silent(lambda env: env), n_steps=16, batch_size=16)
    trainer = SB3Trainer(model, silent, 1024)
    trainer.snapshot(tmp_path / "snapshot")
    board = Board.create(tmp_path / "board", Posting(version=1, signal=ON, gamma=0.9))
    with pytest.raises(ConfigurationError, match="told what the expert advises"):
        trainer.fork()(tmp_path / "snapshot", Shape(WITH_ACTIONS, board), 0, 64)


def test_the_pull_follows_strength_fade_and_promise() -> None:
    posting = Posting(signal=ON, strength=0.5, fade=Fade(begin=0, end=10))
    assert posting.pull(0.3) == 0.5
    assert posting.pull(0.3, 5) == 0.25
    assert posting.pull(0.3, 10) == 0.0
    # Where rewards are costs, the way to the promise counts in the promise's size.
    costly = Posting(signal=ON, promised=-10.0)
    assert [costly.pull(e) for e in (-40.0, -15.0, -10.0, -5.0)] == [1, 0.5, 0, 0]
    assert Posting(promised=1.0).pull(0.0) == 0.0
