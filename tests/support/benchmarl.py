"""A harness that drives BenchMARL's algorithms through the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from also_wrappers.board.board import Board
from also_wrappers.task import Task
from also_wrappers.testing import Corridor
from also_wrappers.trainers.benchmarl import (
    BenchMARLTrainer,
    ParallelTask,
    shaped_task,
)
from also_wrappers.wrappers.shape import Shape
from tests.support.trainers import TASK, flat


def make_config(folder: Path, **changes: Any) -> ExperimentConfig:
    """Four copies, sixteen steps of each in a batch, nothing but training."""
    config = ExperimentConfig.get_from_yaml()
    settings = {
        "loggers": [],
        "create_json": False,
        "evaluation": False,
        "render": False,
        "save_folder": str(folder),
        "max_n_frames": 4096,
        "lr": 3e-3,
        "gamma": 0.97,
        "on_policy_collected_frames_per_batch": 64,
        "on_policy_n_envs_per_worker": 4,
        "on_policy_n_minibatch_iters": 2,
        "on_policy_minibatch_size": 32,
        "off_policy_collected_frames_per_batch": 64,
        "off_policy_n_envs_per_worker": 4,
        "off_policy_n_optimizer_steps": 2,
        "off_policy_train_batch_size": 32,
        "off_policy_memory_size": 600,
    }
    for name, value in {**settings, **changes}.items():
        assert hasattr(config, name), name
        setattr(config, name, value)
    return config


def make_model() -> MlpConfig:
    """A tiny net."""
    return MlpConfig(
        num_cells=[8], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh
    )


def make_corridor() -> Corridor:
    return Corridor(length=4, limit=8)


def make_experiment(
    folder: Path,
    task: Any = None,
    algorithm: Any = IppoConfig,
    callbacks: Any = (),
    model: Callable[[], Any] = make_model,
    **changes: Any,
) -> Experiment:
    """An experiment in the corridor, unless there is another task."""
    return Experiment(
        task or ParallelTask(make_corridor, max_steps=8),
        algorithm.get_from_yaml(),
        model(),
        1,
        make_config(folder, **changes),
        model(),
        callbacks=list(callbacks),
    )


class BenchMARLHarness:
    """An algorithm of BenchMARL in a task; off-policy with a board of its own, which
    the replay buffer reads."""

    def __init__(
        self,
        folder: Path,
        algorithm: Any,
        task: Any = None,
        make_model: Callable[[], Any] = make_model,
        aim: Task = TASK,
        **changes: Any,
    ) -> None:
        self.changes = changes
        self.aim = aim
        self.folder = folder
        self.algorithm = algorithm
        self.make_model = make_model
        self._made = 0
        self.task = task or ParallelTask(make_corridor, max_steps=8)

    def make(self, shape: Callable[[Any], Any]) -> BenchMARLTrainer:
        replays = not self.algorithm.on_policy()
        if replays and not isinstance(shape, Shape):
            self._made += 1
            shape = Shape(self.aim, Board.create(self.folder / f"board {self._made}"))
        task = shaped_task(self.task, shape, replays)
        experiment = make_experiment(
            self.folder, task, self.algorithm, model=self.make_model, **self.changes
        )
        experiment.collector.set_seed(1)
        experiment.collector.reset()
        return BenchMARLTrainer(experiment)

    def train(self, trainer: Any, steps: int) -> None:
        trainer.train(trainer.steps + steps)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        experiment = trainer.experiment
        parts: dict[str, Any] = {"iterations": str(experiment.n_iters_performed)}
        for group, loss in experiment.losses.items():
            parts |= flat(f"loss.{group}", loss.state_dict())
            for name, optimizer in experiment.optimizers[group].items():
                parts |= flat(f"optimizer.{group}.{name}", optimizer.state_dict())
        policy = experiment.collector.state_dict()["policy_state_dict"]
        for group, buffer in experiment.replay_buffers.items():
            if trainer.replays and len(buffer):
                stored = buffer.storage.get(slice(0, len(buffer)))
                parts |= flat(f"buffer.{group}", stored.to_dict())
                parts |= flat(f"buffer.{group}", buffer.writer.state_dict())
        parts |= flat("exploration", experiment.policy.state_dict())
        return {**parts, **flat("policy", policy)}

    def rewards(self, trainer: Any) -> Any:
        (buffer,) = trainer.experiment.replay_buffers.values()
        (group,) = trainer.experiment.group_map
        return buffer[: len(buffer)]["next", group, "reward"].numpy()
