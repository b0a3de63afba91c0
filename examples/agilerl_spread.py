"""Trains IPPO of AgileRL with an adapted signal.

Three agents are to cover three landmarks. There is no adapter for AgileRL: ``Training``
and ``Fork`` are what a trainer has to offer, and they pass ``check_trainer`` at the
level ``exact``. The loop calls ``Adaptation.step`` between two calls of AgileRL's own
training function. One agent is trained and no population evolves.

AgileRL would evaluate in the environment of the training, whose rewards are shaped, and
close the environment at the end; ``Untested`` and ``Training`` prevent both. AgileRL's
training function resets the environment at each call.

Expect, with seed 0 and AgileRL 2.58.0: two candidates are tried and nothing is swapped
in. The base return in training is -52.3 after 27,600 environment steps in all, 20,000
of them the policy's own, and was -50.7 after 4,000: IPPO learns nothing in so few. 114
seconds on two busy cores, and some 30 with ``--smoke``; AgileRL takes long to import.

    python examples/agilerl_spread.py --smoke
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from agilerl.algorithms import IPPO
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from mpe2 import simple_spread_v3
from rich.console import Console

import also_wrappers as also
from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.catalog import mpe2
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.trainer import AuditionOutcome, ForkOutcome

Shape = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/agilerl_spread"
    seed: int = 0
    steps: int = 20_000
    smoke: bool = False


def make_env() -> Any:
    """Makes one environment, in which all agents are paid alike."""
    return simple_spread_v3.parallel_env(local_ratio=0.0)


class Untested(IPPO):
    """Trains as IPPO of AgileRL, and plays no evaluations, as rewards are shaped."""

    def test(self, *_: Any, **__: Any) -> float:
        """Plays no episode, and reports a fitness of 0."""
        self.metrics.add_fitness(0.0)
        return 0.0


def make_agent() -> Untested:
    """Makes an agent of AgileRL, which holds one policy for all of the team."""
    env = make_env()
    names = list(env.possible_agents)
    agent = Untested(
        observation_spaces=[env.observation_space(name) for name in names],
        action_spaces=[env.action_space(name) for name in names],
        agent_ids=names,
        lr=1e-3,
        learn_step=400,
        batch_size=100,
    )
    env.close()
    return agent


class Training:
    """Adapts a training of AgileRL to ``also_wrappers.trainer.Trainer``.

    A trainer step is a step of the environment, with all its agents.

    Args:
        shape: The shape around the environment.
        total: Trainer steps that are planned.
        seed: Seed of the environment, the networks and the sampling.
    """

    agents_per_env = 1
    bootstraps_truncation = False  # AgileRL treats time-outs as ends
    evaluates = False  # actions are sampled from the policy and nothing else
    replays = False
    imitates = False

    def __init__(self, shape: Shape, total: int, seed: int) -> None:
        seed_randomness(seed)
        self.total = total
        self.agent = make_agent()
        self.env = shape(make_env())
        self.env.reset(seed=seed)  # with this reset the run learns of the environment
        self.env.close = lambda: None  # AgileRL would close it after each rollout
        self.rollout = int(self.agent.learn_step)
        self.gamma = float(self.agent.gamma)

    @property
    def steps(self) -> int:
        """The trainer steps of the lineage so far."""
        return int(self.agent.steps)

    def train(self, until: int, rest: Callable[[], None] = lambda: None) -> None:
        """Trains whole rollouts until ``until`` steps of the lineage are trained.

        Args:
            until: Trainer steps of the lineage at which to stop.
            rest: Called before each rollout, where everything is at rest.
        """
        while self.steps < until:
            rest()
            if self.steps >= until:  # rest has adopted a branch
                break
            # AgileRL shows a progress bar at each call.
            with contextlib.redirect_stderr(io.StringIO()):
                train_multi_agent_on_policy(
                    self.env,
                    "spread",
                    "IPPO",
                    [self.agent],
                    max_steps=self.steps + 1,
                    evo_steps=self.rollout,
                    verbose=False,
                )

    def snapshot(self, path: Path) -> None:
        """Writes everything that training depends on but the environment."""
        with replacing(path) as beside:
            self.agent.save_checkpoint(str(beside))

    def adopt(self, path: Path) -> None:
        """Loads a snapshot, whose code is trusted; the environment stays as it is."""
        self.agent.load_checkpoint(str(path))

    def policy_drift(self) -> None:
        """Returns ``None``, as the drift is not measured here."""

    def imitated(self) -> None:
        """Returns ``None``, as no expert is imitated here."""

    def audition(self, *_: Any) -> AuditionOutcome:
        """Refuses an audition, as no expert is imitated here."""
        raise ConfigurationError(
            "experts are not imitated here; leave actions= out of the Task"
        )

    def fork(self) -> Fork:
        """Returns what a worker needs to train a branch."""
        return Fork(self.total)


@dataclasses.dataclass(frozen=True)
class Fork:
    """Trains branches in another process, from a snapshot alone."""

    total: int
    preload: tuple[str, ...] = ("agilerl.training.train_multi_agent_on_policy",)

    def warm(self) -> None:
        """Makes and closes one environment."""
        make_env().close()

    def __call__(
        self,
        start: Path,
        shape: Shape,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        """Trains a branch in a fresh environment."""
        branch = Training(shape, self.total, seed)
        branch.adopt(start)
        first = branch.steps
        branch.train(first + steps)
        if end is not None:
            branch.snapshot(end)
        return ForkOutcome(branch.steps - first, branch.steps - first)


def main(arguments: Arguments) -> None:
    """Trains with an adapted signal, and prints the base return."""
    torch.set_num_threads(1)  # the nets are small
    np.seterr(invalid="ignore")
    steps = 2000 if arguments.smoke else arguments.steps
    features = mpe2.spread_features(make_env())
    task = also.Task("Three agents cover three landmarks.", features)
    run = also.Run(task, arguments.run_dir)
    run.ledger.listeners.append(ProgressLines(Console()))
    # The signal does not fade, as a policy needs longer than this to outlive it.
    options: Any = {"fade_out": 0.0, "seed": arguments.seed}
    if arguments.smoke:
        options |= {"first": 400, "horizon": 400}
    began = time.perf_counter()
    training = Training(run.shape, steps, arguments.seed)
    adaptation = also.Adaptation(run, **options)
    training.train(steps, rest=lambda: adaptation.step(training))
    adaptation.finish(training)
    run.close()
    print("the active signal:", run.board.read().signal.describe())
    print("environment steps:", run.accounting.env_steps())
    print(f"{time.perf_counter() - began:.0f} seconds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
