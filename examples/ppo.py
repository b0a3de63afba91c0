"""Trains PPO with the callback, and on the base reward alone.

Two agents of level-based foraging are paid only for a food that both load together.
Built-in rules propose; the base reward alone gets as many steps as adapting took in
all: its own, those of branches and of auditions.

Expect, with seed 0: the rules' best expert (load next to a food, else go to it) is used
from the first round on; after 50,336 environment steps in all, 40,960 of them the
policy's own, the adapted policy has a base return of .998 (standard error .002), and
PPO on the base reward of .021 (.006) after as many. 74 and 44 seconds on two busy
cores.

    python examples/ppo.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also
from also_wrappers.catalog import lbforaging

ENV = "Foraging-8x8-2p-2f-coop-v3"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/ppo"
    seed: int = 0
    steps: int = 80_000
    smoke: bool = False


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes sixteen copies; each of the two agents of a copy is an index."""
    return also.PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(ENV)), 16)


def make_model(venv: VecEnv, seed: int) -> PPO:
    """Makes the model, the same for both trainings."""
    return PPO(
        "MlpPolicy",
        venv,
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [128, 128]},
        seed=seed,
        device="cpu",
    )


def main(arguments: Arguments) -> None:
    """Trains twice, and compares the base returns."""
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
    adapted = make_model(make_venv(run.shape), arguments.seed)
    options: Any = {"first": 2048, "horizon": 2048} if arguments.smoke else {}
    callback = also.AdaptationCallback(run, make_venv, seed=arguments.seed, **options)
    adapted.learn(8192 if arguments.smoke else arguments.steps, callback=callback)
    run.close()
    spent = run.accounting.trainer_steps().total
    between = time.perf_counter()
    base = make_model(make_venv(lambda env: env), arguments.seed)
    base.learn(spent)
    done = time.perf_counter()
    print("the active signal:", run.board.read().signal.describe())
    print("environment steps:", run.accounting.env_steps())
    episodes = 16 if arguments.smoke else 256
    for name, model, seconds in (
        ("adapted", adapted, between - began),
        ("base reward alone", base, done - between),
    ):
        result = also.evaluate(model, make_venv, episodes, seed=1_000_000)
        print(
            f"{name}: base return {result.mean:.3f} (standard error "
            f"{result.standard_error:.3f}), {seconds:.0f} s"
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
