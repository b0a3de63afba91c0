"""Adapts RLlib's algorithms to the trainer protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import AuditionOutcome
from also_wrappers.trainers.rllib.checks import check_algorithm
from also_wrappers.trainers.rllib.fork import RLlibFork
from also_wrappers.trainers.rllib.snapshots import restore, sampled, save

__all__ = ["RLlibTrainer"]


class RLlibTrainer:
    """Adapts an RLlib algorithm, which is at rest between calls of its ``train``.

    Trainer steps are RLlib's environment steps, whatever the number of agents.

    Args:
        algorithm: PPO on the new API stack, with environments of ``shaped_config``.
        total: Trainer steps that are planned.

    Raises:
        ConfigurationError: The algorithm cannot be forked.
    """

    agents_per_env = 1  # RLlib counts steps of environments
    bootstraps_truncation = True
    evaluates = False
    replays = False
    imitates = False

    def __init__(self, algorithm: Algorithm, total: int) -> None:
        check_algorithm(algorithm)
        self.algorithm = algorithm
        self.total = total
        self.rollout = int(algorithm.config.total_train_batch_size)
        self.gamma = float(algorithm.config.gamma)

    @property
    def steps(self) -> int:
        """The environment steps of the lineage so far."""
        return sampled(self.algorithm)

    def snapshot(self, path: Path) -> None:
        """Writes all that training depends on but the environments to a file."""
        save(self.algorithm, path)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living algorithm, its learners and its runners."""
        restore(self.algorithm, path)

    def policy_drift(self) -> None:
        """Returns ``None``, as observations stay with the runners."""

    def imitated(self) -> None:
        """Returns ``None``, as no expert is imitated."""

    def audition(self, *_: Any) -> AuditionOutcome:
        """Refuses an audition, as no expert is imitated.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            "experts are not imitated in RLlib's algorithms, so none is played; leave "
            "actions= out of the Task, or use Stable-Baselines3"
        )

    def fork(self) -> RLlibFork:
        """Returns what a worker needs to train a branch."""
        return RLlibFork(self.algorithm)
