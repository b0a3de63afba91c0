"""What the loop needs of a trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["EVALUATED", "Fork", "ForkOutcome", "Trainer"]

#: One episode of an evaluation.
#:
#: * ``end``: step of the branch at which the evaluation took place, in environment
#:   steps of one copy.
#: * ``base_return``: undiscounted sum of base rewards, mean over agents.
EVALUATED = np.dtype([("end", np.int64), ("base_return", np.float64)])


@dataclass(frozen=True)
class ForkOutcome:
    """What a branch leaves.

    Attributes:
        snapshot: The state of training at its end.
        steps: Trainer steps that were trained.
        copy_steps: Steps of one environment copy among them.
        evaluated: Episodes of the evaluations in the last half of the branch, an array
            of ``EVALUATED``, shape ``(episodes,)``. ``None`` where the episodes of the
            training are as good.
        evaluation_steps: Trainer steps that the evaluations took.
    """

    snapshot: bytes
    steps: int
    copy_steps: int
    evaluated: npt.NDArray[np.void] | None = None
    evaluation_steps: int = 0


class Fork(Protocol):
    """Trains branches, in this process or another; must survive cloudpickle.

    Attributes:
        preload: Modules worth importing once per worker pool.
    """

    @property
    def preload(self) -> tuple[str, ...]: ...

    def warm(self) -> None:
        """Does what takes long the first time in a process, such as imports; makes no
        environment step."""

    def __call__(
        self,
        snapshot: bytes,
        shape: Callable[[Any], Any],
        seed: int,
        steps: int,
        new_signal: bool = False,
    ) -> ForkOutcome:
        """Trains a branch in fresh environments.

        Args:
            snapshot: Where to begin.
            shape: To be put around each environment.
            seed: Of the environments and of all sampling. Two branches with the same
                arguments are identical, bit for bit.
            steps: Trainer steps, rounded up to whole rollouts.
            new_signal: Whether the shape pays another signal than the one that the
                snapshot was trained on; statistics of rewards then begin anew.
        """


class Trainer(Protocol):
    """A training run that can be paused, forked and moved to another state.

    Attributes:
        steps: Trainer steps of the lineage so far.
        total: Trainer steps that were planned.
        rollout: Trainer steps of one rollout, the grain of all budgets.
        gamma: The discount factor.
        bootstraps_truncation: Whether truncated episodes are bootstrapped.
        agents_per_env: Trainer steps of one environment step.
        evaluates: Whether branches are scored by evaluations, since the episodes of the
            training carry exploration that is no part of the policy.
        replays: Whether it learns from a replay buffer, and so from what the active
            signal would have paid in the past.
    """

    @property
    def steps(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def rollout(self) -> int: ...

    @property
    def gamma(self) -> float: ...

    @property
    def bootstraps_truncation(self) -> bool: ...

    @property
    def agents_per_env(self) -> int: ...

    @property
    def evaluates(self) -> bool: ...

    @property
    def replays(self) -> bool: ...

    def snapshot(self) -> bytes:
        """Everything that training depends on but the environments."""

    def adopt(self, snapshot: bytes) -> None:
        """Loads a snapshot into the living objects; environments stay."""

    def policy_drift(self) -> float | None:
        """How much the policy changed since the last call, in nats.

        The mean divergence of its action distributions on a fixed set of observations;
        ``None`` at the first call, or where that cannot be told.
        """

    def fork(self) -> Fork:
        """What a worker needs to train a branch of this run."""
