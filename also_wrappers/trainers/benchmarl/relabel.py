"""Makes replay buffers pay what the active signal pays, with ``RelabelTransform``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from tensordict import TensorDictBase
from torchrl.envs import Transform

from also_wrappers.board.posting import Posting
from also_wrappers.signal.transitions import Payments, decode
from also_wrappers.wrappers.shape import Shape
from also_wrappers.wrappers.source import plain_names

__all__ = ["RelabelTransform"]


class RelabelTransform(Transform):
    """Pays stored transitions by the signal that is posted when they are sampled.

    A buffer with this transform keeps base rewards and the team's features at both ends
    of a transition. So a swap changes the past as well, and an off-policy learner never
    mixes two signals. Features are kept in single precision, and payments agree with
    those of ``ShapeRewardTransform`` to that precision.

    Args:
        shape: The shape whose board the signal is posted on.
        groups: The agents of each group, by the group's name.
        group: The group whose buffer this transform is for.
    """

    def __init__(
        self, shape: Shape, groups: Mapping[str, Sequence[str]], group: str
    ) -> None:
        super().__init__(in_keys=[], out_keys=[])
        self._shape = shape
        self._group = group
        names = [name for members in groups.values() for name in members]
        self._agents = plain_names(names)
        self._mine = [k for k, name in enumerate(names) if name in groups[group]]
        self._posting: Posting | None = None
        self._payments: Payments | None = None
        self._frames = 0

    def _inv_call(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Stores base rewards in place of shaped ones, and drops entries kept twice."""
        self._frames += tensordict.numel()
        base = tensordict["next", "base_reward"][..., self._mine]
        tensordict = tensordict.exclude(
            "base_reward", "transition", ("next", "base_reward")
        )
        self._set(tensordict, base)
        return tensordict

    def forward(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Adds what the posted signal pays to the base rewards of a sample."""
        posting, payments = self._posted()
        if payments is None or posting.gamma is None:
            return tensordict
        encoded = tensordict["next", "transition"].cpu().numpy()
        steps = decode(encoded, posting.bootstraps_truncation)
        paid = payments(steps, posting.gamma)[..., self._mine]
        strength = posting.strength
        if posting.fade is not None:
            copies = max(self._shape.board.copies, 1)
            strength *= posting.fade.strength(self._frames // copies)
        reward = tensordict["next", self._group, "reward"]
        mine = torch.from_numpy(np.asarray(strength * paid)).to(reward.device)
        self._set(tensordict, reward.double().reshape(mine.shape) + mine)
        return tensordict

    def _set(self, tensordict: TensorDictBase, rewards: torch.Tensor) -> None:
        """Writes the rewards of the agents, shape ``(..., agents)``.

        Where a learner values the team, the mean over agents is written as well.
        """
        mine = tensordict["next", self._group, "reward"]
        paid = rewards.reshape(mine.shape).to(mine.dtype)
        tensordict["next", self._group, "reward"] = paid
        if ("next", "reward") in tensordict.keys(True):
            tensordict["next", "reward"] = paid.mean(-2)

    def _posted(self) -> tuple[Posting, Payments | None]:
        """Returns the posting, and its payments if anything is paid."""
        board = self._shape.board
        posting = self._posting
        if posting is None or posting.version != board.version:
            self._posting = posting = board.read()
            features = self._shape.task.features
            self._payments = (
                Payments(posting.signal, features, self._agents)
                if posting.signal.terms
                else None
            )
        return posting, self._payments
