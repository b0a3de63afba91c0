"""What the loop needs of a trainer.

A *snapshot* is a file that holds everything training depends on but the environments:
parameters, optimizers, buffers, statistics, counters. Its format is the trainer's own.
Branches start from one, a branch that may be wanted later ends in one, and a run that
was stopped goes on from one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "EVALUATED",
    "AuditionOutcome",
    "Fork",
    "ForkOutcome",
    "Imitated",
    "Trainer",
]

#: One episode of an evaluation.
#:
#: * ``end``: step of the branch at which the evaluation took place, in environment
#:   steps of one copy.
#: * ``base_return``: undiscounted sum of base rewards, mean over agents.
EVALUATED = np.dtype([("end", np.int64), ("base_return", np.float64)])


@dataclass(frozen=True)
class ForkOutcome:
    """The counts of a trained branch, and its evaluations if there were any.

    Attributes:
        steps: Trainer steps that were trained: at least as many as were asked for.
        copy_steps: Steps of one environment copy among them.
        evaluated: Episodes of the evaluations in the last half of the branch, an array
            of ``EVALUATED``, shape ``(episodes,)``. ``None`` where the episodes of the
            training are as good.
        evaluation_steps: Trainer steps that the evaluations took.
    """

    steps: int
    copy_steps: int
    evaluated: npt.NDArray[np.void] | None = None
    evaluation_steps: int = 0


@dataclass(frozen=True)
class Imitated:
    """Sums up how an expert was imitated, on the states at which it spoke.

    Attributes:
        pull: Weight of the last imitation; 0 where the policy was left alone.
        states: Number of states on which it was imitated, per agent in the order of the
            environment's possible agents; one number for all where the trainer cannot
            tell agents apart.
        agreed: Sum over these states of the probability that the policy gave to the
            good actions before it was pulled, per agent.

    Example:
        >>> Imitated(pull=1.0, states=(10, 30), agreed=(5.0, 25.0)).agreement
        0.75
    """

    pull: float
    states: tuple[int, ...]
    agreed: tuple[float, ...]

    @property
    def agreement(self) -> float | None:
        """The agreement of all agents; ``None`` where nothing was imitated."""
        states = sum(self.states)
        return sum(self.agreed) / states if states else None


@dataclass(frozen=True)
class AuditionOutcome:
    """The episodes of an audition, and how far the policy is from the expert.

    Attributes:
        returns: Base return of each episode, undiscounted, mean over agents.
        steps: Trainer steps that were played.
        spoken: Number of trainer steps at which the expert spoke.
        agreed: At how many of these the policy would have taken a good action, drawn or
            expected; 0 of 0 where the trainer does not measure it.
    """

    returns: tuple[float, ...]
    steps: int
    spoken: int = 0
    agreed: float = 0.0


class Fork(Protocol):
    """Trains branches, in this process or another; must survive cloudpickle."""

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules worth importing once per worker pool."""

    def warm(self) -> None:
        """Does what takes long the first time in a process, such as imports.

        No environment step is made.
        """

    def __call__(
        self,
        start: Path,
        shape: Callable[[Any], Any],
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        """Trains a branch in fresh environments.

        Args:
            start: The snapshot to begin from; it is only read.
            shape: Goes around each environment.
            seed: Of the environments and of all sampling. Two branches with the same
                arguments are identical, bit for bit.
            steps: Trainer steps to train at least, in whole rollouts.
            new_signal: Whether the shape pays another signal than the one that the
                snapshot was trained on; statistics of rewards then begin anew.
            end: Where to write the snapshot of the branch's end; nowhere if ``None``.
        """


class Trainer(Protocol):
    """A training run that can be paused, forked and moved to another state."""

    @property
    def steps(self) -> int:
        """Trainer steps of the lineage so far."""

    @property
    def total(self) -> int:
        """Trainer steps that were planned."""

    @property
    def rollout(self) -> int:
        """Trainer steps of one rollout, the grain of all budgets.

        A trainer that samples *at least* so many says so here, and counts what it has
        sampled.
        """

    @property
    def gamma(self) -> float:
        """The discount factor."""

    @property
    def bootstraps_truncation(self) -> bool:
        """Whether truncated episodes are bootstrapped."""

    @property
    def agents_per_env(self) -> int:
        """Trainer steps of one environment step."""

    @property
    def evaluates(self) -> bool:
        """Whether branches are scored by evaluations.

        Evaluations score branches where the episodes of the training carry exploration
        that is no part of the policy.
        """

    @property
    def replays(self) -> bool:
        """Whether the trainer learns from a replay buffer.

        What the active signal would have paid in the past then counts as well.
        """

    @property
    def imitates(self) -> bool:
        """Whether policies are pulled towards the expert of the posted signal.

        The pull works in the mainline and in branches, with the weight
        ``Posting.pull``.
        """

    def snapshot(self, path: Path) -> None:
        """Writes a snapshot to a file, whole or not at all.

        Args:
            path: The file, in a folder that is there; ``also_wrappers.files.replacing``
                writes beside it and renames.
        """

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living objects; environments stay.

        Args:
            path: A snapshot of this trainer or of a branch, older or newer than the
                state that it replaces.
        """

    def policy_drift(self) -> Sequence[float] | None:
        """Returns how much each agent's policy changed since the last call, in nats.

        The mean divergence of its action distributions on a fixed set of the agent's
        observations, in the order of the environment's possible agents; one number for
        all where the trainer cannot tell agents apart. ``None`` at the first call, or
        where the divergence cannot be told.
        """

    def imitated(self) -> Imitated | None:
        """Returns how an expert was imitated since the last call.

        ``None`` where no expert was in force, or the trainer imitates none.
        """

    def audition(
        self,
        shape: Callable[[Any], Any],
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes of the policy, in which an expert acts where it speaks.

        The episodes are played in fresh environments, in this process; the training
        and the global randomness stay as they are.

        Args:
            shape: Goes around each environment; infos then tell what the expert
                advises, if there is one, and nothing is paid.
            episodes: How many at least.
            seed: Of the environments and of all sampling.
            noise: Share of all actions that are taken at random.
            stepped: To be called with the trainer steps of every step as it is played,
                so that a kill forgets none.

        Returns:
            The episodes: as many for any expert and noise, and those at the same place
            of the same environment copy.

        Raises:
            ConfigurationError: The trainer does not imitate, and why.
        """

    def fork(self) -> Fork:
        """Returns what a worker needs to train a branch of this run."""
