"""Adds a signal, in three lines, to a vector environment that SuperSuit makes.

Two agents of mpe2's simple_spread are paid 1, and the episode ends, when both landmarks
are covered. The recipe is the one that SuperSuit's users know; the three lines that add
a signal are marked. A run's ``shape`` goes where ``shaped`` goes here.

Expect, with seed 0 and 80,896 environment steps each, a base return of .500 (standard
error .031) without the signal and of .766 (.027) with it; 126 and 186 seconds on two
busy cores. SuperSuit's vectors take no seed, so numbers differ a little between runs.

    python examples/supersuit_spread.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import supersuit
import torch
from mpe2 import simple_spread_v3
from pettingzoo.utils import BaseParallelWrapper
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    seed: int = 0
    steps: int = 160_000
    smoke: bool = False


class CoverBoth(BaseParallelWrapper):
    """Pays 1 to all and ends the episode when every landmark has an agent near it."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = self.env.reset(seed=seed, options=options)
        self.agents = list(self.env.agents)
        return observations, infos

    def step(self, actions: dict[str, Any]) -> Any:
        observations, _, ended, cut, infos = self.env.step(actions)
        self.agents = list(self.env.agents)
        agents = list(observations)
        to_landmarks = np.array([observations[a][4:8].reshape(2, 2) for a in agents])
        near = np.linalg.norm(to_landmarks, axis=2) < 0.3
        covered = bool(near.any(axis=0).all())
        if covered:
            ended = dict.fromkeys(agents, True)
            cut = dict.fromkeys(agents, False)
            self.agents = []
        rewards = dict.fromkeys(agents, float(covered))
        return observations, rewards, ended, cut, infos


def split_distance(view: also.View) -> float:
    """Returns the mean distance if each agent takes a landmark, the better way."""
    own = view.observation[4:8].reshape(2, 2)
    mate = own - view.observation[8:10]  # the landmarks, seen by the other agent
    own_far, mate_far = np.linalg.norm(own, axis=1), np.linalg.norm(mate, axis=1)
    return float(min(own_far[0] + mate_far[1], own_far[1] + mate_far[0]) / 2)


TERM = also.Term(name="split", kind="progress", expression="-split", weight=1.0)
FEATURES = also.FeatureMap(also.Feature("split", split_distance))  # added, 1 of 3
SIGNAL = also.Signal(terms=(TERM,))  # added, 2 of 3


def shaped(env: Any) -> Any:
    """Returns an environment that pays the signal besides the base reward."""
    return also.wrap(env, FEATURES, signal=SIGNAL)  # added, 3 of 3


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes sixteen copies; each agent of each copy is an index of the vector."""
    env = shape(CoverBoth(simple_spread_v3.parallel_env(N=2, max_cycles=30)))
    env = supersuit.agent_indicator_v0(env)
    env = supersuit.pettingzoo_env_to_vec_env_v1(env)
    venv: VecEnv = supersuit.concat_vec_envs_v1(
        env, 16, num_cpus=0, base_class="stable_baselines3"
    )
    return venv


def train(shape: Callable[[Any], Any], arguments: Arguments) -> str:
    """Trains with a shape; returns what the policy earns of the base reward."""
    began = time.perf_counter()
    set_random_seed(arguments.seed)  # PPO(seed=...) fails on vectors of SuperSuit
    model = PPO(
        "MlpPolicy",
        make_venv(shape),
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [128, 128]},
        device="cpu",
    )
    model.learn(4096 if arguments.smoke else arguments.steps)
    seconds = time.perf_counter() - began
    result = also.evaluate(model, make_venv, 16 if arguments.smoke else 256)
    return (
        f"base return {result.mean:.3f} (standard error {result.standard_error:.3f}) "
        f"after {model.num_timesteps // 2:,} environment steps, {seconds:.0f} s"
    )


def main(arguments: Arguments) -> None:
    """Trains without and with the signal, and prints what both policies earn."""
    torch.set_num_threads(1)  # the nets are small
    print("the signal:", SIGNAL.describe())
    print("without:", train(lambda env: env, arguments), flush=True)
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
