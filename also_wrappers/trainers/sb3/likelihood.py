"""Pulls stochastic policies towards advice by the likelihood of good actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import obs_as_tensor

from also_wrappers.trainers.agreement import Agreements
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.returns import EpisodeReturns

__all__ = ["LikelihoodImitation", "advice_of"]

#: Passes over a rollout, and states of a minibatch where the algorithm sets no size.
_EPOCHS, _BATCH = 4, 256


def advice_of(infos: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
    """Returns the advice in the infos of a VecEnv; 0 where there is none."""
    advice = [info.get("shaping", {}).get("advice", 0) for info in infos]
    return np.array(advice, dtype=np.int64)


class LikelihoodImitation:
    """Pulls a policy towards what an expert advises on the states of its rollouts.

    The loss is the cross-entropy between the policy and the uniform distribution over
    the good actions, where the expert is not silent: the policy imitates the expert as
    the expert plays in auditions. (With the sum of the good actions' probabilities as
    the aim, a policy may settle on a good action that leads nowhere.) As in
    kickstarting (Schmitt et al. 2018) and DAgger (Ross et al. 2011), the states are the
    policy's own, so the expert costs no environment steps.

    Args:
        model: A PPO, A2C or MaskablePPO model, whose environments were reset.
        earned: Gets the base returns of the episodes that end.

    Attributes:
        advised: Whether an expert was in force anywhere so far.
        agreements: Adds up how far the policy agrees with the expert.
    """

    def __init__(self, model: OnPolicyAlgorithm, earned: Earned) -> None:
        self.advised = False
        agents = getattr(model.get_env(), "agents_per_env", 1)
        self.agreements = Agreements(int(agents))
        self._model = model
        self._advice: list[npt.NDArray[np.int64]] = []
        self._rollout: _Rollout | None = None
        # The base return of an episode that goes on from an earlier ``learn`` is
        # unknown.
        begun = np.asarray(model._last_episode_starts, dtype=bool)
        self._now = np.where(begun, self._read(self._first_infos()), 0)
        self._returns = EpisodeReturns(earned, begun)

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Keeps the advice for the observations before a step.

        Args:
            infos: The infos of the step, one per index of the VecEnv.
            dones: True for each index whose episode ended with the step, and was reset.
        """
        self._advice.append(self._now)
        self._returns.step(infos, dones)
        first = self._first_infos()
        self._now = self._read(
            [
                reset if done else info
                for info, reset, done in zip(infos, first, dones, strict=True)
            ]
        )

    def end(self) -> None:
        """Keeps the observations of a rollout, before the model's update."""
        buffer: Any = self._model.rollout_buffer
        observations = buffer.observations
        if isinstance(observations, Mapping):
            observations = dict(observations)  # the update flattens its arrays in place
        masks = getattr(buffer, "action_masks", None)
        self._rollout = _Rollout(observations, np.stack(self._advice), masks)
        self._advice = []

    def start(self, pull: float) -> float | None:
        """Pulls the policy towards the advice of the last rollout.

        Args:
            pull: Weight of the loss; with 0, nothing is done.

        Returns:
            The agreement: the probability of the good actions before the pull, a mean
            over the states with good actions; ``None`` without such states.
        """
        rollout, self._rollout = self._rollout, None
        if rollout is None or not rollout.advice.any():
            return None
        self.agreements.pull = pull
        if pull <= 0.0:
            return None
        space: Any = self._model.action_space
        bits = rollout.advice.reshape(-1, 1) >> np.arange(space.n)
        good = (bits & 1).astype(np.float32)
        masks = rollout.masks
        if masks is not None:
            masks = masks.reshape(good.shape)
            good *= masks
        spoken = np.flatnonzero(good.any(axis=1))
        if not len(spoken):
            return None
        observations = _pick(rollout.observations, spoken, axes=2)
        masks = None if masks is None else masks[spoken]
        agreed = self._fit(observations, good[spoken], masks, pull)
        self.agreements.add(spoken, agreed.numpy())
        return float(agreed.mean())

    def _fit(
        self,
        observations: Any,
        good: npt.NDArray[np.float32],
        masks: npt.NDArray[np.float32] | None,
        pull: float,
    ) -> th.Tensor:
        """Takes the gradient steps; returns each state's agreement before them."""
        model: Any = self._model
        policy = model.policy
        aim = th.as_tensor(good, device=model.device)
        aim = aim / aim.sum(dim=1, keepdim=True)

        def logits(which: npt.NDArray[np.int64]) -> th.Tensor:
            observed = obs_as_tensor(_pick(observations, which), model.device)
            more = () if masks is None else (masks[which],)
            scores: th.Tensor = policy.get_distribution(
                observed, *more
            ).distribution.logits
            return scores

        with th.no_grad():
            probabilities = logits(np.arange(len(good))).exp()
        agreed = (probabilities * (aim > 0)).sum(dim=1).cpu()
        size = int(getattr(model, "batch_size", _BATCH))
        policy.set_training_mode(True)
        for _ in range(_EPOCHS):
            order = th.randperm(len(good)).numpy()
            for first in range(0, len(order), size):
                part = order[first : first + size]
                likelihood = (logits(part) * aim[part]).sum(dim=1).mean()
                policy.optimizer.zero_grad()
                th.autograd.backward(-pull * likelihood)
                th.nn.utils.clip_grad_norm_(policy.parameters(), model.max_grad_norm)
                policy.optimizer.step()
        policy.set_training_mode(False)
        return agreed

    def _first_infos(self) -> Sequence[Mapping[str, Any]]:
        """Returns each index's infos of its last reset."""
        venv: Any = self._model.get_env()
        infos: Sequence[Mapping[str, Any]] = venv.unwrapped.reset_infos
        return infos

    def _read(self, infos: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
        """Returns the advice in infos; 0 where there is none."""
        if not self.advised:
            self.advised = any("advice" in info.get("shaping", {}) for info in infos)
        return advice_of(infos)


class _Rollout(NamedTuple):
    """Holds the states of a rollout to imitate; first axes are steps and indices."""

    observations: Any
    advice: npt.NDArray[np.int64]
    masks: npt.NDArray[np.float32] | None


def _pick(observations: Any, which: npt.NDArray[np.int64], axes: int = 1) -> Any:
    """Returns the observations at some places of an array, or of a dict of arrays.

    Args:
        observations: The observations.
        which: Places of the observations.
        axes: Number of first axes that count observations, which are joined into one.
    """
    if isinstance(observations, Mapping):
        return {key: _pick(part, which, axes) for key, part in observations.items()}
    return observations.reshape(-1, *observations.shape[axes:])[which]
