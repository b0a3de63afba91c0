"""Evaluation by the base reward alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.exceptions import ConfigurationError

__all__ = ["evaluate"]


def evaluate(
    policy: Callable[[Any], npt.NDArray[Any]],
    venv: Any,
    episodes: int,
    seed: int,
    longest: int = 100_000,
) -> tuple[list[float], int]:
    """Runs whole episodes in unshaped environments.

    Every environment copy contributes the same number of episodes, so that short
    episodes are not counted more often than long ones.

    Args:
        policy: Batched observations -> actions; sample as in training, since greedy
            memoryless policies dead-lock on grids.
        venv: An SB3 VecEnv made with the identity shape. Where it has
            ``agents_per_env``, so many indices in a row are one environment.
        episodes: How many, rounded up to a multiple of the copies.
        seed: Of the environments.
        longest: Steps of a copy within which an episode has to end.

    Returns:
        Base return of each episode (the mean over its agents), and the trainer steps
        that were spent.

    Raises:
        ConfigurationError: An episode does not end.
    """
    agents = int(getattr(venv, "agents_per_env", 1))
    copies = venv.num_envs // agents
    wanted = -(-episodes // copies)
    venv.seed(seed)
    observations = venv.reset()
    running = np.zeros(venv.num_envs)
    ages = np.zeros(copies, dtype=int)
    returns: list[list[float]] = [[] for _ in range(copies)]
    steps = 0
    while any(len(done) < wanted for done in returns):
        observations, rewards, dones, _ = venv.step(policy(observations))
        steps += venv.num_envs
        running += rewards
        ages += 1
        if ages.max() > longest:
            raise ConfigurationError(
                f"an evaluation episode did not end within {longest:,} steps; give the "
                "environment a time limit"
            )
        for k in range(copies):
            part = slice(k * agents, (k + 1) * agents)
            if dones[part].all():
                if len(returns[k]) < wanted:
                    returns[k].append(float(running[part].mean()))
                running[part] = 0.0
                ages[k] = 0
    return [value for copy in returns for value in copy], steps
