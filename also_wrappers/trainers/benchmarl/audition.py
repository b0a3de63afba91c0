"""Plays auditions with BenchMARL: episodes in which an expert acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDictBase
from torchrl.envs.utils import ExplorationType, set_exploration_type

from also_wrappers.branches.randomness import randomness_restored, seed_randomness
from also_wrappers.trainer import AuditionOutcome
from also_wrappers.trainers.benchmarl.fork import BenchMARLFork
from also_wrappers.trainers.benchmarl.imitation import check_imitates, good_actions

__all__ = ["play_audition"]


def play_audition(
    experiment: Experiment,
    shape: Callable[[Any], Any],
    episodes: int,
    seed: int,
    noise: float,
    stepped: Callable[[int], None],
) -> AuditionOutcome:
    """Plays whole episodes in which an expert acts where the expert speaks.

    Where the expert is silent, the stochastic policy acts. The experiment and the
    global randomness stay as they are.

    Args:
        experiment: The experiment.
        shape: The shape for the environments, which tells advice and pays nothing.
        episodes: Number of episodes; rounded up to a multiple of the copies.
        seed: Seed of the environments and of all sampling.
        noise: Share of all actions that are taken at random.
        stepped: Called with the frames of every step.

    Returns:
        The episodes, copy by copy. A frame counts as spoken where the expert spoke to
        any agent, and as agreed by the share of these agents that drew a good action.

    Raises:
        ConfigurationError: The experiment cannot imitate.
    """
    check_imitates(experiment)
    with (
        randomness_restored(),
        BenchMARLFork(experiment).experiment(shape, seed) as own,
        torch.no_grad(),
        set_exploration_type(ExplorationType.RANDOM),
    ):
        seed_randomness(seed)
        env = own.collector.env
        copies = int(env.batch_size.numel())
        advised = _Advised(experiment, noise, seed)
        wanted = -(-episodes // copies)
        returns: list[list[float]] = [[] for _ in range(copies)]
        running = np.zeros(copies)
        steps = 0
        state = env.reset()
        while min(map(len, returns)) < wanted:
            state = experiment.policy(state.to(experiment.config.train_device))
            advised.act(state)
            past, state = env.step_and_maybe_reset(state.to(env.device))
            stepped(copies)
            steps += copies
            running += _mean_rewards(experiment, past, copies)
            over = past["next", "done"].reshape(copies, -1).any(dim=1)
            for copy in over.nonzero().flatten().tolist():
                if len(returns[copy]) < wanted:
                    returns[copy].append(float(running[copy]))
                running[copy] = 0.0
    played = tuple(base for of_copy in returns for base in of_copy)
    return AuditionOutcome(played, steps, advised.spoken, advised.agreed)


class _Advised:
    """Replaces the policy's actions by advised ones.

    Of several good actions one is taken at random, as the policy is pulled towards all
    of them alike. Actions that a mask forbids are never taken.

    Args:
        experiment: The experiment.
        noise: Share of all actions that are taken at random.
        seed: Seed of the random choices.

    Attributes:
        spoken: Frames in which there was a good action.
        agreed: Sum over these frames of the share of advised agents whose policy drew a
            good action.
    """

    def __init__(self, experiment: Experiment, noise: float, seed: int) -> None:
        self.spoken = 0
        self.agreed = 0.0
        self._experiment = experiment
        self._noise = noise
        self._chance = np.random.default_rng(seed)

    def act(self, state: TensorDictBase) -> None:
        """Writes the actions of a step, advised or the policy's own.

        Args:
            state: States of all copies, with the actions that the policy drew; the
                actions are replaced.
        """
        spoken, agreed = [], []
        for group in self._experiment.group_map:
            action = state[group, "action"]
            drawn = action.cpu().numpy()
            good = good_actions(self._experiment, group, state).cpu().numpy()
            mask = state.get((group, "action_mask"), None)
            allowed = np.ones_like(good) if mask is None else mask.cpu().numpy()
            advised = good.any(axis=-1)
            spoken.append(advised)
            agreed.append(np.take_along_axis(good, drawn[..., None], -1)[..., 0])
            noisy = self._chance.random(drawn.shape) < self._noise
            choices = np.where(noisy[..., None], allowed, good)
            any_of = (self._chance.random(choices.shape) * choices).argmax(axis=-1)
            chosen = np.where(noisy | advised, any_of, drawn)
            state[group, "action"] = torch.from_numpy(chosen).to(action)
        self._count(np.concatenate(spoken, axis=1), np.concatenate(agreed, axis=1))

    def _count(
        self, spoken: npt.NDArray[np.bool_], agreed: npt.NDArray[np.bool_]
    ) -> None:
        """Counts frames by masks of shape ``(copies, agents)``."""
        asked = spoken.sum(axis=1)
        self.spoken += int((asked > 0).sum())
        self.agreed += float((agreed.sum(axis=1) / np.maximum(asked, 1)).sum())


def _mean_rewards(
    experiment: Experiment, past: TensorDictBase, copies: int
) -> npt.NDArray[np.float64]:
    """Returns the rewards of a step, averaged over agents, shape ``(copies,)``."""
    rewards = [
        past["next", group, "reward"].reshape(copies, -1)
        for group in experiment.group_map
    ]
    return torch.cat(rewards, dim=1).double().mean(dim=1).cpu().numpy()
