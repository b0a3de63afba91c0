"""Imitation by action values: a large margin for what an expert advises."""

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

#: By how much a good action shall be worth more than others: a tenth of what an episode
#: earns, where that is about 1. Much more (0.8 in Hester et al., whose demonstrations
#: stay for ever) is at war with the values that rewards teach.
_MARGIN = 0.1


def values_of(model: Any) -> Any:
    """Returns the net of a model that values every action; ``None`` if there is none.

    Args:
        model: A model of Stable-Baselines3 or sb3-contrib.
    """
    return getattr(model, "q_net", None) or getattr(model, "quantile_net", None)


def large_margin(values: th.Tensor, good: th.Tensor, margin: float) -> th.Tensor:
    """Computes by how much the values of good actions fall short of a margin.

    As in Hester et al. (2018), for a set of good actions: the largest value of all
    actions, of those that are not good with the margin added, less the largest value of
    the good ones. It is 0 where the best good action is worth more than all others by
    the margin.

    Args:
        values: Values of actions, shape ``(states, actions)``.
        good: Which actions are good, of the same shape; one at least in every state.
        margin: The margin.

    Returns:
        Shape ``(states,)``, not negative.

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

    One gradient step for each rollout, on a batch of the states that the learner has
    visited itself and of which the expert speaks. What it advises there is computed
    from the features in the replay buffer, so another expert speaks of the past as
    well, and nothing that is stored has to be labelled.

    Args:
        model: A DQN or QRDQN model with a shaped replay buffer, whose environments were
            reset.
        earned: Takes the base returns of the episodes that end.

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
        """Counts what is earned.

        Args:
            infos: The infos of the step, one per index of the VecEnv.
            dones: Whose episode ended with it, and was reset.
        """
        self._returns.step(infos, dones)
        # SB3 has this of every model, and keeps it up to date for others alone.
        self._model._last_episode_starts = np.array(dones, dtype=bool)
        if not self.advised:
            self.advised = any("advice" in info.get("shaping", {}) for info in infos)

    def end(self) -> None:
        """Keeps nothing: the replay buffer has it all."""

    def start(self, pull: float) -> float | None:
        """Takes a gradient step on the large margin, once the model itself learns.

        Args:
            pull: Weight of the loss; nothing is done where it is 0.

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
        if values.dim() == 3:  # quantiles of what an action is worth
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
