"""Pulls policies of Tianshou towards what an expert advises."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from tianshou.data import Batch
from tianshou.utils.torch_utils import torch_train_mode
from torch.distributions import Distribution

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.agreement import Agreements
from also_wrappers.trainers.tianshou.vector_env import Told

__all__ = [
    "Imitation",
    "check_imitates",
    "distribution",
    "good_actions",
    "imitates",
    "remembers",
]

#: Passes over a rollout, and states of a minibatch where the algorithm has none.
_EPOCHS, _BATCH = 4, 256

#: Actions with a logit below this are forbidden by a mask.
_FORBIDDEN = -1e6


class Imitation:
    """Pulls a policy towards what an expert advises on the states of its rollouts.

    The loss is the cross-entropy between the policy and the uniform distribution over
    the good actions, where the expert is not silent, as for Stable-Baselines3. The loss
    is minimised by the algorithm's own optimizer, in extra steps after each update, so
    that an update begins with the policy that collected the rollout.

    Args:
        algorithm: The algorithm.
        agents: Agents of one environment, whose indices follow each other.
        batch: States of a minibatch.

    Attributes:
        agreements: Adds up how far the policy agrees with the expert.
    """

    def __init__(self, algorithm: Any, agents: int, batch: int | None) -> None:
        check_imitates(algorithm)
        self.agreements = Agreements(agents)
        self._algorithm = algorithm
        self._batch = batch or _BATCH

    def pull(self, told: Told, pull: float) -> None:
        """Pulls the policy towards the advice of a rollout.

        Args:
            told: What the infos of the rollout told.
            pull: Weight of the loss; with 0, nothing is done.
        """
        if not told.advised:
            return
        self.agreements.pull = pull
        if pull <= 0.0:
            return
        indices, observations, advice = map(
            np.concatenate, zip(*told.advised, strict=True)
        )
        policy, step = self._algorithm.policy, self._algorithm.optim.step
        with torch.no_grad(), torch_train_mode(policy, enabled=False):
            before: Any = distribution(policy, observations)
        good = good_actions(advice, before)
        spoken = good.any(dim=1)
        agreed = (before.probs * good).sum(dim=1)[spoken].cpu().numpy()
        self.agreements.add(indices[spoken.cpu().numpy()], agreed)
        places = spoken.nonzero().flatten().cpu()
        with torch_train_mode(self._algorithm):
            for _ in range(_EPOCHS):
                order = places[torch.randperm(len(places))]
                for part in torch.split(order, self._batch):
                    aim = good[part].float()
                    choice: Any = distribution(policy, observations[part.numpy()])
                    # A forbidden action is never good, and its logit is -infinity.
                    fits = choice.logits.where(good[part], 0.0) * aim
                    step(-pull * (fits.sum(dim=1) / aim.sum(dim=1)).mean())


def distribution(policy: Any, observations: Any) -> Distribution:
    """Returns a policy's distribution over actions, without drawing an action.

    Args:
        policy: The policy.
        observations: Observations, shape ``(observations, ...)``.
    """
    batch: Any = Batch(obs=observations, info=Batch())
    choice: Distribution = policy.dist_fn(policy.actor(batch.obs, info=batch.info)[0])
    return choice


def good_actions(advice: npt.NDArray[np.int64], choice: Any) -> torch.Tensor:
    """Returns which actions are good and not forbidden, shape ``(states, actions)``.

    Args:
        advice: The expert's advice, a bit for each action, shape ``(states,)``.
        choice: The policy's distribution over actions.
    """
    logits: torch.Tensor = choice.logits
    bits = advice[:, None] >> np.arange(logits.shape[1]) & 1 > 0
    return torch.as_tensor(bits, device=logits.device) & (logits > _FORBIDDEN)


def remembers(policy: torch.nn.Module) -> bool:
    """True where a policy's actions depend on more than its observation."""
    return any(isinstance(part, torch.nn.RNNBase) for part in policy.modules())


def check_imitates(algorithm: Any) -> None:
    """Refuses algorithms that cannot imitate.

    Raises:
        ConfigurationError: The algorithm cannot imitate; the sentence has the reason,
            and what to do instead.
    """
    name = type(algorithm).__name__
    policy = algorithm.policy
    if not isinstance(policy.action_space, spaces.Discrete):
        raise ConfigurationError(
            "an expert says which of a few actions are good, so it cannot be imitated "
            f"in the action space {policy.action_space}; make the actions discrete, or "
            "leave actions= out of the Task"
        )
    if remembers(policy):
        raise ConfigurationError(
            "what a recurrent policy does depends on hidden states that a rollout does "
            "not keep, so it cannot be pulled towards an expert; stack observations "
            "instead, or leave actions= out of the Task"
        )
    groups = algorithm.optim._optim.param_groups
    learned = {id(value) for group in groups for value in group["params"]}
    if any(id(value) not in learned for value in policy.actor.parameters()):
        raise ConfigurationError(
            f"the optimizer of {name} is the critic's alone, so its policy cannot be "
            "pulled towards an expert; use PPO or A2C, or leave actions= out of the "
            "Task"
        )


def imitates(algorithm: Any) -> bool:
    """True where an algorithm can imitate."""
    try:
        check_imitates(algorithm)
    except ConfigurationError:
        return False
    return True
