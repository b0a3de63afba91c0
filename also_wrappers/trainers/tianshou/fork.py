"""Trains branches of a training of Tianshou from snapshots."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tianshou.algorithm.algorithm_base import OnPolicyAlgorithm
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import BaseVectorEnv
from tianshou.trainer import OnPolicyTrainerParams

from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import ForkOutcome
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from also_wrappers.trainers.tianshou.snapshots import forget_returns, restore, save

__all__ = ["MakeVectorEnv", "TianshouFork"]

#: Makes vector environments with a given shape around each environment.
MakeVectorEnv = Callable[[Callable[[Any], Any]], BaseVectorEnv]


class TianshouFork:
    """Trains branches with a copy of the algorithm.

    Args:
        algorithm: The algorithm.
        params: Parameters of the training. Tests, logger and functions are the
            mainline's alone, and no branch has them.
        make_venv: Makes the environments.
    """

    preload = ("also_wrappers.trainers.tianshou",)

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        params: OnPolicyTrainerParams,
        make_venv: MakeVectorEnv,
    ) -> None:
        self._algorithm = copy.deepcopy(algorithm)
        self._make_venv = make_venv
        self._buffer = dict(params.training_collector.buffer.options)
        self._params: dict[str, Any] = {
            "max_epochs": params.max_epochs,
            "epoch_num_steps": params.epoch_num_steps,
            "collection_step_num_env_steps": params.collection_step_num_env_steps,
            "batch_size": params.batch_size,
            "update_step_num_repetitions": params.update_step_num_repetitions,
        }

    def warm(self) -> None:
        """Makes and closes the environments once."""
        self._make_venv(_unshaped).close()

    def __call__(
        self,
        start: Path,
        shape: Callable[[Any], Any],
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        """Trains a branch in fresh environments."""
        venv = self._make_venv(shape)
        try:
            trainer = self._trainer(venv, shape)
            restore(trainer, start)
            if new_signal:
                forget_returns(trainer)
            seed_randomness(seed)
            venv.seed(seed)
            trainer.params.training_collector.reset()
            first = trainer.steps
            with warnings.catch_warnings():
                # Torch warns of the step of a copied optimizer, as if it had been
                # replaced.
                warnings.filterwarnings("ignore", "Seems like `optimizer.step")
                trainer.train(first + steps)
            _check_advised(trainer, shape)
            if end is not None:
                save(trainer, end)
        finally:
            venv.close()
        trained = trainer.steps - first
        return ForkOutcome(trained, trained // len(venv))

    def _trainer(self, venv: BaseVectorEnv, shape: Any) -> PausedTrainer:
        """Returns a fresh training for a branch."""
        algorithm = copy.deepcopy(self._algorithm)
        count = len(venv)
        room = -(-self._params["collection_step_num_env_steps"] // count) * count
        buffer = VectorReplayBuffer(room, count, **self._buffer)
        params = OnPolicyTrainerParams(
            training_collector=Collector(algorithm, venv, buffer),
            test_collector=None,
            test_in_training=False,
            show_progress=False,
            verbose=False,
            **self._params,
        )
        return PausedTrainer(algorithm, params, shape)


def _check_advised(trainer: PausedTrainer, shape: Any) -> None:
    """Refuses, after a branch, environments that told no advice."""
    if trainer.imitation is None or trainer.env.advised:
        return
    if shape.board.read().signal.expert:
        raise ConfigurationError(
            "no environment of the branch told what the expert advises; let make_venv "
            "put the shape that it is given around each environment, and pass infos on"
        )


def _unshaped(env: Any) -> Any:
    return env
