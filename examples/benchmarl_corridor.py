"""MAPPO of BenchMARL with an adapted signal, beside the same on the base reward alone.

Two agents are paid only when both stand at the far end of a corridor. Three lines make
an experiment of BenchMARL an adapted one: the run, the task with its signal, and the
callback. Built-in rules propose; the base reward alone gets as many frames as adapting
took in all.

Expect, with seed 0: a signal is swapped in after the second round, and the base return
in training is 1.000 from 7,680 frames of the policy's own on (frames are environment
steps). With this seed the base reward alone gets there as well, after 5,632 frames: the
example shows how an experiment is adapted, not that it must be. 152 and 31 seconds on
two busy cores.

    python examples/benchmarl_corridor.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
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
from also_wrappers.ledger.events import Recorded
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.benchmarl import (
    AdaptationCallback,
    ParallelTask,
    shaped_task,
)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/benchmarl_corridor"
    seed: int = 0
    steps: int = 20_480
    smoke: bool = False


def make_env() -> Corridor:
    """Makes one environment."""
    return Corridor(length=40, limit=50)


def make_config(folder: Path, frames: int) -> ExperimentConfig:
    """Makes the configuration, the same for both trainings but for the frames."""
    config = ExperimentConfig.get_from_yaml()
    config.save_folder = str(folder)
    config.loggers = []
    config.create_json = False
    config.evaluation = False
    config.max_n_frames = frames
    config.lr = 1e-3
    config.on_policy_n_envs_per_worker = 8
    config.on_policy_collected_frames_per_batch = 512
    config.on_policy_n_minibatch_iters = 5
    config.on_policy_minibatch_size = 128
    return config


def train(
    task: Any, arguments: Arguments, frames: int, callbacks: list[Callback]
) -> Experiment:
    """Trains an experiment of BenchMARL."""
    model = MlpConfig(
        num_cells=[64, 64],
        layer_class=torch.nn.Linear,
        activation_class=torch.nn.Tanh,
    )
    # Without a bonus for entropy, a policy that is paid nothing drifts anywhere.
    algorithm = MappoConfig.get_from_yaml()
    algorithm.entropy_coef = 0.002
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
    """Trains twice and compares."""
    torch.set_num_threads(1)  # the nets are small
    warnings.filterwarnings("ignore", module="torchrl")
    task = ParallelTask(make_env, max_steps=50, name="corridor")
    aim = also.Task("Both agents walk to the far end.", corridor_features())
    began = time.perf_counter()
    run = also.Run(aim, arguments.run_dir)
    # So short a training has no time to outlive its signal: the signal does not fade.
    options: Any = {"fade_out": 0.0, "seed": arguments.seed}
    if arguments.smoke:
        options |= {"first": 512, "horizon": 512}
    callback = AdaptationCallback(run, **options)
    frames = 2560 if arguments.smoke else arguments.steps
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
