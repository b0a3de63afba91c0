"""Trains DQN with a replay buffer that pays what the active signal pays now.

Two agents of level-based foraging share one Q-network, and are paid only for a food
that both load together. ``--budget 0`` trains on the base reward alone.

Expect, with seed 0, a base return of .736 (standard error .024) after 124,992
environment steps in all, 82 seconds on two busy cores: the rules' best expert is used
from the first round on, and DQN imitates it by a large margin. On the base reward alone
(``--budget 0 --steps 250000``) it is .043 (.009) after 125,984.

    python examples/off_policy.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also
from also_wrappers.catalog import lbforaging

ENV = "Foraging-8x8-2p-2f-coop-v3"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/off_policy"
    seed: int = 0
    steps: int = 150_000
    budget: float = 0.5
    smoke: bool = False


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes sixteen copies; each of the two agents of a copy is an index."""
    return also.PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(ENV)), 16)


def main(arguments: Arguments) -> None:
    """Trains, and evaluates with the exploration that is left in the end."""
    torch.set_num_threads(1)  # the nets are small
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    env = lbforaging.parallel_env(ENV)
    task = also.Task(
        description="Both agents must load all food, each of it together.",
        features=lbforaging.features(env, experts=True),
        actions=lbforaging.actions(env),
        success="base_return >= 0.99",
    )
    began = time.perf_counter()
    run = also.Run(task, arguments.run_dir)
    model = DQN(
        "MlpPolicy",
        make_venv(run.shape),
        learning_rate=5e-4,
        batch_size=256,
        buffer_size=100_000,
        learning_starts=2000,
        gamma=0.97,
        target_update_interval=4000,
        train_freq=4,
        gradient_steps=8,
        exploration_fraction=0.3,
        exploration_final_eps=0.05,
        policy_kwargs={"net_arch": [128, 128]},
        replay_buffer_class=also.ShapedReplayBuffer,
        replay_buffer_kwargs={"shape": run.shape},
        seed=arguments.seed,
        device="cpu",
    )
    # A training of seconds needs shorter branches than usual.
    tiny: Any = {"first": 4096, "horizon": 2048}
    callback = also.AdaptationCallback(
        run,
        make_venv,
        budget=arguments.budget,
        seed=arguments.seed,
        **(tiny if arguments.smoke else {}),
    )
    model.learn(12_288 if arguments.smoke else arguments.steps, callback=callback)
    run.close()
    seconds = time.perf_counter() - began
    episodes = 32 if arguments.smoke else 256
    result = also.evaluate(model, make_venv, episodes, seed=1_000_000)
    print("the active signal:", run.board.read().signal.describe())
    print(
        f"base return {result.mean:.3f} (standard error {result.standard_error:.3f}) "
        f"after {run.accounting.env_steps().total:,} environment steps in all, "
        f"{seconds:.0f} s"
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
