"""Trains branches of an RLlib algorithm from snapshots."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.callbacks.callbacks import RLlibCallback

from also_wrappers.files import remove
from also_wrappers.trainer import ForkOutcome
from also_wrappers.trainers.rllib.snapshots import restore, sampled, save

__all__ = ["RLlibFork"]


class RLlibFork:
    """Trains branches of an algorithm from its own configuration, in one process.

    Args:
        algorithm: The algorithm. Its callbacks and evaluations are the mainline's, and
            none of them is in a branch.
    """

    preload = ("also_wrappers.trainers.rllib", "ray.rllib.algorithms.ppo")

    def __init__(self, algorithm: Algorithm) -> None:
        config = algorithm.config.copy(copy_frozen=False)
        learners = max(config.num_learners, 1)
        config.env_runners(
            num_env_runners=0,
            create_local_env_runner=True,
            num_envs_per_env_runner=max(config.num_env_runners, 1)
            * config.num_envs_per_env_runner,
        )
        config.learners(num_learners=0, num_gpus_per_learner=0)
        config.training(
            train_batch_size_per_learner=learners * config.train_batch_size_per_learner,
            minibatch_size=config.minibatch_size and learners * config.minibatch_size,
        )
        config.evaluation(evaluation_interval=None, evaluation_config=None)
        config.reporting(
            min_time_s_per_iteration=None,
            min_sample_timesteps_per_iteration=0,
            min_train_timesteps_per_iteration=0,
        )
        config.callbacks(RLlibCallback)
        for name in [name for name in vars(config) if name.startswith("callbacks_on_")]:
            setattr(config, name, None)
        self._config = config
        self._algorithm = type(algorithm)

    def warm(self) -> None:
        """Does nothing, as this module's import has done what takes long."""

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
        """Trains a branch; RLlib keeps no statistics of rewards to begin anew."""
        config = copy.deepcopy(self._config)
        config.env_config = {**config.env_config, "shape": shape}
        config.debugging(seed=seed, log_level="ERROR")
        with _alone():
            algorithm = self._algorithm(config=config)
            try:
                restore(algorithm, start)
                first = sampled(algorithm)
                while sampled(algorithm) < first + steps:
                    algorithm.train()
                if end is not None:
                    save(algorithm, end)
                trained = sampled(algorithm) - first
            finally:
                algorithm.stop()
                remove(Path(algorithm.logdir))  # RLlib makes one for each algorithm
        return ForkOutcome(trained, trained // config.num_envs_per_env_runner)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Restores what an algorithm with a seed of its own sets in its process."""
    logger = logging.getLogger("ray.rllib")
    level = logger.level
    deterministic = torch.are_deterministic_algorithms_enabled()
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    try:
        yield
    finally:
        logger.setLevel(level)
        torch.use_deterministic_algorithms(deterministic)
        cudnn.deterministic, cudnn.benchmark = flags
