"""Trains branches of a BenchMARL experiment from snapshots."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import benchmarl.experiment.experiment as benchmarl_loop
from benchmarl.experiment import Experiment
from torchrl import logger

from also_wrappers.trainer import ForkOutcome
from also_wrappers.trainers.benchmarl.evaluation import Judge, explores
from also_wrappers.trainers.benchmarl.imitation import begin_imitation
from also_wrappers.trainers.benchmarl.loop import train
from also_wrappers.trainers.benchmarl.snapshots import read, restore, save
from also_wrappers.trainers.benchmarl.tasks import plain_task, shaped_task
from also_wrappers.trainers.earned import Earned

__all__ = ["BenchMARLFork"]


class BenchMARLFork:
    """Trains branches of an experiment from its own configuration.

    Args:
        experiment: The experiment. Its callbacks, loggers, evaluations and checkpoints
            are the mainline's, and none of them is in a branch.
    """

    preload = ("also_wrappers.trainers.benchmarl", "benchmarl.experiment")

    def __init__(self, experiment: Experiment) -> None:
        self._task = plain_task(experiment.task)
        self._continuous = bool(experiment.continuous_actions)
        self._parts = copy.deepcopy(
            {
                "algorithm_config": experiment.algorithm_config,
                "model_config": experiment.model_config,
                "critic_model_config": experiment.critic_model_config,
            }
        )
        self._config = dataclasses.replace(
            experiment.config,
            loggers=[],
            create_json=False,
            evaluation=False,
            render=False,
            restore_file=None,
            checkpoint_interval=0,
            checkpoint_at_end=False,
            parallel_collection=False,
        )
        self._on_policy = on_policy = bool(experiment.on_policy)
        self._total = int(experiment.config.get_max_n_frames(on_policy))
        # Without a value, BenchMARL would take the length of the branch's own training.
        self._config.exploration_anneal_frames = int(
            experiment.config.get_exploration_anneal_frames(on_policy)
        )

    def warm(self) -> None:
        """Makes and closes one environment."""
        device = self._config.sampling_device
        with _alone():
            self._task.get_env_fun(1, self._continuous, 0, device)().close()

    @contextlib.contextmanager
    def experiment(
        self, shape: Callable[[Any], Any], seed: int, until: int = 0
    ) -> Iterator[Experiment]:
        """Makes an experiment with fresh environments, and closes it at the end.

        Args:
            shape: The shape around each environment.
            seed: Seed of the environments and of the global randomness.
            until: Frames of the lineage to which the experiment may train.
        """
        with tempfile.TemporaryDirectory() as folder, _alone():
            config = dataclasses.replace(
                self._config,
                save_folder=folder,
                max_n_iters=None,
                max_n_frames=max(self._total, until),
            )
            experiment = Experiment(
                shaped_task(self._task, shape, replays=not self._on_policy),
                seed=seed,
                config=config,
                **copy.deepcopy(self._parts),
            )
            try:
                # BenchMARL gives all copies one seed, with which all would play the
                # same episodes.
                experiment.collector.set_seed(seed)
                yield experiment
            finally:
                experiment.close()

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
        """Trains a branch; BenchMARL keeps no statistics of rewards to begin anew."""
        first = int(read(start)["experiment"]["state"]["total_frames"])
        earned = Earned()
        with self.experiment(shape, seed, first + steps) as experiment:
            experiment.collector.reset()
            restore(experiment, start, earned)
            begin_imitation(experiment, earned)
            judge = Judge(experiment, seed, steps) if explores(experiment) else None
            train(experiment, first + steps, None if judge is None else judge.look)
            if end is not None:
                save(experiment, end, earned)
            trained = int(experiment.total_frames) - first
        return ForkOutcome(
            trained,
            trained // self._config.n_envs_per_worker(self._on_policy),
            None if judge is None else judge.evaluated,
            0 if judge is None else judge.steps,
        )


class _NoBar:
    """Stands in for the progress bar of a branch."""

    def __init__(self, **settings: Any) -> None:
        pass

    def set_description(self, text: str, refresh: bool) -> None:
        """Shows no description."""

    def update(self) -> None:
        """Shows no progress."""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Silences a branch, and restores the randomness of VMAS afterwards.

    All environments of VMAS in a process share their randomness.
    """
    environment: Any = sys.modules.get("vmas.simulator.environment.environment")
    states = environment and environment.Environment.vmas_random_state
    before = states and list(states)
    bar, level = benchmarl_loop.tqdm, logger.level
    benchmarl_loop.tqdm = _NoBar
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        benchmarl_loop.tqdm = bar
        logger.setLevel(level)
        if states:
            states[:] = before
