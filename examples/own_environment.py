"""Brings an environment of your own: a PettingZoo ParallelEnv, features, a task.

Two agents walk on a grid and are paid 1, once, when both stand on the well, whose cell
is drawn anew for every episode. In the folder of this file, this command prints what an
advisor will see of the environment, and whether the wrapper contract holds for it:

    also-wrappers inspect own_environment:Well --features own_environment:FEATURES

Expect, with seed 0: shaping that brings the farther agent to the well is used from the
first round on, and the base return is 1.000 after 65,536 environment steps in all, of
which the policy's own are 50,176, in 33 seconds. On the base reward alone (``--budget 0
--steps 140000``) it is .262 (standard error .028) after 71,680.

    python examples/own_environment.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pettingzoo import ParallelEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also

SIDE, LIMIT = 15, 50
MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])


class Well(ParallelEnv):
    """Pays both agents 1 and ends the episode when both stand on the well.

    An agent observes the well and the other agent from its own cell, in cells over the
    side of the grid, and stays or goes up, down, left or right.
    """

    metadata = {"name": "well_v0"}
    render_mode = None

    def __init__(self) -> None:
        self.possible_agents = ["agent_0", "agent_1"]
        self.agents: list[str] = []
        self.random = np.random.default_rng()
        box, moves = spaces.Box(-1.0, 1.0, (4,)), spaces.Discrete(len(MOVES))
        self.observation_spaces = dict.fromkeys(self.possible_agents, box)
        self.action_spaces = dict.fromkeys(self.possible_agents, moves)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.agents, self.steps = list(self.possible_agents), 0
        self.well, *places = self.random.integers(SIDE, size=(3, 2))
        self.places = np.array(places)
        return self.observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        moves = MOVES[[int(actions[agent]) for agent in self.agents]]
        self.places = np.clip(self.places + moves, 0, SIDE - 1)
        self.steps += 1
        both = bool((self.places == self.well).all())
        late = self.steps >= LIMIT and not both
        everyone = self.agents
        if both or late:
            self.agents = []
        return (
            self.observe(),
            dict.fromkeys(everyone, float(both)),
            dict.fromkeys(everyone, both),
            dict.fromkeys(everyone, late),
            {agent: {} for agent in everyone},
        )

    def observe(self) -> dict[str, Any]:
        """Returns what each agent observes, shape ``(4,)``, in sides of the grid."""
        rows = np.hstack([self.well - self.places, self.places[::-1] - self.places])
        scaled = (rows / SIDE).astype(np.float32)
        return dict(zip(self.possible_agents, scaled, strict=True))


FEATURES = also.FeatureMap(
    also.Feature(
        "well_distance",
        lambda view: float(np.abs(view.observation[:2]).sum()),
        "steps to the well, in sides of the grid",
        low=0,
        high=2,
    ),
    also.Feature(
        "mate_distance",
        lambda view: float(np.abs(view.observation[2:]).sum()),
        "steps to the other agent, in sides of the grid",
        low=0,
        high=2,
    ),
)
TASK = also.Task(
    description="Both agents must stand on the well at the same time.",
    features=FEATURES,
    conditions={"one_is_there": "team_min(well_distance) < 0.01"},
    success="base_return >= 1",
)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/own_environment"
    seed: int = 0
    steps: int = 100_000
    budget: float = 0.5
    smoke: bool = False


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes eight copies, with the given wrapper around each."""
    return also.PettingZooVecEnv(lambda: shape(Well()), num_envs=8)


def main(arguments: Arguments) -> None:
    """Trains with an adapted signal, and prints the base return."""
    torch.set_num_threads(1)  # the nets are small
    began = time.perf_counter()
    run = also.Run(TASK, arguments.run_dir)
    model = PPO(
        "MlpPolicy",
        make_venv(run.shape),
        n_steps=128,
        batch_size=256,
        learning_rate=1e-3,
        ent_coef=0.01,
        seed=arguments.seed,
        device="cpu",
    )
    # A training of seconds needs shorter branches than usual.
    tiny: Any = {"first": 2048, "horizon": 2048}
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
    result = also.evaluate(model, make_venv, 16 if arguments.smoke else 256)
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
