"""Trains PPO of Tianshou with an adapted signal, and on the base reward alone.

Two agents are paid only when both stand at the far end of a corridor, and share one
policy. Three lines make a training of Tianshou an adapted one: the run, the shape
around each environment, and the trainer. Built-in rules propose; the base reward
alone gets as many steps as adapting took in all.

Expect, with seed 0 and Tianshou 2.0.1: a signal is swapped in after the first round,
and 64 episodes of single agents have a base return of 1.000 after 30,208 environment
steps in all; on the base reward alone it is .000 after as many. 244 and 96 seconds on
two very busy cores.

    python examples/tianshou_corridor.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

import also_wrappers as also
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.tianshou import AdaptedTrainer, ParallelVectorEnv

Shape = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/tianshou_corridor"
    seed: int = 0
    steps: int = 40_960
    smoke: bool = False


def make_venv(shape: Shape) -> ParallelVectorEnv:
    """Makes the environments; every agent of every copy is an index."""
    return ParallelVectorEnv([lambda: shape(Corridor(length=12, limit=40))] * 8)


def make_algorithm(venv: ParallelVectorEnv) -> PPO:
    """Makes the algorithm and its networks."""
    size, actions = venv.observation_space[0].shape, venv.action_space[0]
    actor, critic = (Net(state_shape=size, hidden_sizes=[64, 64]) for _ in range(2))
    # The policy takes the actor's output for logits, but an actor returns probabilities
    # by default.
    policy = DiscreteActorPolicy(
        actor=DiscreteActor(
            preprocess_net=actor, action_shape=actions.n, softmax_output=False
        ),
        action_space=actions,
    )
    return PPO(
        policy=policy,
        critic=DiscreteCritic(preprocess_net=critic),
        optim=AdamOptimizerFactory(lr=1e-3),
        ent_coef=0.002,
    )


def make_params(algorithm: PPO, venv: Any, steps: int) -> OnPolicyTrainerParams:
    """Makes the parameters of both trainings, which differ in steps only."""
    buffer = VectorReplayBuffer(1024, len(venv))
    return OnPolicyTrainerParams(
        training_collector=Collector(algorithm, venv, buffer),
        max_epochs=1,
        epoch_num_steps=steps,
        collection_step_num_env_steps=1024,
        update_step_num_repetitions=5,
        batch_size=256,
        show_progress=False,
        verbose=False,
    )


def train(
    arguments: Arguments, steps: int, run: also.Run | None = None, **options: Any
) -> float:
    """Trains, and returns the base return of episodes that are played afterwards."""
    np.random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    venv = make_venv((lambda env: env) if run is None else run.shape)
    venv.seed(arguments.seed)
    algorithm = make_algorithm(venv)
    params = make_params(algorithm, venv, steps)
    if run is None:
        algorithm.run_training(params)
    else:
        AdaptedTrainer(algorithm, params, run, make_venv, **options).run()
    played = Collector(algorithm, make_venv(lambda env: env))
    played.reset()
    return float(played.collect(n_episode=64).returns.mean())


def main(arguments: Arguments) -> None:
    """Trains twice, and compares the base returns."""
    torch.set_num_threads(1)  # the nets are small
    began = time.perf_counter()
    task = also.Task("Both agents walk to the far end.", corridor_features())
    run = also.Run(task, arguments.run_dir)
    # The signal does not fade, as a policy needs longer than this to outlive it.
    options: Any = {"fade_out": 0.0, "seed": arguments.seed}
    if arguments.smoke:
        options |= {"first": 1024, "horizon": 1024}
    steps = 5120 if arguments.smoke else arguments.steps
    adapted = train(arguments, steps, run, **options)
    run.close()
    between = time.perf_counter()
    base = train(arguments, run.accounting.trainer_steps().total)
    done = time.perf_counter()
    print("the active signal:", run.board.read().signal.describe())
    print("environment steps:", run.accounting.env_steps())
    print(f"adapted: base return {adapted:.3f}, {between - began:.0f} s")
    print(f"base reward alone: base return {base:.3f}, {done - between:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
