"""Plays auditions with SB3: episodes in which an expert acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from also_wrappers.trainer import AuditionOutcome
from also_wrappers.trainers.sb3.evaluation import (
    checked,
    play_episodes,
    sampling_seeded,
)
from also_wrappers.trainers.sb3.fork import MakeVecEnv
from also_wrappers.trainers.sb3.imitation import check_imitates
from also_wrappers.trainers.sb3.likelihood import advice_of

__all__ = ["play_audition"]


def play_audition(
    model: Any,
    make_venv: MakeVecEnv,
    shape: Callable[[Any], Any],
    episodes: int,
    seed: int,
    noise: float,
    stepped: Callable[[int], None],
) -> AuditionOutcome:
    """Plays whole episodes in which an expert acts where the expert speaks.

    Where the expert is silent, the stochastic policy acts, with the exploration rate
    that the model has now. The model and the global randomness stay as they are.

    Args:
        model: The model.
        make_venv: Makes the model's environments with a given shape around each.
        shape: The shape for the environments, which tells advice and pays nothing.
        episodes: Number of episodes; rounded up to a multiple of the copies.
        seed: Seed of the environments and of all sampling.
        noise: Share of all actions that are taken at random.
        stepped: Called with the trainer steps of every step.

    Returns:
        The episodes, copy by copy.

    Raises:
        ConfigurationError: The model cannot imitate, or its environments do not fit.
    """
    check_imitates(model)
    with sampling_seeded(model, seed):
        venv = checked(make_venv(shape), model)
        try:
            advised = _Advised(venv, noise, seed, stepped)
            returns, steps = play_episodes(model, advised, episodes, seed)
        finally:
            venv.close()
    return AuditionOutcome(tuple(returns), steps, advised.spoken, advised.agreed)


class _Advised(VecEnvWrapper):
    """Replaces the given actions by advised ones.

    Of several good actions one is taken at random, as the policy is pulled towards all
    of them alike. Actions that a mask forbids are never taken.

    Args:
        venv: Environments that tell advice.
        noise: Share of all actions that are taken at random.
        seed: Seed of the random choices.
        stepped: Called with the trainer steps of every step.

    Attributes:
        spoken: Number of times that there was a good action.
        agreed: Number of times that the given action was good then, which in
            expectation is the policy's probability of the good actions.
    """

    def __init__(
        self, venv: VecEnv, noise: float, seed: int, stepped: Callable[[int], None]
    ) -> None:
        super().__init__(venv)
        self._stepped = stepped
        self.spoken = self.agreed = 0
        space: Any = venv.action_space
        self._count = int(space.n)
        self._noise = noise
        self._chance = np.random.default_rng(seed)
        self._masked = venv.has_attr("action_masks")
        self._advice: npt.NDArray[np.int64] = np.zeros(venv.num_envs, np.int64)

    def reset(self) -> VecEnvObs:
        """Resets the environments, and reads the advice for first states."""
        observations = self.venv.reset()
        self._advice = advice_of(self._first_infos())
        return observations

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Sends the actions of a step, advised or given."""
        good = (self._advice.reshape(-1, 1) >> np.arange(self._count)) & 1 > 0
        allowed = np.ones_like(good)
        if self._masked:
            allowed = np.stack(self.venv.env_method("action_masks")).astype(bool)
        good &= allowed
        self.spoken += int(good.any(axis=1).sum())
        self.agreed += int(good[np.arange(len(good)), actions].sum())
        noisy = self._chance.random(len(good)) < self._noise
        chosen = np.array(actions)
        for index in np.flatnonzero(noisy | good.any(axis=1)):
            choices = allowed[index] if noisy[index] else good[index]
            chosen[index] = self._chance.choice(np.flatnonzero(choices))
        self.venv.step_async(chosen)

    def step_wait(self) -> VecEnvStepReturn:
        """Steps the environments, and hides their advice from the player."""
        observations, rewards, dones, infos = self.venv.step_wait()
        self._stepped(self.num_envs)
        latest = [
            reset if done else info
            for info, reset, done in zip(infos, self._first_infos(), dones, strict=True)
        ]
        self._advice = advice_of(latest)
        plain = [
            {key: value for key, value in info.items() if key != "shaping"}
            for info in infos
        ]
        return observations, rewards, dones, plain

    def _first_infos(self) -> Sequence[Mapping[str, Any]]:
        venv: Any = self.venv.unwrapped
        infos: Sequence[Mapping[str, Any]] = venv.reset_infos
        return infos
