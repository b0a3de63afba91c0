"""Trains IPPO of skrl with an adapted signal, and on the base reward alone.

Two agents are paid only when both stand at the far end of a corridor; each has networks
of its own. There is no adapter for skrl: ``Training`` and ``Fork`` are what a trainer
has to offer, as the page of ``also_wrappers.trainers`` teaches, and they pass
``check_trainer`` at the level ``exact``. Built-in rules propose; the base reward alone
gets as many steps as adapting took in all.

Expect, with seed 0 and skrl 2.1.1: a signal is swapped in after the second round, and
the base return at the end of the training is 1.000 after 27,392 environment steps in
all, 20,480 of them the policies' own; on the base reward alone it is .000 after as
many. 62 and 40 seconds on two busy cores.

    python examples/skrl_corridor.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import skrl
import torch
from rich.console import Console
from skrl.envs.wrappers.torch import MultiAgentEnvWrapper, wrap_env
from skrl.memories.torch import RandomMemory
from skrl.multi_agents.torch.ippo import IPPO
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.model_instantiators.torch import categorical_model, deterministic_model

import also_wrappers as also
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.ledger.events import Recorded
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainer import AuditionOutcome, ForkOutcome

Shape = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/skrl_corridor"
    seed: int = 0
    steps: int = 20_480
    smoke: bool = False


def make_env() -> Any:
    """Makes one environment, with the attributes that skrl reads."""
    env = Corridor(length=36, limit=48)
    names = env.possible_agents
    env.observation_spaces = {name: env.observation_space(name) for name in names}
    env.action_spaces = {name: env.action_space(name) for name in names}
    return env


def make_agent(env: MultiAgentEnvWrapper, rollout: int) -> IPPO:
    """Makes the agents of skrl, each with networks and a memory of its own."""
    layers = {"layers": [64, 64], "activations": "tanh"}
    network = [{"name": "net", "input": "OBSERVATIONS", **layers}]
    models: dict[str, dict[str, Any]] = {}
    for name in env.possible_agents:
        spaces = {
            "observation_space": env.observation_space(name),
            "action_space": env.action_space(name),
            "device": env.device,
        }
        models[name] = {
            "policy": categorical_model(network=network, output="ACTIONS", **spaces),
            "value": deterministic_model(network=network, output="ONE", **spaces),
        }
        for role, model in models[name].items():
            model.init_state_dict(role=role)
    # skrl 2.1 refuses its own defaults of these options, since they name no agent.
    parts = ("observation_preprocessor", "state_preprocessor", "value_preprocessor")
    unset: dict[str, dict[str, Any]] = {
        f"{part}_kwargs": {name: {} for name in env.possible_agents}
        for part in (*parts, "learning_rate_scheduler")
    }
    return IPPO(
        possible_agents=env.possible_agents,
        models=models,
        memories={
            name: RandomMemory(memory_size=rollout, device=env.device)
            for name in env.possible_agents
        },
        observation_spaces=env.observation_spaces,
        state_spaces=env.state_spaces,
        action_spaces=env.action_spaces,
        device=env.device,
        cfg={
            **unset,
            "rollouts": rollout,
            "mini_batches": 4,
            "entropy_loss_scale": 0.01,
            "time_limit_bootstrap": True,  # otherwise returns cross episodes
            "experiment": {"write_interval": 0, "checkpoint_interval": 0},
        },
    )


class Training:
    """Adapts a training of skrl to ``also_wrappers.trainer.Trainer``.

    A trainer step is a step of the environment, with all its agents.

    Args:
        shape: The shape around the environment.
        total: Trainer steps that are planned.
        seed: Seed of the environment, the networks and the sampling.
    """

    agents_per_env = 1
    bootstraps_truncation = True
    evaluates = False  # actions are sampled from the policies and nothing else
    replays = False
    imitates = False
    rollout = 256
    gamma = 0.99

    def __init__(self, shape: Shape, total: int, seed: int) -> None:
        torch.manual_seed(seed)
        skrl.config.torch.key = seed  # the wrapper below seeds the environment with it
        self.total, self.steps = total, 0
        env = wrap_env(shape(make_env()), wrapper="pettingzoo", verbose=False)
        env.reset()  # with this reset the run learns of the environment
        self.agent = make_agent(env, self.rollout)
        self.trainer = SequentialTrainer(
            env=env,
            agents=self.agent,
            cfg={
                "timesteps": self.rollout,
                "headless": True,
                "disable_progressbar": True,
                "close_environment_at_exit": False,
            },
        )

    def train(self, until: int, rest: Callable[[], None] = lambda: None) -> None:
        """Trains whole rollouts until ``until`` steps of the lineage are trained.

        skrl's trainer resets the environment at the start of each rollout.

        Args:
            until: Trainer steps of the lineage at which to stop.
            rest: Called before each rollout, where everything is at rest.
        """
        while self.steps < until:
            rest()
            if self.steps < until:  # False where rest has adopted a branch
                self.trainer.train()
                self.steps += self.rollout

    def snapshot(self, path: Path) -> None:
        """Writes networks, optimizers and the steps."""
        parts = {
            f"{name} {part}": module.state_dict()
            for name, modules in self.agent.checkpoint_modules.items()
            for part, module in modules.items()
        }
        with replacing(path) as beside:
            torch.save((self.steps, parts), beside)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot; the environment stays as it is."""
        self.steps, parts = torch.load(path, weights_only=True)
        for name, modules in self.agent.checkpoint_modules.items():
            for part, module in modules.items():
                module.load_state_dict(parts[f"{name} {part}"])

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
    preload: tuple[str, ...] = ("skrl.multi_agents.torch.ippo", "skrl.trainers.torch")

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


def train(arguments: Arguments, name: str, steps: int, **options: Any) -> also.Run:
    """Trains with an adapted signal, or without one where the budget is 0."""
    task = also.Task("Both agents walk to the far end.", corridor_features())
    run = also.Run(task, f"{arguments.run_dir}/{name}")
    run.ledger.listeners.append(ProgressLines(Console()))
    adaptation = also.Adaptation(run, seed=arguments.seed, **options)
    training = Training(run.shape, steps, arguments.seed)
    training.train(steps, rest=lambda: adaptation.step(training))
    adaptation.finish(training)
    run.close()
    return run


def main(arguments: Arguments) -> None:
    """Trains twice, and compares the base returns."""
    torch.set_num_threads(1)  # the nets are small
    # The signal does not fade, as a policy needs longer than this to outlive it.
    options: Any = {"fade_out": 0.0}
    if arguments.smoke:
        options |= {"first": 512, "horizon": 512}
    steps = 2560 if arguments.smoke else arguments.steps
    times = [time.perf_counter()]
    adapted = train(arguments, "adapted", steps, **options)
    times.append(time.perf_counter())
    base = train(arguments, "base", adapted.accounting.trainer_steps().total, budget=0)
    times.append(time.perf_counter())
    print("the active signal:", adapted.board.read().signal.describe())
    print("environment steps:", adapted.accounting.env_steps())
    for run, first, last in zip((adapted, base), times, times[1:], strict=False):
        *_, event = (event for event in run.events() if isinstance(event, Recorded))
        print(
            f"{run.dir.name}: base return {event.window.mean:.3f} at the end of the "
            f"training, {last - first:.0f} s"
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
