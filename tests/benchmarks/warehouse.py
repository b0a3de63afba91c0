"""Deliveries in a warehouse: PPO pulled by a recorded expert, beside plain PPO.

    python tests/benchmarks/warehouse.py [--expert warehouse_laps | none] [--seed 0]
        [--steps 400000]

The task is ``rware-tiny-2ag-v2``; ``--steps`` are environment steps of the mainline.
The expert was written by a large language model that knew a map and the vocabulary. It
has roles, so the observation tells a robot which one it is: policies are shared.
Printed are the deliveries of an episode of 500 steps: in training, as they go, and over
32 evaluation episodes; of the expert alone; and all environment steps. About ten
minutes on an idle machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from supersuit import agent_indicator_v0

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

import also_wrappers as also
from also_wrappers.advisors import Proposal
from also_wrappers.catalog import rware
from also_wrappers.ledger.events import Auditioned, Event, Recorded
from tests.support.experts import recorded

ENV, COPIES, EPISODES = "rware-tiny-2ag-v2", 16, 32


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    def make_env() -> Any:
        return shape(agent_indicator_v0(rware.parallel_env(ENV)))

    return also.PettingZooVecEnv(make_env, COPIES)


def main() -> None:
    """Prints a line of the training, and one of what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expert", default="warehouse_laps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    probe = rware.parallel_env(ENV)
    task = also.Task(
        "Robots carry requested shelves to a goal and bring them back.",
        rware.features(probe, experts=True),
        actions=rware.actions(probe),
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = also.Run(task, Path(folder) / "run")
        model = PPO(
            "MlpPolicy",
            make_venv(run.shape),
            n_steps=128,
            batch_size=256,
            n_epochs=5,
            learning_rate=3e-4,
            ent_coef=0.01,
            policy_kwargs={"net_arch": [128, 128]},
            seed=arguments.seed,
            device="cpu",
        )
        if arguments.expert == "none":
            adapting = also.AdaptationCallback(run, make_venv, budget=0.0, verbose=0)
        else:
            expert = Proposal(signal=recorded(arguments.expert), intent="expert")
            advisor = also.RecordedAdvisor([[expert]])
            adapting = also.AdaptationCallback(
                run, make_venv, advisor, seed=arguments.seed, verbose=0
            )
        model.learn(2 * arguments.steps, adapting)
        run.close()
        events = run.events()
        steps = run.accounting.env_steps()
    console = Console(highlight=False, soft_wrap=True)
    console.print(" ".join(_curve(events)))
    result = also.evaluate(model, make_venv, EPISODES)
    alone = next((e for e in events if isinstance(e, Auditioned)), None)
    earned = f"{alone.earned:.1f} +- {alone.error:.1f}" if alone else "-"
    console.print(
        f"{arguments.expert}, seed {arguments.seed}: deliveries {result.mean:.2f} "
        f"({result.std:.2f}) in {EPISODES} episodes after {steps.total:,} environment "
        f"steps in all ({steps.mainline:,} own, {steps.branches:,} of branches, "
        f"{steps.evaluation:,} of auditions and rehearsal); the expert alone {earned}; "
        f"{time.monotonic() - began:.0f} s"
    )


def _curve(events: list[Event]) -> list[str]:
    """Says what the training earned, ten times."""
    records = [event for event in events if isinstance(event, Recorded)]
    return [
        f"{event.env_steps.total:,}: {event.window.mean:.1f}"
        for event in records[:: max(len(records) // 10, 1)]
    ]


if __name__ == "__main__":
    main()
