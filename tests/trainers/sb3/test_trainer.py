"""Forks of SB3 models: exact, and without a trace in the parent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Request
from also_wrappers.signal import Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.trainer import SB3Trainer, check_model
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

TOTAL = 1280
TASK = Task("walk to the end", corridor_features())


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor()), 4)


def make_model(algorithm: Any, seed: int = 3) -> Any:
    settings: dict[str, Any] = {"n_steps": 16, "policy_kwargs": {"net_arch": [8]}}
    if algorithm is PPO:
        settings |= {
            "batch_size": 64,
            "n_epochs": 2,
            "learning_rate": lambda progress: 1e-3 * progress,
            "clip_range": lambda progress: 0.1 + 0.2 * progress,
        }
    venv = make_venv(lambda env: env)
    return algorithm("MlpPolicy", venv, seed=seed, device="cpu", **settings)


def order(trainer: SB3Trainer, seed: int, folder: Path, name: str = "") -> BranchOrder:
    """A branch from here whose end goes into the same folder."""
    start = folder / f"start-{seed}{name}"
    trainer.snapshot(start)
    return BranchOrder(
        Request(0, "screen", 0),
        trainer.fork(),
        TASK,
        Posting(version=1, signal=Signal(), gamma=0.99),
        start,
        seed,
        256,
        scored_from=128,
        end=folder / f"end-{seed}{name}",
    )


class Pause(BaseCallback):
    """Calls a function once, at the third rollout start."""

    def __init__(self, act: Callable[[SB3Trainer], None]) -> None:
        super().__init__()
        self._act = act
        self._rollouts = 0

    def _on_rollout_start(self) -> None:
        self._rollouts += 1
        if self._rollouts == 3:
            assert isinstance(self.model, A2C | PPO)
            self._act(SB3Trainer(self.model, make_venv, TOTAL))

    def _on_step(self) -> bool:
        return True


def parameters(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(2)])
@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_a_fork_changes_nothing_in_the_parent(
    algorithm: Any, executor: Executor, tmp_path: Path
) -> None:
    plain = make_model(algorithm)
    plain.learn(TOTAL)
    results: list[BranchResult] = []

    def branch(trainer: SB3Trainer) -> None:
        orders = [order(trainer, seed, tmp_path) for seed in (11, 12)]
        results.extend(executor.run(orders))

    paused = make_model(algorithm)
    paused.learn(TOTAL, callback=Pause(branch))
    assert [result.error for result in results] == ["", ""]
    assert same(parameters(plain), parameters(paused))
    assert plain.num_timesteps == paused.num_timesteps


def test_a_branch_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    left: list[Path] = []

    def branch(trainer: SB3Trainer) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(temporary))
            (result,) = SerialExecutor().run([order(trainer, 11, tmp_path)])
        assert result.ok, result.error
        left.extend(temporary.iterdir())

    make_model(PPO).learn(TOTAL, callback=Pause(branch))
    assert left == []


def test_branches_are_decided_by_their_seed_alone(tmp_path: Path) -> None:
    found: dict[str, BranchResult] = {}

    def branch(trainer: SB3Trainer) -> None:
        for name, seed, executor in (
            ("first", 11, SerialExecutor()),
            ("again", 11, ProcessExecutor(1)),
            ("other", 12, SerialExecutor()),
        ):
            (found[name],) = executor.run([order(trainer, seed, tmp_path, name)])

    make_model(PPO).learn(TOTAL, callback=Pause(branch))
    learned = {}
    for name, result in found.items():
        assert result.ok, result.error
        assert result.steps == 256
        model = make_model(PPO)
        assert result.snapshot is not None
        SB3Trainer(model, make_venv, TOTAL).adopt(result.snapshot)
        learned[name] = parameters(model)
    assert same(learned["first"], learned["again"])
    assert not same(learned["first"], learned["other"])
    assert found["first"].score == found["again"].score


def test_a_branch_follows_the_parents_schedules(tmp_path: Path) -> None:
    rates: list[float] = []

    def branch(trainer: SB3Trainer) -> None:
        (result,) = SerialExecutor().run([order(trainer, 11, tmp_path)])
        assert result.snapshot is not None
        model = make_model(PPO)
        other = SB3Trainer(model, make_venv, TOTAL)
        other.adopt(result.snapshot)
        assert other.steps == trainer.steps + 256
        rates.append(model._current_progress_remaining)
        rates.append(model.policy.optimizer.param_groups[0]["lr"])

    paused = make_model(PPO)
    paused.learn(TOTAL, callback=Pause(branch))
    # Two rollouts of 128 steps before the pause, two in the branch.
    assert rates[0] == pytest.approx(1.0 - 512 / TOTAL)
    assert rates[1] == pytest.approx(1e-3 * rates[0])


def test_adopting_moves_the_living_model(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def branch(trainer: SB3Trainer) -> None:
        (result,) = SerialExecutor().run([order(trainer, 11, tmp_path)])
        assert result.snapshot is not None
        before = trainer.model.get_env()
        last = trainer.model._last_obs
        trainer.adopt(result.snapshot)
        seen["steps"] = trainer.steps
        assert trainer.model.get_env() is before
        assert trainer.model._last_obs is last

    model = make_model(PPO)
    model.learn(TOTAL, callback=Pause(branch))
    assert seen["steps"] == 512
    assert model.num_timesteps == TOTAL


def test_what_cannot_be_forked_is_refused() -> None:
    venv = make_venv(lambda env: env)
    with pytest.raises(ConfigurationError, match="keeps the rewards of earlier"):
        check_model(DQN("MlpPolicy", venv, buffer_size=100))
    with pytest.raises(ConfigurationError, match="VecNormalize clips rewards at 10"):
        check_model(PPO("MlpPolicy", VecNormalize(venv), device="cpu"))
    check_model(PPO("MlpPolicy", VecNormalize(venv, norm_reward=False), device="cpu"))
    bare: Any = PPO
    with pytest.raises(ConfigurationError, match="the PPO has no environment"):
        check_model(bare("MlpPolicy", None, _init_setup_model=False))
    with pytest.raises(ConfigurationError, match="object is no algorithm"):
        check_model(object())


def test_drift_is_measured_on_the_same_observations() -> None:
    model = make_model(PPO)
    trainer = SB3Trainer(model, make_venv, 2048)
    assert trainer.policy_drift() is None  # nothing was observed yet
    model.learn(256)
    trainer.observe()
    assert trainer.policy_drift() is None  # the first look
    assert trainer.policy_drift() == pytest.approx([0.0, 0.0], abs=1e-7)
    model.learn(512, reset_num_timesteps=False)
    trainer.observe()
    assert len(trainer._probes) == 1
    drift = trainer.policy_drift()
    assert drift is not None
    assert min(drift) > 1e-6


def test_drift_is_told_per_agent() -> None:
    model = make_model(PPO)
    trainer = SB3Trainer(model, make_venv, 2048)
    # Four copies of two agents, of which only the second one sees its first feature.
    seen = np.tile(np.array([[0.0, 0.0], [1.0, 0.0]], np.float32), (4, 1))
    model._last_obs = seen
    trainer.observe()
    trainer.policy_drift()
    policy: Any = model.policy
    with torch.no_grad():
        policy.mlp_extractor.policy_net[0].weight[:, 0] += 1.0
    drift = trainer.policy_drift()
    assert drift is not None
    assert drift[0] == pytest.approx(0.0, abs=1e-9)
    assert drift[1] > 1e-6


class Fails(SB3Trainer):
    """A trainer whose branches fail in a chosen way."""

    def fork(self) -> Any:
        return _failing


class _Failing:
    preload = ()

    def warm(self) -> None:
        """Has nothing to do."""

    def __call__(
        self,
        start: Path,
        shape: Any,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> Any:
        import os
        import time

        if seed == 1:
            raise ValueError("no such weather")
        if seed == 2:
            os._exit(9)
        time.sleep(60)


_failing = _Failing()


def test_a_branch_that_dies_costs_that_branch(tmp_path: Path) -> None:
    trainer = SB3Trainer(make_model(PPO), make_venv, TOTAL)
    broken = Fails(trainer.model, make_venv, TOTAL)
    orders = [
        order(parent, seed, tmp_path)
        for parent, seed in ((broken, 1), (broken, 2), (trainer, 5), (broken, 3))
    ]
    results = list(ProcessExecutor(2, timeout=15.0).run(orders))
    errors = {result.seed: result.error for result in results}
    assert "ValueError: no such weather" in errors[1]
    assert "exit code 9" in errors[2]
    assert "within 15 seconds" in errors[3]
    assert errors[5] == ""
