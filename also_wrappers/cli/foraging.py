"""What the demo trains: the same PPO, adapted, and on base reward alone beside it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from also_wrappers.branches.executors import follow_parent
from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_atomic
from also_wrappers.ledger.events import RunFinished
from also_wrappers.ledger.ledger import LedgerReader, last_event
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.fork import EnoughError, MakeVecEnv
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__all__ = [
    "DESCRIPTION",
    "evaluate_model",
    "is_finished",
    "load_model",
    "make_factory",
    "make_model",
    "make_task",
    "recorded_expert",
    "save_model",
    "train_base_only",
]

DESCRIPTION = (
    "Agents on a grid collect foods. A food is collected when agents whose levels "
    "sum to at least its level stand next to it and load in the same step; in this "
    "variant every food needs all agents. The team is paid only when a food is "
    "collected."
)
_COPIES = 16
_RECORDED = Path(__file__).parent / "experts"
_EVALUATION_SEED = 1_000_000
#: Seconds between two looks at the adapted run's ledger.
_INTERVAL = 0.05


def make_task(env_id: str) -> Task:
    """Declares the task of a foraging environment.

    Experts can be tried where agents see the whole field.

    Raises:
        ConfigurationError: There is no such environment.
    """
    probe = lbforaging.parallel_env(env_id)
    success = "base_return >= 0.99"
    try:
        features = lbforaging.features(probe, experts=True)
    except ConfigurationError:
        return Task(DESCRIPTION, lbforaging.features(probe), success=success)
    actions = lbforaging.actions(probe)
    return Task(DESCRIPTION, features, success=success, actions=actions)


def recorded_expert(env_id: str) -> Signal:
    """Reads the expert that a large language model wrote for an environment.

    The model was told the vocabulary, the actions and two sentences on the task, and
    had seen no episode.

    Raises:
        ConfigurationError: No expert was recorded for the environment.
    """
    path = _RECORDED / f"{env_id}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in _RECORDED.glob("*.json")))
        raise ConfigurationError(
            f"no expert was recorded for {env_id}; there is one for {there}"
        )
    return Signal.model_validate_json(path.read_text())


def make_factory(env_id: str) -> MakeVecEnv:
    """Returns what makes the training environments."""

    def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
        return PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(env_id)), _COPIES)

    return make_venv


def make_model(venv: VecEnv, seed: int) -> PPO:
    """Makes a PPO model with shared parameters."""
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


def save_model(model: PPO, run_dir: Path) -> None:
    """Writes the trained model beside the ledger of its finished run."""
    data = io.BytesIO()
    model.save(data)
    write_atomic(run_dir / "model.zip", data.getvalue())


def load_model(run_dir: Path, make_venv: MakeVecEnv) -> PPO:
    """Reads the trained model of a finished run: its weights, and no code."""
    model = make_model(make_venv(_unshaped), seed=0)
    model.set_parameters(str(run_dir / "model.zip"), device="cpu")
    return model


def _unshaped(env: Any) -> Any:
    return env


def is_finished(run_dir: Path) -> bool:
    """True if a run was trained to its end, and its model is there."""
    finished = isinstance(last_event(run_dir / "ledger.jsonl"), RunFinished)
    return finished and (run_dir / "model.zip").exists()


def evaluate_model(
    model: PPO, make_venv: MakeVecEnv, episodes: int, seed: int
) -> dict[str, Any]:
    """Measures the base return of the stochastic policy, without shaping."""
    return asdict(evaluate(model, make_venv, episodes, seed=_EVALUATION_SEED + seed))


def train_base_only(
    adapted_dir: Path, run_dir: Path, env_id: str, seed: int, total: int, every: int
) -> None:
    """Trains on base reward alone, up to the steps that the adapted run has spent.

    To be run in a process of its own, beside the adapted run. It is an ordinary run
    with a budget of 0: it records only, and goes on from its last checkpoint if it was
    stopped.

    Args:
        adapted_dir: Directory of the adapted run.
        run_dir: Where to record.
        env_id: A foraging environment.
        seed: Seed of everything.
        total: Trainer steps that the adapted run can spend at most.
        every: Trainer steps between two checkpoints.
    """
    follow_parent()
    torch.set_num_threads(1)
    if is_finished(run_dir):
        return
    ledger = run_dir / "ledger.jsonl"
    begun = ledger.exists() and ledger.stat().st_size > 0
    run = Run(make_task(env_id), run_dir, resume=begun)
    make_venv = make_factory(env_id)
    model = make_model(make_venv(run.shape), seed)
    recording = AdaptationCallback(
        run, make_venv, first=every, every=every, budget=0.0, seed=seed, verbose=0
    )
    try:
        model.learn(total, callback=[recording, _FollowAdapted(adapted_dir)])
    except EnoughError:
        recording.on_training_end()
    save_model(model, run_dir)
    run.close()


class _FollowAdapted(BaseCallback):
    """Trains no further than the adapted run's total, and stops where it stopped."""

    def __init__(self, adapted_dir: Path) -> None:
        super().__init__()
        self._adapted_dir = adapted_dir
        self._reader = LedgerReader(adapted_dir / "ledger.jsonl")
        self._total = 0
        self._finished = False

    def _on_rollout_start(self) -> None:
        while True:
            for event in self._reader.read():
                self._total = event.trainer_steps.total
                self._finished = isinstance(event, RunFinished)
            if self.model.num_timesteps < self._total:
                return
            # The adapted policy is saved after the last event; without it, a resumed
            # run will train on and spend more.
            if self._finished and (self._adapted_dir / "model.zip").exists():
                raise EnoughError
            time.sleep(_INTERVAL)

    def _on_step(self) -> bool:
        return True
