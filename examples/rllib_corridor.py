"""Trains PPO of RLlib with an adapted signal, and on the base reward alone.

Two agents are paid only when both stand at the far end of a corridor. Three lines make
a training of RLlib an adapted one: the run, the configuration with its environments,
and the callback. Built-in rules propose; the base reward alone gets as many environment
steps as adapting took in all. Branches run on the Ray that RLlib has started.

Expect, with ``PYTHONHASHSEED=0`` and seed 0: a signal is swapped in at 512 environment
steps, in the second round, and the base return in training is .955 or more from 2,600
environment steps of the policy's own on, and 1.000 in the end. With as many steps as
adapting took in all, 11,131, the base reward alone stays at 0.000. 29 and 9 seconds on
two busy cores, 20 of them for branches.

That is no measure of a gain. A policy that is paid nothing drifts, and may drift to the
end: with ``PYTHONHASHSEED=2``, by which RLlib draws the agents' actions in the other
order, the base reward alone is at 1.000 after 4,100 environment steps.

    python examples/rllib_corridor.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
import warnings
from typing import Any

import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

import also_wrappers as also
from also_wrappers.ledger.events import Recorded
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.rllib import AdaptationCallback, shaped_config


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/rllib_corridor"
    seed: int = 0
    steps: int = 8_192
    runners: int = 0
    smoke: bool = False


def make_env() -> Corridor:
    """Makes one corridor."""
    return Corridor(length=10, limit=20)


def make_config(arguments: Arguments) -> PPOConfig:
    """Makes the configuration of both trainings, but for the environments."""
    return (
        PPOConfig()
        .env_runners(num_env_runners=arguments.runners, num_envs_per_env_runner=8)
        .multi_agent(
            policies={"walker"}, policy_mapping_fn=lambda agent, episode, **_: "walker"
        )
        .training(
            train_batch_size_per_learner=256,
            minibatch_size=128,
            num_epochs=6,
            lr=3e-3,
            gamma=0.99,
            entropy_coeff=0.002,
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=[32, 32], fcnet_activation="tanh", vf_share_layers=False
            )
        )
        .debugging(seed=arguments.seed, log_level="ERROR")
    )


def train_alone(arguments: Arguments, steps: int) -> float:
    """Trains on the base reward alone; returns RLlib's mean return per agent."""
    config = make_config(arguments)
    algorithm = shaped_config(config, make_env, lambda env: env).build_algo()
    while True:
        result = algorithm.train()["env_runners"]
        if result["num_env_steps_sampled_lifetime"] >= steps:
            algorithm.stop()
            return float(result["module_episode_returns_mean"]["walker"] / 2.0)


def main(arguments: Arguments) -> None:
    """Trains twice, and compares the returns."""
    torch.set_num_threads(1)  # the nets are small
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    ray.init(log_to_driver=False, logging_level=logging.ERROR)
    aim = also.Task("Both agents walk to the far end.", corridor_features())
    began = time.perf_counter()

    run = also.Run(aim, arguments.run_dir)
    # The signal does not fade, as a policy needs longer than this to outlive it.
    options: Any = {"fade_out": 0.0, "seed": arguments.seed}
    if arguments.smoke:
        options |= {"first": 512, "horizon": 512}
    callback = AdaptationCallback(
        run, 2560 if arguments.smoke else arguments.steps, **options
    )
    config = shaped_config(make_config(arguments), make_env, run.shape)
    algorithm = config.callbacks(callback).build_algo()
    while not callback.done:
        algorithm.train()
    algorithm.stop()
    run.close()

    between = time.perf_counter()
    base = train_alone(arguments, run.accounting.trainer_steps().total)
    done = time.perf_counter()
    print("the active signal:", run.board.read().signal.describe())
    print("environment steps:", run.accounting.env_steps())
    *_, last = (event for event in run.events() if isinstance(event, Recorded))
    print(
        f"adapted: base return {last.window.mean:.3f} in training, "
        f"{between - began:.0f} s"
    )
    print(
        f"base reward alone: base return {base:.3f} in training, {done - between:.0f} s"
    )
    ray.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
