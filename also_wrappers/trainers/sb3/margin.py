"""Pulls action values towards advice by a large margin for good actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from also_wrappers.trainers.agreement import Agreements
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.replay_buffer import Relabelling
from also_wrappers.trainers.sb3.returns import EpisodeReturns

__all__ = ["MarginImitation", "large_margin", "values_of"]

#: Margin by which the value of a good action is to exceed the others: a tenth of the
#: return of an episode, where that is about 1. A much larger margin (0.8 in Hester et
#: al., whose demonstrations stay for ever) conflicts with the values that rewards
#: teach.
_MARGIN = 0.1


def values_of(model: Any) -> Any:
    """Returns a model's net of action values; ``None`` if there is none.

    Args:
        model: A model of Stable-Baselines3 or sb3-contrib.
    """
    return getattr(model, "q_net", None) or getattr(model, "quantile_net", None)


def large_margin(values: th.Tensor, good: th.Tensor, margin: float) -> th.Tensor:
    """Computes by how much the values of good actions fall short of a margin.

    The loss is that of Hester et al. (2018), for a set of good actions: the largest
    value of all actions, with the margin added to those that are not good, less the
    largest value of a good action. The loss is 0 where the value of the best good
    action exceeds all others by the margin.

    Args:
        values: Values of actions, shape ``(states, actions)``.
        good: True for good actions, in the same shape; at least one in every state.
        margin: The margin.

    Returns:
        The loss of each state, shape ``(states,)``, at least 0.

    Example:
        >>> values = th.tensor([[1.0, 0.5, 0.0], [1.0, 3.0, 0.0]])
        >>> good = th.tensor([[False, True, True], [False, True, False]])
        >>> large_margin(values, good, 0.75)
        tensor([1.2500, 0.0000])
    """
    rivals = (values + margin * ~good).amax(dim=1)
    return rivals - values.masked_fill(~good, -th.inf).amax(dim=1)


class MarginImitation:
    """Pulls action values towards what an expert advises on states that are replayed.

    There is one gradient step for each rollout, on a batch of states that the learner
    has visited itself and at which the expert speaks. The advice is computed from the
    features in the replay buffer, so that a new expert speaks about the past as well,
    and stored states need no labels.

    Args:
        model: A DQN or QRDQN model with a shaped replay buffer, whose environments were
            reset.
        earned: Gets the base returns of the episodes that end.

    Attributes:
        advised: Whether an expert was in force anywhere so far.
        agreements: Adds up how far the policy agrees with the expert, of all agents
            together.
    """

    def __init__(self, model: OffPolicyAlgorithm, earned: Earned) -> None:
        self.advised = False
        self.agreements = Agreements(1)
        self._model = model
        begun = np.asarray(model._last_episode_starts, dtype=bool)
        self._returns = EpisodeReturns(earned, begun)

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Adds the base rewards of a step to the episodes' returns.

        Args:
            infos: The infos of the step, one per index of the VecEnv.
            dones: True for each index whose episode ended with the step, and was reset.
        """
        self._returns.step(infos, dones)
        # SB3 declares this attribute for every model, but updates it for on-policy ones
        # only.
        self._model._last_episode_starts = np.array(dones, dtype=bool)
        if not self.advised:
            self.advised = any("advice" in info.get("shaping", {}) for info in infos)

    def end(self) -> None:
        """Does nothing, as the replay buffer keeps all states."""

    def start(self, pull: float) -> float | None:
        """Takes a gradient step on the large margin, once the model itself learns.

        Args:
            pull: Weight of the loss; with 0, nothing is done.

        Returns:
            The agreement: the share of the states at which the action of the largest
            value is good before the step; ``None`` where the expert is silent.
        """
        model: Any = self._model
        if self.advised:
            self.agreements.pull = pull
        if pull <= 0.0 or model.num_timesteps <= model.learning_starts:
            return None
        buffer: Relabelling = model.replay_buffer
        observations, advice = buffer.sample_advised(
            model.batch_size, model.get_vec_normalize_env()
        )
        if not len(advice):
            return None
        bits = advice.reshape(-1, 1) >> np.arange(model.action_space.n)
        good = th.as_tensor(bits & 1 > 0, device=model.device)
        policy = model.policy
        policy.set_training_mode(True)
        values = values_of(model)(observations)
        if values.dim() == 3:  # quantiles of the value of an action
            values = values.mean(dim=1)
        chosen = values.detach().argmax(dim=1, keepdim=True)
        agreed = good.gather(1, chosen).squeeze(1).double().cpu().numpy()
        self.agreements.add(np.zeros(len(agreed), np.int64), agreed)
        policy.optimizer.zero_grad()
        th.autograd.backward(pull * large_margin(values, good, _MARGIN).mean())
        if model.max_grad_norm is not None:
            th.nn.utils.clip_grad_norm_(policy.parameters(), model.max_grad_norm)
        policy.optimizer.step()
        policy.set_training_mode(False)
        return float(agreed.mean())
