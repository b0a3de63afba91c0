"""DQN with a recorded expert that is imitated by a large margin, on foraging.

    python tests/benchmarks/values.py [--expert foraging_8x8 | none] [--seed 0]

The expert is posted from the beginning, with what it earns by itself, and the settings
are those of ``examples/off_policy.py``. Printed are the base return in training, what
imitation costs, and base return over 256 evaluation episodes. About half a minute.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from stable_baselines3 import DQN

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.board.posting import Posting
from also_wrappers.catalog import lbforaging
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.replay_buffer import ShapedReplayBuffer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.experts import recorded

ENV = "Foraging-8x8-2p-2f-coop-v3"
#: Base return of the recorded expert, with a tenth of random actions.
PROMISED = 0.93


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(ENV)), 16)


class Watched(AdaptationCallback):
    """A run without rounds that says what is earned, and times imitation."""

    seconds = 0.0
    every = 10_240

    def _on_rollout_start(self) -> None:
        began = time.perf_counter()
        super()._on_rollout_start()
        self.seconds += time.perf_counter() - began
        if self.num_timesteps % self.every == 0:
            print(f"{self.num_timesteps}: earns {self._earned.mean:.3f}", flush=True)


def main() -> None:
    """Trains once and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expert", default="foraging_8x8")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=102_400)
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    probe = lbforaging.parallel_env(ENV)
    task = Task(
        "Both agents must load all food, each of it together.",
        lbforaging.features(probe, experts=True),
        actions=lbforaging.actions(probe),
    )
    alone = arguments.expert == "none"
    signal = Signal() if alone else recorded(arguments.expert)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(task, Path(folder) / "run")
        run.board.post(Posting(version=1, signal=signal, promised=PROMISED))
        model = DQN(
            "MlpPolicy",
            make_venv(run.shape),
            learning_rate=5e-4,
            batch_size=256,
            buffer_size=100_000,
            learning_starts=5000,
            gamma=0.97,
            target_update_interval=4000,
            train_freq=4,
            gradient_steps=8,
            exploration_fraction=0.3,
            exploration_final_eps=0.05,
            policy_kwargs={"net_arch": [128, 128]},
            replay_buffer_class=ShapedReplayBuffer,
            replay_buffer_kwargs={"shape": run.shape},
            seed=arguments.seed,
            device="cpu",
        )
        watched = Watched(run, make_venv, budget=0.0, first=10**9, verbose=0)
        began = time.perf_counter()
        model.learn(arguments.steps, watched)
        seconds = time.perf_counter() - began
        run.close()
        result = evaluate(model, make_venv, 256, seed=1_000_000 + arguments.seed)
    Console(highlight=False, soft_wrap=True).print(
        f"{arguments.expert}, seed {arguments.seed}: {watched._earned.mean:.3f} in "
        f"training after {model.num_timesteps:,} trainer steps, {result.mean:.3f} "
        f"({result.standard_error:.3f}) in evaluation; {seconds:.0f} s, of which "
        f"{watched.seconds / seconds:.0%} between rollouts"
    )


if __name__ == "__main__":
    main()
