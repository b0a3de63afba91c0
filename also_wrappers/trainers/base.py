"""What the loop needs of a trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Fork", "ForkOutcome", "Trainer"]


@dataclass(frozen=True)
class ForkOutcome:
    """What a branch leaves.

    Attributes:
        snapshot: The state of training at its end.
        steps: Trainer steps that were trained.
        copy_steps: Steps of one environment copy among them.
    """

    snapshot: bytes
    steps: int
    copy_steps: int


class Fork(Protocol):
    """Trains branches, in this process or another; must survive cloudpickle.

    Attributes:
        preload: Modules worth importing once per worker pool.
    """

    @property
    def preload(self) -> tuple[str, ...]: ...

    def __call__(
        self, snapshot: bytes, shape: Callable[[Any], Any], seed: int, steps: int
    ) -> ForkOutcome:
        """Trains a branch in fresh environments.

        Args:
            snapshot: Where to begin.
            shape: To be put around each environment.
            seed: Of the environments and of all sampling. Two branches with the same
                arguments are identical, bit for bit.
            steps: Trainer steps, rounded up to whole rollouts.
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
