"""Shows the evidence of policies that act by chance, not at all, together, or well.

Every policy plays an environment with recording on; its evidence is printed as a Critic
sees it, and drawn. The trained policy learns here, with PPO on the base reward.

Expect, with seed 0: mean base returns of .005 (random), .000 (idle), .557 (crowding)
and .978 (trained, some 150,000 environment steps), and four pictures, in 120 seconds on
two busy cores.

    python examples/evidence.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from mpe2 import simple_spread_v3
from stable_baselines3 import PPO

import also_wrappers as also
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.catalog import lbforaging, mpe2
from also_wrappers.evidence import Evidence, summarise
from also_wrappers.report import plot_evidence
from also_wrappers.wrappers.shape import Shape

#: A function from observations of the whole team to an action per agent.
Policy = Callable[[dict[str, Any]], dict[str, int]]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line; ``env`` is foraging or spread."""

    env: str = "foraging"
    run_dir: str = "runs/evidence"
    seed: int = 0
    steps: int = 300_000
    smoke: bool = False


def make_foraging() -> Any:
    """Makes a field of 8 by 8 cells, on which two agents load two foods together."""
    return lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")


def make_spread() -> Any:
    """Makes a plane on which two agents cover two landmarks."""
    return simple_spread_v3.parallel_env(N=2, max_cycles=25)


def crowd_foraging(observations: dict[str, Any]) -> dict[str, int]:
    """Sends every agent to the first food that is left, to load it."""
    actions = {}
    for agent, observation in observations.items():
        foods = [observation[k : k + 2] for k in (0, 3) if observation[k] >= 0]
        y, x = observation[6], observation[7]
        dy, dx = (foods[0][0] - y, foods[0][1] - x) if foods else (0, 0)
        if abs(dy) + abs(dx) <= 1:
            actions[agent] = 5  # load
        elif abs(dy) > 1 or (dx == 0 and dy):
            actions[agent] = 1 if dy < 0 else 2
        else:
            actions[agent] = 3 if dx < 0 else 4
    return actions


def crowd_spread(observations: dict[str, Any]) -> dict[str, int]:
    """Sends every agent to the first landmark."""
    actions = {}
    for agent, observation in observations.items():
        dx, dy = observation[4], observation[5]
        if abs(dx) > abs(dy):
            actions[agent] = 2 if dx > 0 else 1
        else:
            actions[agent] = 4 if dy > 0 else 3
    return actions


#: For each name: environment, vocabulary, and a policy that crowds there.
ENVIRONMENTS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Policy]] = {
    "foraging": (make_foraging, lbforaging.features, crowd_foraging),
    "spread": (make_spread, mpe2.spread_features, crowd_spread),
}


def watch(
    make_env: Callable[[], Any],
    features: also.FeatureMap,
    policy: Policy,
    episodes: int,
    noise: float,
) -> Evidence:
    """Plays episodes with recording on, and returns the evidence."""
    task = also.Task("watched", features)
    board = Board.create(Path(mkdtemp()) / "board", Posting(version=1, gamma=0.99))
    env = Shape(task, board)(make_env())
    random = np.random.default_rng(0)
    for episode in range(episodes):
        observations, _ = env.reset(seed=episode)
        while env.agents:
            actions = policy(observations)
            for agent in env.agents:
                if random.random() < noise:
                    actions[agent] = int(random.integers(env.action_space(agent).n))
            observations, *_ = env.step(actions)
    collected = board.collect()
    assert collected is not None
    return summarise(collected.layout, collected.values, also.Signal())


def train(make_env: Callable[[], Any], steps: int, seed: int) -> Policy:
    """Trains PPO with shared parameters on the base reward; returns the policy."""
    model = PPO(
        "MlpPolicy",
        also.PettingZooVecEnv(make_env, num_envs=8),
        n_steps=128,
        batch_size=512,
        learning_rate=1e-3,
        ent_coef=0.01,
        seed=seed,
        device="cpu",
    )
    model.learn(steps)

    def policy(observations: dict[str, Any]) -> dict[str, int]:
        agents = list(observations)
        stacked = np.stack([observations[agent] for agent in agents])
        chosen = model.predict(stacked, deterministic=False)[0]
        return {a: int(c) for a, c in zip(agents, chosen, strict=True)}

    return policy


def main(arguments: Arguments) -> None:
    """Prints and draws the evidence of each policy."""
    torch.set_num_threads(1)  # the nets are small
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    make_env, make_features, crowd = ENVIRONMENTS[arguments.env]
    features = make_features(make_env())
    steps = 2048 if arguments.smoke else arguments.steps
    idle = 0
    policies: dict[str, tuple[Policy, float]] = {
        "random": (lambda observations: dict.fromkeys(observations, idle), 1.0),
        "idle": (lambda observations: dict.fromkeys(observations, idle), 0.0),
        "crowding": (crowd, 0.1),
        "trained": (train(make_env, steps, arguments.seed), 0.0),
    }
    folder = Path(arguments.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    before = None
    for name, (policy, noise) in policies.items():
        episodes = 24 if arguments.smoke else 200
        evidence = watch(make_env, features, policy, episodes, noise)
        print(f"\n=== {arguments.env}, {name}\n{evidence.text(900)}")
        figure = plot_evidence(evidence, before)
        path = folder / f"{arguments.env}_{name}.png"
        figure.savefig(path)
        print(f"drawn in {path}")
        before = before or evidence


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
