"""Trains with a signal that stays, on a Gymnasium environment, without a run.

PPO learns MountainCar-v0 twice, with and without one potential term.

Expect, with seed 0 and 151,552 environment steps each, a base return (minus the steps
to the flag, at worst -200) of -200.0 without the term and of -153.1 (standard error
1.0) with it; 22 and 20 seconds.

    python examples/static_signal.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    seed: int = 0
    steps: int = 150_000
    smoke: bool = False


FEATURES = also.FeatureMap(
    also.Feature(
        "height", lambda view: math.sin(3 * view.observation[0]), "1 at the flag", -1, 1
    ),
    also.Feature("speed", "obs[1]", "to the right, per step", -0.07, 0.07),
)
# The height that the car could reach: its height, plus its speed converted to height.
ENERGY = also.Term(
    name="energy", kind="potential", expression="height + 600 * speed**2", weight=5.0
)


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes sixteen copies, with the given wrapper around each."""
    return make_vec_env(lambda: shape(gym.make("MountainCar-v0")), 16)


def train(signal: also.Signal, arguments: Arguments) -> str:
    """Trains with a signal; returns what the policy earns of the base reward."""
    began = time.perf_counter()
    model = PPO(
        "MlpPolicy",
        make_venv(lambda env: also.wrap(env, FEATURES, signal=signal)),
        n_steps=256,
        batch_size=256,
        learning_rate=1e-3,
        seed=arguments.seed,
        device="cpu",
    )
    model.learn(4096 if arguments.smoke else arguments.steps)
    seconds = time.perf_counter() - began
    result = also.evaluate(model, make_venv, 16 if arguments.smoke else 128)
    return (
        f"base return {result.mean:.1f} (standard error {result.standard_error:.1f}) "
        f"after {model.num_timesteps:,} environment steps, {seconds:.0f} s"
    )


def main(arguments: Arguments) -> None:
    """Trains without and with the term, and prints what both policies earn."""
    torch.set_num_threads(1)  # the nets are small
    shaped = also.Signal(terms=(ENERGY,))
    print("the signal:", shaped.describe())
    print("without:", train(also.Signal(), arguments), flush=True)
    print("with:   ", train(shaped, arguments))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
