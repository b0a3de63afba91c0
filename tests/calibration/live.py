"""Control against itself on live branches: how often does the gate promote nothing new?

    python tests/calibration/live.py [--env corridor] [--rounds 20] [--trained 9000]

A model is trained for a while on the base reward. Then rounds are played from its
snapshot in which every candidate is control again, on seeds of its own. Every promotion
is a false one; their share is printed with its exact 95 % interval (Clopper & Pearson
1934). Seconds a round on corridor, a minute or two on foraging.
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

from rich.console import Console
from scipy.stats import binomtest
from stable_baselines3 import PPO

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder
from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.catalog import lbforaging
from also_wrappers.cli.foraging import make_factory, make_model
from also_wrappers.gate import Decision, Gate, Request, Trial
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.trainer import MakeVecEnv, SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

_FORAGING = "Foraging-8x8-2p-2f-coop-v3"


def corridor() -> tuple[MakeVecEnv, Any, Task, int]:
    """Eight small corridors; branches of 2,048 trainer steps."""

    def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 8)

    model = PPO(
        "MlpPolicy",
        make_venv(lambda env: env),
        n_steps=32,
        batch_size=128,
        n_epochs=4,
        learning_rate=3e-4,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    return make_venv, model, Task("Walk on.", corridor_features()), 2048


def foraging() -> tuple[MakeVecEnv, Any, Task, int]:
    """The demo's training; branches of 32,768 trainer steps."""
    make_venv = make_factory(_FORAGING)
    features = lbforaging.features(lbforaging.parallel_env(_FORAGING))
    model = make_model(make_venv(lambda env: env), seed=0)
    return make_venv, model, Task("Forage.", features), 32_768


def play(
    trainer: SB3Trainer,
    start: Path,
    task: Task,
    gate: Gate,
    horizon: int,
    number: int,
    arms: int,
) -> tuple[Decision, int]:
    """One round of control against itself; every branch has a seed of its own."""
    executor = ProcessExecutor()
    trials: list[Trial] = []
    branches = 0
    while True:
        step = gate.next(arms, trials)
        if isinstance(step, Decision):
            return step, branches
        orders = [
            BranchOrder(
                request,
                trainer.fork(),
                task,
                Posting(version=1, gamma=trainer.gamma),
                start,
                _seed(number, request),
                round(horizon * request.stretch),
                scored_from=round(horizon * request.stretch) // 2,
            )
            for request in step
        ]
        results = list(executor.run(orders))
        branches += len(results)
        errors = [result.error for result in results if result.error]
        if errors:
            raise RuntimeError(errors[0])
        largest = max(result.largest for result in results)
        trials += [result.trial(largest) for result in results]


def _seed(number: int, request: Request) -> int:
    stage = 0 if request.phase == "screen" else 1
    places = (number, request.arm, stage, request.index, request.stretch)
    return hash(places) % 2**31


def main() -> None:
    """Prints a line per round, and the share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", choices=("corridor", "foraging"), default="corridor")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--trained", type=int, default=9000)
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    make = corridor if arguments.env == "corridor" else foraging
    make_venv, model, task, horizon = make()
    model.learn(arguments.trained)
    trainer = SB3Trainer(model, make_venv, 10 * arguments.trained)
    folder = tempfile.TemporaryDirectory()
    start = Path(folder.name) / "start"
    trainer.snapshot(start)
    console = Console(highlight=False)
    began = time.monotonic()
    promoted = spent = 0
    for number in range(arguments.rounds):
        decision, branches = play(
            trainer, start, task, Gate(), horizon, number, arguments.candidates + 1
        )
        promoted += decision.winner is not None
        spent += branches
        console.print(f"round {number + 1}: {decision.reason}, {branches} branches")
    folder.cleanup()
    found = binomtest(promoted, arguments.rounds).proportion_ci(method="exact")
    console.print(
        f"{arguments.env}: {promoted} of {arguments.rounds} rounds promoted a "
        f"candidate that equals control (95 % interval {found.low:.3f} to "
        f"{found.high:.3f}); {spent / arguments.rounds:.1f} branches of {horizon:,} "
        f"trainer steps a round, {time.monotonic() - began:.0f} seconds"
    )


if __name__ == "__main__":
    main()
