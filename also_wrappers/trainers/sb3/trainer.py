"""Adapts Stable-Baselines3's algorithms to the trainer protocol."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch as th
from stable_baselines3.common.distributions import kl_divergence
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import TrainFrequencyUnit
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import AuditionOutcome, Imitated
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.audition import play_audition
from also_wrappers.trainers.sb3.fork import (
    Algorithm,
    MakeVecEnv,
    SB3Fork,
    explores,
)
from also_wrappers.trainers.sb3.imitation import Imitation, imitates
from also_wrappers.trainers.sb3.replay_buffer import Relabelling
from also_wrappers.trainers.sb3.snapshots import restore, save
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__all__ = ["SB3Trainer", "check_model"]

#: Number of observations on which the drift of the policy is measured.
_PROBES = 256

#: The least number of steps between pauses, as off-policy rollouts may be single steps.
_LEAST_ROLLOUT = 256


class SB3Trainer:
    """Adapts an SB3 model in training.

    Args:
        model: A PPO or A2C model (or another on-policy algorithm), or SAC, TD3, DDPG or
            DQN with a shaped replay buffer.
        make_venv: Makes the model's environments with a given shape.
        total: Trainer steps that ``learn`` was asked for.
        earned: Counts what the training earns; begins at 0 if not given.
        imitation: Imitates the experts of the training; none are imitated if not given.
        agents_per_env: Number of successive indices that are the agents of one
            environment; used where the VecEnv has no ``agents_per_env`` of its own.

    Raises:
        ConfigurationError: The model or its environments cannot be forked.
    """

    def __init__(
        self,
        model: Algorithm,
        make_venv: MakeVecEnv,
        total: int,
        earned: Earned | None = None,
        imitation: Imitation | None = None,
        agents_per_env: int = 1,
    ) -> None:
        check_model(model)
        self.model = model
        self.total = total
        self.earned = earned or Earned()
        self._imitation = imitation
        self._make_venv = make_venv
        self._probes: list[Any] = []
        self._drift_since: Any = None
        venv = cast(VecEnv, model.get_env())
        self.agents_per_env = int(getattr(venv, "agents_per_env", agents_per_env))
        self.rollout = _rollout(model)
        self.evaluates = explores(model)
        self.replays = isinstance(model, OffPolicyAlgorithm)
        self.imitates = imitates(model)
        # SB3 bootstraps time-outs that a VecEnv tells of, which only these are known to
        # do.
        telling = (DummyVecEnv, SubprocVecEnv, PettingZooVecEnv)
        buffer = getattr(model, "replay_buffer", None)
        self.bootstraps_truncation = isinstance(venv.unwrapped, telling) and bool(
            getattr(buffer, "handle_timeout_termination", True)
        )

    @property
    def steps(self) -> int:
        """The trainer steps of the lineage so far."""
        return int(self.model.num_timesteps)

    @property
    def gamma(self) -> float:
        """The discount factor of the model."""
        return float(self.model.gamma)

    def snapshot(self, path: Path) -> None:
        """Writes all that training depends on but the environments to a file."""
        save(self.model, path, self.earned)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living model."""
        restore(self.model, path, self.earned)

    def observe(self) -> None:
        """Keeps the present observations until there are enough to measure drift."""
        have = sum(len(_first(probe)) for probe in self._probes)
        observations = self.model._last_obs
        if self._drift_since is None and have < _PROBES and observations is not None:
            self._probes.append(copy.deepcopy(observations))

    def policy_drift(self) -> list[float] | None:
        """Returns the KL divergence of each agent's last policy from its present one.

        Each divergence is a mean over the observations that were kept of the agent.
        Returns ``None`` for recurrent policies, whose actions depend on more than an
        observation, and for values and actors without a distribution.
        """
        policy: Any = self.model.policy
        has_distribution = isinstance(policy, ActorCriticPolicy)
        if not self._probes or not has_distribution or hasattr(policy, "lstm_actor"):
            return None
        probes = self._probes
        stacked: Any = (
            {key: np.concatenate([p[key] for p in probes]) for key in probes[0]}
            if isinstance(probes[0], dict)
            else np.concatenate(probes)
        )
        with th.no_grad():
            distribution = policy.get_distribution(policy.obs_to_tensor(stacked)[0])
            # SB3 puts every distribution into one and the same object.
            now = copy.copy(distribution)
            before, self._drift_since = self._drift_since, now
            if before is None:
                return None
            divergence = kl_divergence(before, now)
        each = divergence.reshape(divergence.shape[0], -1).sum(dim=1)
        # Rows are in the order of observations, then copies, then agents.
        drift: list[float] = each.reshape(-1, self.agents_per_env).mean(dim=0).tolist()
        return drift

    def imitated(self) -> Imitated | None:
        """Returns how the expert in force was imitated since the last call."""
        return self._imitation.agreements.take() if self._imitation else None

    def audition(
        self,
        shape: Callable[[Any], Any],
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes in which an expert acts where the expert speaks."""
        make_venv = self._make_venv
        return play_audition(
            self.model, make_venv, shape, episodes, seed, noise, stepped
        )

    def fork(self) -> SB3Fork:
        """Returns what a worker needs to train a branch."""
        return SB3Fork(self.model, self._make_venv, self.total)


def _first(observations: Any) -> Any:
    if isinstance(observations, dict):
        return next(iter(observations.values()))
    return observations


def _rollout(model: Any) -> int:
    """Returns the trainer steps of one rollout, or of several short ones."""
    if isinstance(model, OnPolicyAlgorithm):
        return int(model.n_steps * model.n_envs)
    frequency = model.train_freq
    steps = frequency.frequency if frequency.unit == TrainFrequencyUnit.STEP else 1
    return int(-(-_LEAST_ROLLOUT // (steps * model.n_envs)) * steps * model.n_envs)


def check_model(model: Any) -> Algorithm:
    """Refuses models that cannot be forked, before any training.

    Returns:
        The model.

    Raises:
        ConfigurationError: The model cannot be forked; the sentence says why, and what
            to do instead.
    """
    if not isinstance(model, Algorithm):
        raise ConfigurationError(
            f"{type(model).__name__} is no algorithm of Stable-Baselines3 that can be "
            "forked; use PPO, A2C, SAC, TD3, DDPG, DQN or sb3-contrib's MaskablePPO, "
            "RecurrentPPO, TQC or QRDQN, or write an adapter "
            "(also_wrappers.testing.check_trainer)"
        )
    if model.get_env() is None:
        name = type(model).__name__
        raise ConfigurationError(f"the {name} has no environment; give it one first")
    if isinstance(model, OffPolicyAlgorithm):
        _check_buffer(model)
    normalize = model.get_vec_normalize_env()
    if normalize and normalize.norm_reward and np.isfinite(normalize.clip_reward):
        raise ConfigurationError(
            f"VecNormalize clips rewards at {normalize.clip_reward:g}, and what is "
            "clipped of a potential changes what is optimal; use norm_reward=False, or "
            "clip_reward=numpy.inf"
        )
    return model


def _check_buffer(model: OffPolicyAlgorithm) -> None:
    buffer = model.replay_buffer
    name = type(buffer).__name__
    if isinstance(buffer, HerReplayBuffer):
        raise ConfigurationError(
            "HerReplayBuffer pays for goals that were set afterwards, for which no "
            "features were recorded, so a signal cannot be paid for them; use "
            "ShapedReplayBuffer or ShapedDictReplayBuffer"
        )
    if not isinstance(buffer, Relabelling):
        raise ConfigurationError(
            f"{name} keeps the rewards of earlier signals; give the model "
            "replay_buffer_class=ShapedReplayBuffer (or ShapedDictReplayBuffer, or "
            "ShapedNStepReplayBuffer) and replay_buffer_kwargs={'shape': run.shape}"
        )
    gamma = getattr(buffer, "gamma", model.gamma)
    if gamma != model.gamma:
        raise ConfigurationError(
            f"the replay buffer discounts by {gamma:g} and the model by "
            f"{model.gamma:g}; put 'gamma': {model.gamma:g} into replay_buffer_kwargs"
        )
