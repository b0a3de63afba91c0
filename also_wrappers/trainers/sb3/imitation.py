"""Imitation: an SB3 policy is pulled towards what an expert advises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch as th
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import obs_as_tensor

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.sb3.agreement import Agreements
from also_wrappers.wrappers.shape import Shape

__all__ = [
    "Earned",
    "Imitation",
    "ImitationCallback",
    "advice_of",
    "begin_imitation",
    "check_imitates",
    "imitates",
]

#: Passes over a rollout, and states of a minibatch where the algorithm has no such.
_EPOCHS, _BATCH = 4, 256
#: Episodes of single agents after which a base return weighs a third of a new one's.
_MEMORY = 200


@dataclass
class Earned:
    """Holds the base return that a training earns: the exponential mean over episodes.

    Attributes:
        mean: The mean; 0 before an episode has ended.
        episodes: Episodes of single agents that have ended.

    Example:
        >>> earned = Earned()
        >>> for base_return in (1.0, 0.0, 0.5):
        ...     earned.add(base_return)
        >>> earned.mean
        0.5
    """

    mean: float = 0.0
    episodes: int = 0

    def add(self, base_return: float) -> None:
        """Takes the base return of an episode; the first ones weigh alike."""
        self.episodes += 1
        self.mean += (base_return - self.mean) / min(self.episodes, _MEMORY)

    def move(self, to: Earned) -> None:
        """Takes the mean of another state of the training."""
        self.mean, self.episodes = to.mean, to.episodes


class Imitation:
    """Pulls a policy towards what an expert advises on the states that it visits.

    The loss is the cross-entropy between the policy and the uniform distribution over
    the good actions, where the expert is not silent: the policy imitates the expert as
    it plays when it is rated. (With the sum of the good actions' probabilities as the
    aim, a policy may settle on a good one that leads nowhere.) As in kickstarting
    (Schmitt et al. 2018) and DAgger (Ross et al. 2011), the states are the policy's
    own, so the expert costs no environment steps.

    A callback calls ``step`` after every step, ``end`` at a rollout's end, and
    ``start`` at the next rollout's start: after the algorithm's own update, so that the
    rollout is collected by the policy that its update begins with, and before a pause,
    so that no half of an update is ever in a snapshot.

    Args:
        model: A PPO, A2C or MaskablePPO model, whose environments were reset.
        earned: Counts the base returns of the episodes that end; nothing if not given.

    Attributes:
        advised: Whether an expert was in force anywhere so far.
        agreements: Adds up how far the policy agrees with the expert.

    Raises:
        ConfigurationError: The model cannot imitate.
    """

    def __init__(self, model: OnPolicyAlgorithm, earned: Earned | None = None) -> None:
        check_imitates(model)
        self.advised = False
        agents = getattr(model.get_env(), "agents_per_env", 1)
        self.agreements = Agreements(int(agents))
        self._model = model
        self._earned = earned
        self._advice: list[npt.NDArray[np.int64]] = []
        self._rollout: _Rollout | None = None
        # Where an episode goes on from an earlier ``learn``, nothing is known of it.
        begun = np.asarray(model._last_episode_starts, dtype=bool)
        self._now = np.where(begun, self._read(self._first_infos()), 0)
        self._paid = np.where(begun, np.zeros(model.n_envs), np.nan)

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Keeps the advice that belongs to the observation before a step.

        Args:
            infos: The infos of the step, one per index of the VecEnv.
            dones: Whose episode ended with it, and was reset.
        """
        self._advice.append(self._now)
        if self._earned is not None:
            self._count(self._earned, infos, dones)
        first = self._first_infos()
        self._now = self._read(
            [
                reset if done else info
                for info, reset, done in zip(infos, first, dones, strict=True)
            ]
        )

    def end(self) -> None:
        """Keeps a rollout's observations, before the model's buffer is emptied."""
        buffer: Any = self._model.rollout_buffer
        observations = buffer.observations
        if isinstance(observations, Mapping):
            observations = dict(observations)  # the update flattens its arrays in place
        masks = getattr(buffer, "action_masks", None)
        self._rollout = _Rollout(observations, np.stack(self._advice), masks)
        self._advice = []

    def start(self, pull: float) -> float | None:
        """Pulls the policy towards the advice of the rollout before.

        Args:
            pull: Weight of the loss; nothing is done where it is 0.

        Returns:
            The agreement: the probability of the good actions before the pull, the mean
            over the states for which there are any; ``None`` where there are none.
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
        """Takes the gradient steps; returns the agreement before them, by state."""
        model: Any = self._model
        policy = model.policy
        aim = th.as_tensor(good, device=model.device)
        aim = aim / aim.sum(dim=1, keepdim=True)

        def logits(which: npt.NDArray[np.int64]) -> th.Tensor:
            seen = obs_as_tensor(_pick(observations, which), model.device)
            more = () if masks is None else (masks[which],)
            found: th.Tensor = policy.get_distribution(seen, *more).distribution.logits
            return found

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

    def _count(
        self,
        earned: Earned,
        infos: Sequence[Mapping[str, Any]],
        dones: Sequence[bool],
    ) -> None:
        """Adds up base rewards, and takes those of the episodes that have ended."""
        self._paid += [info.get("shaping", {}).get("base", 0.0) for info in infos]
        for index in np.flatnonzero(dones):
            if not np.isnan(self._paid[index]):
                earned.add(float(self._paid[index]))
            self._paid[index] = 0.0

    def _first_infos(self) -> Sequence[Mapping[str, Any]]:
        """Returns the infos of each index's last reset; wrappers do not have them."""
        venv: Any = self._model.get_env()
        infos: Sequence[Mapping[str, Any]] = venv.unwrapped.reset_infos
        return infos

    def _read(self, infos: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
        """Returns the advice in infos, 0 where there is none."""
        if not self.advised:
            self.advised = any("advice" in info.get("shaping", {}) for info in infos)
        return advice_of(infos)


class _Rollout(NamedTuple):
    """Keeps what is imitated of a rollout; the first axes are steps and indices."""

    observations: Any
    advice: npt.NDArray[np.int64]
    masks: npt.NDArray[np.float32] | None


class ImitationCallback(BaseCallback):
    """Imitates the expert of a signal that stays, without a run.

    The environments say what the expert advises:
    ``also.wrap(env, features, signal=Signal(expert=...), actions=...)``. Each rollout,
    the log tells ``also/agreement``: the probability that the policy gives to the good
    actions.

    Args:
        pull: Weight of the imitation beside the algorithm's own loss.

    Attributes:
        agreement: The probability that the policy gave to the good actions in the last
            rollout that was imitated; ``None`` before there was one.

    Raises:
        ConfigurationError: When training starts, if the model cannot imitate; at the
            first rollout's end, if no environment has an expert in force.

    Example:
        >>> from stable_baselines3 import PPO
        >>> import also_wrappers as also
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> on = also.Expert(rules=(also.Rule(when="place < 1", do="on"),))
        >>> signal = also.Signal(expert=on)
        >>> actions = also.Actions((also.Action("stay", 0), also.Action("on", 2)))
        >>> def make_env():
        ...     return also.wrap(
        ...         Corridor(), corridor_features(), signal=signal, actions=actions
        ...     )
        >>> venv = also.PettingZooVecEnv(make_env, num_envs=4)
        >>> model = PPO("MlpPolicy", venv, n_steps=16, batch_size=64, seed=0)
        >>> callback = ImitationCallback()
        >>> model = model.learn(1024, callback)
        >>> callback.agreement > 0.5
        True
    """

    def __init__(self, pull: float = 1.0) -> None:
        super().__init__()
        if not 0.0 <= pull < math.inf:
            raise ConfigurationError(f"the pull is a weight from 0.0 up, not {pull}")
        self.pull = pull
        self.agreement: float | None = None
        self._imitation: Imitation | None = None

    def _on_training_start(self) -> None:
        check_imitates(self.model)
        assert isinstance(self.model, OnPolicyAlgorithm)
        self._imitation = Imitation(self.model)

    def _on_rollout_start(self) -> None:
        assert self._imitation is not None
        agreement = self._imitation.start(self.pull)
        if agreement is not None:
            self.agreement = agreement
            self.logger.record("also/agreement", agreement)

    def _on_step(self) -> bool:
        assert self._imitation is not None
        self._imitation.step(self.locals["infos"], self.locals["dones"])
        return True

    def _on_rollout_end(self) -> None:
        assert self._imitation is not None
        self._imitation.end()
        if not self._imitation.advised:
            raise ConfigurationError(
                "no environment told what an expert advises; make the model's "
                "environments with also.wrap(env, features, "
                "signal=Signal(expert=...), actions=...), in a VecEnv that passes "
                "infos on"
            )


def check_imitates(model: Any) -> None:
    """Refuses models that cannot imitate, before any training.

    Args:
        model: The model, with its environments.

    Raises:
        ConfigurationError: With the reason, and what to do instead.
    """
    name = type(model).__name__
    if not isinstance(model, OnPolicyAlgorithm):
        raise ConfigurationError(
            f"{name} has no policy that could be pulled towards an expert while it "
            "learns; use PPO, A2C or sb3-contrib's MaskablePPO"
        )
    if not isinstance(model.action_space, spaces.Discrete):
        raise ConfigurationError(
            "an expert says which of a few actions are good, so it cannot be imitated "
            f"in the action space {model.action_space}; make the actions discrete"
        )
    if hasattr(model.policy, "lstm_actor"):
        raise ConfigurationError(
            f"what the policy of {name} does depends on hidden states that a rollout "
            "does not keep for every step, so it cannot be pulled towards an expert; "
            "use PPO with stacked observations (VecFrameStack) instead"
        )
    venv: Any = model.get_env()
    if not hasattr(venv.unwrapped, "reset_infos"):
        raise ConfigurationError(
            f"{type(venv.unwrapped).__name__} does not keep the infos of resets, so "
            "what an expert advises for first states is lost; use PettingZooVecEnv, "
            "DummyVecEnv or SubprocVecEnv"
        )


def advice_of(infos: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
    """Returns the advice in the infos of a VecEnv, 0 where there is none."""
    told = [info.get("shaping", {}).get("advice", 0) for info in infos]
    return np.array(told, dtype=np.int64)


def imitates(model: Any) -> bool:
    """Tells whether a model can imitate."""
    try:
        check_imitates(model)
    except ConfigurationError:
        return False
    return True


def begin_imitation(model: Any, shape: Any, earned: Earned) -> Imitation | None:
    """Returns what imitates the experts that are posted on the board of a shape.

    Args:
        model: The model, whose environments were reset.
        shape: What is around each of them.
        earned: Counts what the training earns.

    Returns:
        ``None`` where no expert can be posted, or the model cannot imitate any.
    """
    speaks = isinstance(shape, Shape) and shape.task.actions is not None
    return Imitation(model, earned) if speaks and imitates(model) else None


def _pick(observations: Any, which: npt.NDArray[np.int64], axes: int = 1) -> Any:
    """Returns some observations of an array, or of a dict of arrays.

    Args:
        observations: The observations.
        which: Their places.
        axes: How many axes in front count observations; they are taken as one.
    """
    if isinstance(observations, Mapping):
        return {key: _pick(part, which, axes) for key, part in observations.items()}
    return observations.reshape(-1, *observations.shape[axes:])[which]
