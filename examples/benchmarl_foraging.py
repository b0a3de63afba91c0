"""Trains MAPPO of BenchMARL with the callback, and on the base reward alone.

Two agents of level-based foraging are paid only for a food that both load together.
Three lines make an experiment of BenchMARL an adapted one: the run, the task with its
signal, and the callback. Built-in rules propose; the base reward alone gets as many
frames as adapting took in all: its own, those of branches and of auditions.

Expect, with seed 0: the rules' best expert (load next to a food, else go to it) is used
from the first round on, and the base return in training is .992 after 50,368
environment steps in all, 40,960 of them the policy's own; MAPPO on the base reward
alone has .047 after as many. 95 and 63 seconds on two busy cores.

    python examples/benchmarl_foraging.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.experiment.callback import Callback
from benchmarl.models.mlp import MlpConfig

import also_wrappers as also
from also_wrappers.catalog import lbforaging
from also_wrappers.ledger.events import Recorded
from also_wrappers.trainers.benchmarl import (
    AdaptationCallback,
    ParallelTask,
    shaped_task,
)
from also_wrappers.wrappers.tuple_env import TupleParallelEnv

ENV = "Foraging-8x8-2p-2f-coop-v3"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/benchmarl_foraging"
    seed: int = 0
    steps: int = 40_960
    smoke: bool = False


def make_env() -> TupleParallelEnv:
    """Makes one foraging environment."""
    return lbforaging.parallel_env(ENV)


def make_config(folder: Path, frames: int) -> ExperimentConfig:
    """Makes the configuration, which differs between the trainings in frames only."""
    config = ExperimentConfig.get_from_yaml()
    config.save_folder = str(folder)
    config.loggers = []
    config.create_json = False
    config.evaluation = False
    config.max_n_frames = frames
    config.lr = 1e-3
    config.on_policy_n_envs_per_worker = 16
    config.on_policy_collected_frames_per_batch = 1024
    config.on_policy_n_minibatch_iters = 5
    config.on_policy_minibatch_size = 128
    return config


def train(
    task: Any, arguments: Arguments, frames: int, callbacks: list[Callback]
) -> Experiment:
    """Trains an experiment of BenchMARL."""
    model = MlpConfig(
        num_cells=[128, 128],
        layer_class=torch.nn.Linear,
        activation_class=torch.nn.Tanh,
    )
    algorithm = MappoConfig.get_from_yaml()
    algorithm.entropy_coef = 0.01
    experiment = Experiment(
        task=task,
        algorithm_config=algorithm,
        model_config=model,
        seed=arguments.seed,
        config=make_config(Path(arguments.run_dir).parent, frames),
        callbacks=callbacks,
    )
    experiment.run()
    return experiment


def main(arguments: Arguments) -> None:
    """Trains twice, and compares the base returns."""
    torch.set_num_threads(1)  # the nets are small
    warnings.filterwarnings("ignore", module="torchrl")
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    task = ParallelTask(make_env, max_steps=50, name="foraging")
    env = make_env()
    aim = also.Task(
        description="Both agents must load all food, each of it together.",
        features=lbforaging.features(env, experts=True),
        actions=lbforaging.actions(env),
        success="base_return >= 0.99",
    )
    began = time.perf_counter()
    run = also.Run(aim, arguments.run_dir)
    options: Any = {"first": 1024, "horizon": 1024} if arguments.smoke else {}
    callback = AdaptationCallback(run, seed=arguments.seed, **options)
    frames = 4096 if arguments.smoke else arguments.steps
    train(shaped_task(task, run.shape), arguments, frames, [callback])
    run.close()
    between = time.perf_counter()
    spent = run.accounting.trainer_steps().total
    base = train(task, arguments, spent, [])
    done = time.perf_counter()
    print("the active signal:", run.board.read().signal.describe())
    print("environment steps:", run.accounting.env_steps())
    *_, last = (event for event in run.events() if isinstance(event, Recorded))
    print(
        f"adapted: base return {last.window.mean:.3f} in training, "
        f"{between - began:.0f} s"
    )
    print(
        f"base reward alone: base return {base.mean_return:.3f} in training, "
        f"{done - between:.0f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
