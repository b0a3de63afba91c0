"""Level-based foraging with DQN, whose replay buffer pays what the active signal pays.

Two agents share one Q-network; food is worth something only to both together. Run with
``--smoke`` to see that everything works in a minute; without, it takes some minutes.
``--budget 0`` trains on the base reward alone; ``--fade-out 0.1`` shows why learners
with a replay buffer keep the signal to the end.

    python examples/dqn_foraging.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also
from also_wrappers.catalog import lbforaging

ENV = "Foraging-8x8-2p-2f-coop-v3"


@dataclasses.dataclass
class Arguments:
    """What can be given on the command line."""

    run_dir: str = "runs/dqn_foraging"
    seed: int = 0
    steps: int = 300_000
    budget: float = 0.5
    fade_out: float = 0.0
    smoke: bool = False


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Sixteen copies: one index for each of two agents."""
    return also.PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(ENV)), 16)


def main(arguments: Arguments) -> None:
    """Trains, and evaluates with as much exploration as is left in the end."""
    torch.set_num_threads(1)
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    task = also.Task(
        description="Both agents must load all food, each of it together.",
        features=lbforaging.features(lbforaging.parallel_env(ENV)),
    )
    run = also.Run(task, arguments.run_dir)
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
        replay_buffer_class=also.ShapedReplayBuffer,
        replay_buffer_kwargs={"shape": run.shape},
        seed=arguments.seed,
        device="cpu",
    )
    steps = 16_384 if arguments.smoke else arguments.steps
    callback = also.AdaptationCallback(
        run,
        make_venv,
        first=8192 if arguments.smoke else None,
        horizon=2048 if arguments.smoke else None,
        budget=arguments.budget,
        fade_out=arguments.fade_out,
        seed=arguments.seed,
    )
    model.learn(steps, callback=callback)
    run.close()
    print("the active signal:", run.board.read().signal.describe())
    found = also.evaluate(model, make_venv, 256, seed=1_000_000 + arguments.seed)
    print(
        f"base return {found.mean:.3f} (std {found.std:.3f} between {found.episodes} "
        "episodes)"
    )
    print("environment steps:", run.accounting.env_steps())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for field in dataclasses.fields(Arguments):
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    main(Arguments(**vars(parser.parse_args())))
