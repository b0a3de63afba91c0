"""What a run costs in BenchMARL's own loop on simple_spread, recorded, as a ratio.

    python tests/benchmarks/benchmarl_loop.py [--batches 20]

Two MAPPO experiments with three agents train by turns, a batch of 1,000 frames each:
one on the bare task, one on the task that a run has shaped, with two features, one
term, evidence and episodes on the board. Printed is the ratio of the processor times,
of which each batch gives one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from mpe2 import simple_spread_v3

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.trainers.benchmarl import ParallelTask, shaped_task
from also_wrappers.trainers.benchmarl.loop import train
from also_wrappers.wrappers.shape import Shape

FEATURES = FeatureMap(Feature("x", "obs[4]"), Feature("y", "obs[5]"))
NEAR = Term(name="near", kind="progress", expression="-hypot(x, y)", weight=0.5)
FRAMES, COPIES, AGENTS = 1000, 10, 3


def make_env() -> Any:
    """Makes one environment."""
    return simple_spread_v3.parallel_env(N=AGENTS, max_cycles=25)


def make_experiment(folder: Path, task: Any, batches: int) -> Experiment:
    """Makes an experiment as BenchMARL's users do, without loggers."""
    config = ExperimentConfig.get_from_yaml()
    config.save_folder = folder
    config.loggers, config.create_json, config.evaluation = [], False, False
    config.on_policy_n_envs_per_worker = COPIES
    config.on_policy_collected_frames_per_batch = FRAMES
    config.on_policy_n_minibatch_iters = 10
    config.max_n_frames = FRAMES * (batches + 1)
    return Experiment(
        task, MappoConfig.get_from_yaml(), MlpConfig.get_from_yaml(), 0, config
    )


def main() -> None:
    """Prints the ratio, and both times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    batches = parser.parse_args().batches
    torch.set_num_threads(1)
    plain = ParallelTask(make_env, max_steps=25)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        signal = Signal(terms=(NEAR,))
        board = Board.create(folder / "board", Posting(version=1, signal=signal))
        shape = Shape(Task("Cover.", FEATURES), board)
        pair = [
            make_experiment(folder, task, batches)
            for task in (plain, shaped_task(plain, shape))
        ]
        times: list[tuple[float, ...]] = []
        for batch in range(batches + 1):
            spent = []
            for experiment in pair:
                began = time.process_time()
                train(experiment, FRAMES * (batch + 1))
                spent.append(time.process_time() - began)
            times.append(tuple(spent))
        for experiment in pair:
            experiment.close()
    bare, shaped = (median(column) for column in zip(*times[1:], strict=True))
    ratio = median(s / b for b, s in times[1:])
    print(f"bare {bare:.2f} s a batch, with a run {shaped:.2f} s: {ratio:.2f}")


if __name__ == "__main__":
    main()
