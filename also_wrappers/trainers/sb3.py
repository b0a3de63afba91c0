"""The adapter for Stable-Baselines3's on-policy algorithms."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import kl_divergence
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecEnv,
    VecNormalize,
)

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.base import ForkOutcome
from also_wrappers.trainers.vec_env import PettingZooVecEnv

__all__ = ["EnoughError", "MakeVecEnv", "SB3Fork", "SB3Trainer"]

#: Makes the training environments; puts ``shape`` around each of them.
MakeVecEnv = Callable[[Callable[[Any], Any]], VecEnv]

#: Observations on which the drift of the policy is measured.
_PROBES = 256

#: What a snapshot restores besides parameters and optimizer.
_COUNTERS = ("num_timesteps", "_n_updates", "_current_progress_remaining")


class SB3Trainer:
    """An SB3 model in training.

    Args:
        model: A PPO or A2C model (or another on-policy algorithm).
        make_venv: Makes the model's environments with a given shape.
        total: Trainer steps that ``learn`` was asked for.

    Raises:
        ConfigurationError: The model or its environments cannot be forked.
    """

    def __init__(
        self, model: OnPolicyAlgorithm, make_venv: MakeVecEnv, total: int
    ) -> None:
        check_model(model)
        self.model = model
        self.total = total
        self._make_venv = make_venv
        self._probes: list[Any] = []
        self._drift_since: Any = None
        venv = cast(VecEnv, model.get_env())
        self.agents_per_env = int(getattr(venv, "agents_per_env", 1))
        self.rollout = model.n_steps * model.n_envs
        # SB3 bootstraps a time-out where its VecEnv tells of it; others may not.
        telling = (DummyVecEnv, SubprocVecEnv, PettingZooVecEnv)
        self.bootstraps_truncation = isinstance(venv.unwrapped, telling)

    @property
    def steps(self) -> int:
        """Trainer steps of the lineage."""
        return int(self.model.num_timesteps)

    @property
    def gamma(self) -> float:
        """The discount factor."""
        return float(self.model.gamma)

    def snapshot(self) -> bytes:
        """SB3's own archive: parameters, optimizer, counters."""
        return _save(self.model)

    def adopt(self, snapshot: bytes) -> None:
        """Loads parameters, optimizer and counters into the living model."""
        data, parameters, variables = load_from_zip_file(
            io.BytesIO(snapshot), device=self.model.device
        )
        assert data is not None
        self.model.set_parameters(parameters, device=self.model.device)
        for name, value in (variables or {}).items():
            getattr(self.model, name).data = value.data
        for name in _COUNTERS:
            setattr(self.model, name, data[name])

    def observe(self) -> None:
        """Keeps the current observations until there are enough to measure drift."""
        have = sum(len(_first(probe)) for probe in self._probes)
        seen = self.model._last_obs
        if self._drift_since is None and have < _PROBES and seen is not None:
            self._probes.append(copy.deepcopy(seen))

    def policy_drift(self) -> float | None:
        """Mean KL divergence of the policy at the last call from the policy now.

        Not told of recurrent policies, whose actions depend on more than what is seen.
        """
        if not self._probes or hasattr(self.model.policy, "lstm_actor"):
            return None
        probes = self._probes
        stacked: Any = (
            {key: np.concatenate([p[key] for p in probes]) for key in probes[0]}
            if isinstance(probes[0], dict)
            else np.concatenate(probes)
        )
        policy = self.model.policy
        with th.no_grad():
            found = policy.get_distribution(policy.obs_to_tensor(stacked)[0])
            now = copy.deepcopy(found)  # SB3 uses one object for all of them
            before, self._drift_since = self._drift_since, now
            if before is None:
                return None
            divergence = kl_divergence(before, now)
        return float(divergence.reshape(divergence.shape[0], -1).sum(dim=1).mean())

    def fork(self) -> SB3Fork:
        """What a worker needs."""
        return SB3Fork(type(self.model), self._make_venv, self.total)

    def policy(self) -> Callable[[Any], npt.NDArray[Any]]:
        """Observations -> actions, sampled as in training."""

        def act(observations: Any) -> npt.NDArray[Any]:
            return self.model.predict(observations, deterministic=False)[0]

        return act


def _first(observations: Any) -> Any:
    if isinstance(observations, dict):
        return next(iter(observations.values()))
    return observations


class SB3Fork:
    """Trains branches of an SB3 model."""

    preload = ("also_wrappers.trainers.sb3", "stable_baselines3")

    def __init__(
        self,
        algorithm: type[OnPolicyAlgorithm],
        make_venv: MakeVecEnv,
        total: int,
    ) -> None:
        self._algorithm = algorithm
        self._make_venv = make_venv
        self._total = total

    def __call__(
        self, snapshot: bytes, shape: Callable[[Any], Any], seed: int, steps: int
    ) -> ForkOutcome:
        """Trains a branch with the parent's schedules."""
        venv = self._make_venv(shape)
        model = self._algorithm.load(io.BytesIO(snapshot), env=venv, device="cpu")
        model.tensorboard_log = None
        model.verbose = 0
        model.set_random_seed(seed)
        first = model.num_timesteps
        # SB3's learn takes its total as a local and adds the steps so far to it; asked
        # for the rest of the parent's plan, it follows the parent's schedules.
        try:
            model.learn(
                max(self._total - first, steps),
                callback=_StopAt(first + steps),
                reset_num_timesteps=False,
            )
        except EnoughError:
            pass
        finally:
            venv.close()
        trained = model.num_timesteps - first
        return ForkOutcome(_save(model), trained, trained // venv.num_envs)


class EnoughError(Exception):
    """Leaves ``learn`` at the start of a rollout, where everything is at rest."""


class _StopAt(BaseCallback):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps >= self._steps:
            raise EnoughError

    def _on_step(self) -> bool:
        return True


def check_model(model: Any) -> None:
    """Refuses what cannot be forked, before any training.

    Raises:
        ConfigurationError: With what to do instead.
    """
    if not isinstance(model, OnPolicyAlgorithm):
        raise ConfigurationError(
            f"{type(model).__name__} learns off-policy; its replay buffer holds "
            "rewards of earlier signals, which this version cannot relabel. Use PPO "
            "or A2C"
        )
    venv = model.get_env()
    if venv is None:
        raise ConfigurationError("the model has no environment; give it one first")
    inner: Any = venv
    while inner is not None:
        if isinstance(inner, VecNormalize):
            raise ConfigurationError(
                "VecNormalize keeps statistics that branches would not share; this "
                "version cannot fork them. Normalise inside the environment instead"
            )
        inner = getattr(inner, "venv", None)


def _save(model: Any) -> bytes:
    buffer = io.BytesIO()
    model.save(buffer)
    return buffer.getvalue()
