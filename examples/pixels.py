"""Reads features from pictures, with a net of one's own.

A red dot walks on a picture of 14 by 14 pixels and is paid 1, once, on the blue mark;
both are put somewhere else in every episode. The policy sees the picture alone. Terms
and rules speak of the way to the mark, which a small net reads from the picture; it was
trained on pictures whose places were known. A batched feature group asks the net once
for many views: for all agents of a team, and for all copies of a Gymnasium vector
environment.

Expect, with seed 0: the expert "toward mark" is swapped in in the first round, and the
base return is .938 (standard error .015) after 221,296 environment steps in all, of
which the policy's own are 150,528, in 89 seconds on two busy cores. On the base reward
alone (``--budget 0 --steps 221000``) it is .098 (.019) after 222,208.

    python examples/pixels.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

import also_wrappers as also

SIDE, LIMIT = 14, 40
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
NAMES = ("up", "down", "left", "right")


def picture(dot: Any, mark: Any) -> npt.NDArray[np.float32]:
    """Draws the dot in red and the mark in blue; shape ``(2, SIDE, SIDE)``."""
    pixels = np.zeros((2, SIDE, SIDE), np.float32)
    pixels[0, *dot] = pixels[1, *mark] = 1.0
    return pixels


class Dot(gym.Env[npt.NDArray[np.float32], int]):
    """Pays 1 and ends the episode when the dot is on the mark."""

    observation_space = spaces.Box(0.0, 1.0, (2, SIDE, SIDE))
    action_space: spaces.Space[Any] = spaces.Discrete(len(MOVES))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.dot, self.mark = self.np_random.integers(SIDE, size=(2, 2))
        self.steps = 0
        return picture(self.dot, self.mark), {}

    def step(self, action: int) -> Any:
        self.dot = np.clip(self.dot + MOVES[int(action)], 0, SIDE - 1)
        self.steps += 1
        there = bool((self.dot == self.mark).all())
        late = self.steps >= LIMIT
        return picture(self.dot, self.mark), float(there), there, late, {}


class Way(nn.Module):
    """Reads the way from the dot to the mark in pictures: down and right, in sides."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(2 * SIDE**2, 64), nn.ReLU(), nn.Linear(64, 2)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Returns the ways, shape ``(pictures, 2)``."""
        way: torch.Tensor = self.layers(pictures)
        return way

    def fit(self, passes: int, seed: int) -> float:
        """Trains the net on pictures with known places; returns the error in pixels."""
        random = np.random.default_rng(seed)
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        error = 0.0
        for _ in range(passes):
            dots, marks = random.integers(SIDE, size=(2, 512, 2))
            pictures = np.stack([*map(picture, dots, marks)])
            true = torch.as_tensor((marks - dots) / SIDE, dtype=torch.float32)
            off = self(torch.as_tensor(pictures)) - true
            optimizer.zero_grad()
            torch.autograd.backward((off**2).mean())
            optimizer.step()
            error = float(off.detach().abs().mean()) * SIDE
        return error


def task_of(way: Way) -> also.Task:
    """Declares the task, whose features ask the net."""

    def measure(views: Sequence[also.View]) -> npt.NDArray[np.float32]:
        pictures = torch.as_tensor(np.stack([view.observation for view in views]))
        with torch.no_grad():
            ways = way(pictures).numpy()
        return np.column_stack([ways, np.abs(ways).sum(axis=1)])

    named = (
        also.Feature("down", "a net", "the mark is below, in sides", -1, 1),
        also.Feature("right", "a net", "the mark is to the right, in sides", -1, 1),
        also.Feature("distance", "a net", "steps to the mark, in sides", 0, 2),
    )
    return also.Task(
        "A dot walks on a picture to a mark.",
        also.FeatureMap(also.FeatureGroup(measure, named, batched=True)),
        success="base_return >= 1",
        actions=also.Actions(
            tuple(
                also.Action(name, k, step=tuple(move / SIDE))
                for k, (name, move) in enumerate(zip(NAMES, MOVES, strict=True))
            ),
            places={"mark": ("down", "right")},
        ),
    )


def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
    """Makes eight copies, with the given wrapper around each."""
    return DummyVecEnv([lambda: shape(Dot()) for _ in range(8)])


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/pixels"
    seed: int = 0
    steps: int = 150_000
    budget: float = 0.5
    smoke: bool = False


def main(arguments: Arguments) -> None:
    """Trains the net, then the policy with an adapted signal."""
    torch.set_num_threads(1)  # the nets are small
    torch.manual_seed(arguments.seed)
    began = time.perf_counter()
    way = Way()
    error = way.fit(20 if arguments.smoke else 400, arguments.seed)
    print(f"the net is off by {error:.2f} pixels")
    run = also.Run(task_of(way), arguments.run_dir)
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
