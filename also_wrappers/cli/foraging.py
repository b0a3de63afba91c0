"""What the demo trains: the same PPO, adapted, and on base reward alone beside it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from also_wrappers.branches.executors import follow_parent
from also_wrappers.catalog import lbforaging
from also_wrappers.files import write_atomic, write_json
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.trainer import EnoughError, MakeVecEnv
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__all__ = ["evaluate_model", "make_factory", "make_model", "train_base_only"]

_COPIES = 16
_EVALUATION_SEED = 1_000_000


def make_factory(env_id: str) -> MakeVecEnv:
    """Makes the training environments."""

    def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
        return PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(env_id)), _COPIES)

    return make_venv


def make_model(venv: VecEnv, seed: int) -> PPO:
    """PPO with shared parameters."""
    return PPO(
        "MlpPolicy",
        venv,
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        gamma=0.99,
        policy_kwargs={"net_arch": [128, 128]},
        seed=seed,
        device="cpu",
    )


def evaluate_model(
    model: PPO, make_venv: MakeVecEnv, episodes: int, seed: int
) -> dict[str, Any]:
    """Base return of the stochastic policy, without shaping."""
    venv = make_venv(lambda env: env)
    torch.manual_seed(_EVALUATION_SEED + seed)
    returns, steps = evaluate(
        lambda observations: model.predict(observations, deterministic=False)[0],
        venv,
        episodes,
        _EVALUATION_SEED + seed,
    )
    indices = venv.num_envs
    venv.close()
    mean = sum(returns) / len(returns)
    variance = sum((value - mean) ** 2 for value in returns) / (len(returns) - 1)
    return {
        "mean": mean,
        "std": variance**0.5,
        "episodes": len(returns),
        "env_steps": steps * _COPIES // indices,
    }


def train_base_only(run_dir: Path, env_id: str, seed: int, episodes: int) -> None:
    """Trains on base reward alone, up to the steps that the adapted run has spent.

    To be run in a process of its own, beside the adapted run.
    """
    follow_parent()
    torch.set_num_threads(1)
    folder = run_dir / "base_only"
    folder.mkdir(exist_ok=True)
    make_venv = make_factory(env_id)
    venv = VecMonitor(make_venv(lambda env: env))
    checkpoint = folder / "model.zip"
    if checkpoint.exists():
        model = PPO.load(checkpoint, env=venv, device="cpu")
    else:
        model = make_model(venv, seed)
    with contextlib.suppress(EnoughError):
        model.learn(10**9, callback=_Follow(run_dir), reset_num_timesteps=False)
    model.save(checkpoint)
    write_json(
        folder / "result.json",
        {
            "env_steps": model.num_timesteps * _COPIES // venv.num_envs,
            "evaluation": evaluate_model(model, make_venv, episodes, seed),
        },
    )


class _Follow(BaseCallback):
    """Trains no further than the adapted run's total, and stops where it stopped."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self._ledger = run_dir / "ledger.jsonl"
        self._folder = run_dir / "base_only"
        self._saved_policy = run_dir / "model.zip"
        self._allowed = 0
        self._last = ""
        self._position = 0
        self._saved = 0

    def _on_rollout_start(self) -> None:
        while self.model.num_timesteps >= self._allowed:
            # The adapted policy is saved after the last event; without it, a resumed
            # run will train on and spend more.
            if self._last == "run_finished" and self._saved_policy.exists():
                raise EnoughError
            self._look()
            time.sleep(0.05)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        returns = [info["r"] for info in self.model.ep_info_buffer or []]
        if returns:
            line = {
                "trainer_steps": self.model.num_timesteps,
                "mean": float(sum(returns) / len(returns)),
            }
            with (self._folder / "curve.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if self.model.num_timesteps - self._saved >= 100_000:
            self._saved = self.model.num_timesteps
            temporary = self._folder / "saving.zip"
            self.model.save(temporary)
            write_atomic(self._folder / "model.zip", temporary.read_bytes())

    def _look(self) -> None:
        """Reads what was appended to the ledger since the last look."""
        with self._ledger.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                event = json.loads(line)
                self._allowed = event["trainer_steps"]["total"]
                self._last = event["event"]
