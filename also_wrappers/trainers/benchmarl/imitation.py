"""Pulls BenchMARL's policies towards what an expert advises."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from benchmarl.experiment import Experiment
from benchmarl.experiment.callback import Callback
from tensordict import TensorDictBase
from torchrl.data import Categorical
from torchrl.objectives import PPOLoss

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.agreement import Agreements
from also_wrappers.trainers.benchmarl.tasks import ShapedRewards
from also_wrappers.trainers.earned import Earned
from also_wrappers.wrappers.shape import Shape

__all__ = ["Imitation", "begin_imitation", "check_imitates", "good_actions"]


class Imitation(Callback):
    """Adds the imitation of an expert to the losses of an experiment.

    The loss is the cross-entropy between the policy and the uniform distribution over
    the good actions, a mean over those states of a minibatch at which the expert
    speaks. These are the policy's own states, so the expert costs no steps.

    Args:
        experiment: The experiment; it gets a callback and hooks on its losses.
        shape: The shape around the experiment's environments, with the board.
        earned: Gets the base returns of the episodes that end.

    Attributes:
        agreements: Adds up how far the policies agree with the expert.
    """

    def __init__(self, experiment: Experiment, shape: Shape, earned: Earned) -> None:
        super().__init__()
        self.experiment = experiment
        agents = sum(len(names) for names in experiment.group_map.values())
        self.agreements = Agreements(agents)
        self._board = shape.board
        self._earned = earned
        self._pull = 0.0
        self._steps = 0
        # A forward hook adds to the returned loss before BenchMARL differentiates it,
        # and leaves the names of parameters, optimizers and saved states alone, which a
        # wrapper around the loss would change. BenchMARL's own callbacks come after the
        # step of the optimizer.
        for group, loss in experiment.losses.items():
            loss.register_forward_hook(partial(self._pulled, group))
        experiment.callbacks.append(self)

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        """Sets the pull of the update that follows a batch."""
        self._steps += batch.shape[-1]
        self._earn(batch)
        self._pull = self._board.read().pull(self._earned.mean, self._steps)
        self._agree(batch)

    def _earn(self, batch: TensorDictBase) -> None:
        """Adds the base returns of the episodes that ended in a batch."""
        over = batch["next", "done"].reshape(batch.shape)
        for group in self.experiment.group_map:
            for base_return in batch["next", group, "base_return"][over].flatten():
                self._earned.add(float(base_return))

    def _agree(self, batch: TensorDictBase) -> None:
        """Adds the policies' agreement with the expert before the pull."""
        first = 0
        for group, names in self.experiment.group_map.items():
            good = self._good(group, batch)
            spoken = good.any(dim=-1)
            if spoken.any():
                self.agreements.pull = self._pull
            if spoken.any() and self._pull > 0.0:
                policy = self.experiment.group_policies[group]
                chances = policy.build_dist_from_params(batch).probs
                agreed = (chances * good).sum(dim=-1)[spoken].double()
                agents = first + spoken.nonzero()[:, -1]
                self.agreements.add(agents.cpu().numpy(), agreed.cpu().numpy())
            first += len(names)

    def _pulled(self, group: str, loss: Any, given: Any, losses: Any) -> Any:
        """Returns a group's losses with the imitation added, as a hook of the loss."""
        if self._pull <= 0.0:
            return None
        (batch,) = given
        good = self._good(group, batch)
        spoken = good.any(dim=-1)
        if not spoken.any():
            return None
        with loss.actor_network_params.to_module(loss.actor_network):
            logits = loss.actor_network.get_dist(batch.clone(False)).logits
        # The aim is uniform over the good actions, as a policy that may choose among
        # them can settle on one that leads nowhere. Actions that a mask forbids have a
        # likelihood of 0, and no share.
        likelihood = logits.masked_fill(~good, 0.0).sum(dim=-1) / good.sum(dim=-1)
        imitation = -likelihood[spoken].mean()
        losses["loss_objective"] = losses["loss_objective"] + self._pull * imitation
        return losses

    def _good(self, group: str, tensordict: TensorDictBase) -> torch.Tensor:
        return good_actions(self.experiment, group, tensordict)


def good_actions(
    experiment: Experiment, group: str, tensordict: TensorDictBase
) -> torch.Tensor:
    """Returns which actions are good and not forbidden by a mask.

    Args:
        experiment: The experiment.
        group: A group of agents.
        tensordict: States of the environments, with advice.

    Returns:
        True for good actions, shape ``(..., agents, actions)``.
    """
    advice = tensordict[group, "advice"]
    count = int(experiment.action_spec[group, "action"].space.n)
    bits = advice.unsqueeze(-1) >> torch.arange(count, device=advice.device)
    good: torch.Tensor = (bits & 1) > 0
    mask = tensordict.get((group, "action_mask"), None)
    return good if mask is None else good & mask


def check_imitates(experiment: Experiment) -> None:
    """Refuses experiments that cannot imitate, before any training.

    Args:
        experiment: The experiment.

    Raises:
        ConfigurationError: The experiment cannot imitate; the sentence has the reason,
            and what to do instead.
    """
    name = experiment.algorithm_config.associated_class().__name__
    for group, loss in experiment.losses.items():
        spec = experiment.action_spec[group, "action"]
        if not isinstance(spec, Categorical):
            raise ConfigurationError(
                "an expert says which of a few actions are good, so it cannot be "
                f"imitated where the actions of the group {group!r} are "
                f"{type(spec).__name__}; make them discrete (in the ExperimentConfig, "
                "prefer_continuous_actions=False, where the task allows both)"
            )
        if not isinstance(loss, PPOLoss):
            raise ConfigurationError(
                f"{name} has no stochastic policy that could be pulled towards an "
                "expert; use IPPO or MAPPO (IppoConfig, MappoConfig)"
            )


def begin_imitation(experiment: Experiment, earned: Earned) -> Imitation | None:
    """Returns the imitation of experts that a run posts; ``None`` without any.

    Args:
        experiment: The experiment.
        earned: Gets the base returns of the episodes that end.

    Returns:
        The imitation; ``None`` where no expert can be posted, or the experiment cannot
        imitate any.
    """
    rewards = experiment.task.get_reward_sum_transform
    if not isinstance(rewards, ShapedRewards) or rewards.shape.task.actions is None:
        return None
    try:
        check_imitates(experiment)
    except ConfigurationError:
        return None
    return Imitation(experiment, rewards.shape, earned)
