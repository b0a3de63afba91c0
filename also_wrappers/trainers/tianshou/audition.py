"""Plays auditions with Tianshou: episodes in which an expert acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tianshou.env import BaseVectorEnv
from tianshou.utils.torch_utils import torch_train_mode

from also_wrappers.branches.randomness import randomness_restored, seed_randomness
from also_wrappers.trainer import AuditionOutcome
from also_wrappers.trainers.tianshou.imitation import (
    check_imitates,
    distribution,
    good_actions,
)
from also_wrappers.trainers.tianshou.vector_env import ListeningVectorEnv, agents_of

__all__ = ["play_audition"]


def play_audition(
    algorithm: Any,
    venv: BaseVectorEnv,
    episodes: int,
    seed: int,
    noise: float,
    stepped: Callable[[int], None],
) -> AuditionOutcome:
    """Plays whole episodes in which an expert acts where the expert speaks.

    Where the expert is silent, the stochastic policy acts. The algorithm and the global
    randomness stay as they are.

    Args:
        algorithm: The algorithm.
        venv: Fresh environments, which tell what the expert advises and pay nothing.
        episodes: Number of episodes; rounded up to a multiple of the copies.
        seed: Seed of the environments and of all sampling.
        noise: Share of all actions that are taken at random.
        stepped: Called with the trainer steps of every step.

    Returns:
        The episodes, copy by copy.

    Raises:
        ConfigurationError: The algorithm cannot imitate.
    """
    check_imitates(algorithm)
    env, agents = ListeningVectorEnv(venv), agents_of(venv)
    wanted = -(-episodes * agents // len(env))
    returns: list[list[float]] = [[] for _ in range(len(env))]
    with randomness_restored(), torch_train_mode(algorithm.policy, enabled=False):
        seed_randomness(seed)
        env.seed(seed)
        advised = _Advised(algorithm.policy, noise, seed)
        observations, _ = env.reset()
        while min(map(len, returns)) < wanted:
            observations, _, ended, cut, _ = env.step(
                advised.act(observations, env.advice)
            )
            stepped(len(env))
            for index, base in env.take().episodes:
                returns[index].append(base)
            over = np.flatnonzero(ended | cut)
            if len(over):
                observations[over], _ = env.reset(over)
    # The episodes of an environment's agents end together.
    table = np.array([of_index[:wanted] for of_index in returns])
    played = table.reshape(-1, agents, wanted).mean(axis=1).flatten().tolist()
    steps = env.steps * len(env)
    return AuditionOutcome(tuple(played), steps, advised.spoken, advised.agreed)


class _Advised:
    """Replaces the policy's actions by advised ones.

    Of several good actions one is taken at random, as the policy is pulled towards all
    of them alike. Actions that the policy cannot take are never taken.

    Args:
        policy: The policy.
        noise: Share of all actions that are taken at random.
        seed: Seed of the random choices in place of the policy's.

    Attributes:
        spoken: Number of times that there was a good action.
        agreed: Number of times that the policy drew a good action then.
    """

    def __init__(self, policy: Any, noise: float, seed: int) -> None:
        self.spoken = self.agreed = 0
        self._policy = policy
        self._noise = noise
        self._chance = np.random.default_rng(seed)

    def act(
        self, observations: Any, advice: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Returns the actions of a step, shape ``(indices,)``."""
        with torch.no_grad():
            choice: Any = distribution(self._policy, observations)
            chosen: npt.NDArray[np.int64] = choice.sample().cpu().numpy()
        good = good_actions(advice, choice).cpu().numpy()
        allowed = good_actions(np.full_like(advice, -1), choice).cpu().numpy()
        self.spoken += int(good.any(axis=1).sum())
        self.agreed += int(good[np.arange(len(good)), chosen].sum())
        noisy = self._chance.random(len(good)) < self._noise
        for index in np.flatnonzero(noisy | good.any(axis=1)):
            choices = allowed[index] if noisy[index] else good[index]
            chosen[index] = self._chance.choice(np.flatnonzero(choices))
        return chosen
