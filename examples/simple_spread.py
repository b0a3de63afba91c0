"""MPE simple_spread on a sparse reward, with an adapted learning signal.

The team is paid 1, and the episode ends, when both landmarks are covered. Run with
``--smoke`` to see that everything works in a minute; without, it takes some minutes.

    python examples/simple_spread.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from mpe2 import simple_spread_v3
from pettingzoo.utils import BaseParallelWrapper
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

import also_wrappers as also


@dataclasses.dataclass
class Arguments:
    """What can be given on the command line."""

    run_dir: str = "runs/simple_spread"
    seed: int = 0
    steps: int = 300_000
    smoke: bool = False


class CoverBoth(BaseParallelWrapper):
    """Pays 1 to all and ends the episode when every landmark has an agent near it."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        found = self.env.reset(seed=seed, options=options)
        self.agents = list(self.env.agents)
        return found

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


def make_env() -> CoverBoth:
    """One environment."""
    return CoverBoth(simple_spread_v3.parallel_env(N=2, max_cycles=30))


def distance(first: int) -> Callable[[also.View], float]:
    """Reads the length of a relative position in the observation."""
    return lambda view: float(np.hypot(*view.observation[first : first + 2]))


def main(arguments: Arguments) -> None:
    """Trains."""
    features = also.FeatureMap(
        also.Feature("landmark0_distance", distance(4), "own distance to landmark 0"),
        also.Feature("landmark1_distance", distance(6), "own distance to landmark 1"),
        also.Feature("mate_distance", distance(8), "distance to the other agent"),
        also.Feature("velocity", "obs[0:2]", "own velocity"),
    )
    task = also.Task(
        description="Two agents must cover two landmarks, one each, at the same time.",
        features=features,
        conditions={"together": "team_max(mate_distance) < 0.3"},
        success="base_return >= 1",
    )
    run = also.Run(task, arguments.run_dir)

    def make_venv(shape: Callable[[Any], Any]) -> VecEnv:
        return also.PettingZooVecEnv(lambda: shape(make_env()), num_envs=16)

    steps = 16_384 if arguments.smoke else arguments.steps
    model = PPO(
        "MlpPolicy",
        make_venv(run.shape),
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        seed=arguments.seed,
        device="cpu",
    )
    # A training of seconds needs shorter branches, and more of them, than usual.
    tiny: dict[str, Any] = {"first": 4096, "horizon": 2048, "budget": 2.0}
    options = tiny if arguments.smoke else {}
    callback = also.AdaptationCallback(run, make_venv, seed=arguments.seed, **options)
    model.learn(steps, callback=callback)
    print("the active signal:", run.board.read().signal.describe())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for field in dataclasses.fields(Arguments):
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    main(Arguments(**vars(parser.parse_args())))
