"""Pulls PPO towards four rules written by hand, without a run.

Two agents of level-based foraging must load each food together. ``--pull 0`` trains
without the expert.

Expect, with seed 0, a base return of .007 before training (standard error .004), and
after 50,176 environment steps of .875 (.020) with the expert and of .043 (.010)
without; 55 and 28 seconds on two busy cores.

    python examples/expert.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import PPO

import also_wrappers as also
from also_wrappers.catalog import lbforaging

ENV = "Foraging-8x8-2p-2f-coop-v3"

#: Both go to the food with the smaller total distance of the team, and load next to it.
EXPERT = also.Expert(
    rules=(
        also.Rule(when="first and food0_distance < 0.01", do="load"),
        also.Rule(when="first", do="toward food0"),
        also.Rule(when="food1_left and food1_distance < 0.01", do="load"),
        also.Rule(when="food1_left", do="toward food1"),
    )
)
SIGNAL = also.Signal(
    define={
        "sooner": "team_sum(food0_distance) <= team_sum(food1_distance)",
        "first": "food0_left and (sooner or not food1_left)",
    },
    expert=EXPERT,
)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    seed: int = 0
    steps: int = 100_000
    pull: float = 1.0
    smoke: bool = False


def make_env() -> Any:
    """Makes one environment, in which the expert is asked at every step."""
    env = lbforaging.parallel_env(ENV)
    return also.wrap(
        env,
        lbforaging.features(env, experts=True),
        signal=SIGNAL,
        actions=lbforaging.actions(env),
    )


def main(arguments: Arguments) -> None:
    """Trains, and prints what the policy earns before and after."""
    torch.set_num_threads(1)  # the nets are small
    venv = also.PettingZooVecEnv(make_env, num_envs=16)
    model = PPO(
        "MlpPolicy",
        venv,
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [128, 128]},
        seed=arguments.seed,
        device="cpu",
    )
    episodes = 20 if arguments.smoke else 200

    def bare(shape: Callable[[Any], Any]) -> also.PettingZooVecEnv:
        return also.PettingZooVecEnv(lambda: shape(lbforaging.parallel_env(ENV)), 10)

    def earned() -> str:
        result = also.evaluate(model, bare, episodes, seed=arguments.seed)
        return f"{result.mean:.3f} (standard error {result.standard_error:.3f})"

    print("the active signal:", SIGNAL.describe())
    print("base return before:", earned())
    callback = also.ImitationCallback(pull=arguments.pull)
    began = time.perf_counter()
    model.learn(4096 if arguments.smoke else arguments.steps, callback)
    seconds = time.perf_counter() - began
    if callback.agreement is not None:  # with no pull, nothing is compared
        print(f"agreement with the expert: {callback.agreement:.2f}")
    env_steps = model.num_timesteps // 2  # one trainer step for each of two agents
    print(
        f"base return after {env_steps:,} environment steps, {seconds:.0f} s:", earned()
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
