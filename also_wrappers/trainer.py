"""Declares what the loop needs of a trainer.

A *snapshot* is a file that holds everything training depends on but the environments:
parameters, optimizers, buffers, statistics, counters. The format of a snapshot is the
trainer's own. Branches start from a snapshot, a branch that may be wanted later ends in
one, and a run that was stopped goes on from one.
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

#: The record of one episode of an evaluation:
#:
#: * ``end``: step of the branch at which the evaluation took place, in environment
#:   steps of one copy.
#: * ``base_return``: undiscounted sum of base rewards, mean over agents.
EVALUATED = np.dtype([("end", np.int64), ("base_return", np.float64)])


@dataclass(frozen=True)
class ForkOutcome:
    """Holds the counts of a trained branch, and its evaluations if there were any.

    Attributes:
        steps: Trainer steps that were trained: at least as many as were asked for.
        copy_steps: Steps of one environment copy that were trained.
        evaluated: Episodes of the evaluations in the last half of the branch, an array
            of ``EVALUATED``, shape ``(episodes,)``; ``None`` where the episodes of the
            training score the branch.
        evaluation_steps: Trainer steps that the evaluations took.
    """

    steps: int
    copy_steps: int
    evaluated: npt.NDArray[np.void] | None = None
    evaluation_steps: int = 0


@dataclass(frozen=True)
class Imitated:
    """Sums up how an expert was imitated, over the states at which it spoke.

    Attributes:
        pull: Weight of the last imitation; 0 where the policy was left alone.
        states: Number of states on which the expert was imitated, per agent in the
            order of the environment's possible agents; one number for all agents where
            the trainer cannot tell them apart.
        agreed: Sum over these states of the probability that the policy gave to the
            good actions before the pull, per agent.

    Example:
        >>> Imitated(pull=1.0, states=(10, 30), agreed=(5.0, 25.0)).agreement
        0.75
    """

    pull: float
    states: tuple[int, ...]
    agreed: tuple[float, ...]

    @property
    def agreement(self) -> float | None:
        """The agreement over all agents; ``None`` where no state was imitated."""
        states = sum(self.states)
        return sum(self.agreed) / states if states else None


@dataclass(frozen=True)
class AuditionOutcome:
    """Holds the episodes of an audition, and the policy's agreement in them.

    Attributes:
        returns: Base return of each episode, undiscounted, mean over agents.
        steps: Trainer steps that were played.
        spoken: Number of trainer steps at which the expert spoke.
        agreed: Number of these steps at which the policy would have taken a good
            action, drawn or expected. Both are 0 where the trainer does not measure
            agreement.
    """

    returns: tuple[float, ...]
    steps: int
    spoken: int = 0
    agreed: float = 0.0


class Fork(Protocol):
    """Trains branches, in this process or another; must survive cloudpickle."""

    @property
    def preload(self) -> tuple[str, ...]:
        """The modules that are worth importing once per worker pool."""

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
            start: File of the snapshot to begin from, which is only read.
            shape: The shape around each environment.
            seed: Seed of the environments and of all sampling. Two branches with the
                same arguments are identical, bit for bit.
            steps: The least number of trainer steps to train, in whole rollouts.
            new_signal: Whether the shape pays another signal than the one that the
                snapshot was trained on; statistics of rewards then begin anew.
            end: File for the snapshot of the branch's end; ``None`` writes none.

        Returns:
            The counts of the branch, and its evaluations if there are any.
        """


class Trainer(Protocol):
    """A training run that can be paused, forked and moved to another state."""

    @property
    def steps(self) -> int:
        """The trainer steps of the lineage so far."""

    @property
    def total(self) -> int:
        """The trainer steps that are planned for the whole training."""

    @property
    def rollout(self) -> int:
        """The trainer steps of one rollout, the grain of all budgets.

        A trainer whose rollouts may be longer gives the least number, and counts the
        steps that it has sampled.
        """

    @property
    def gamma(self) -> float:
        """The discount factor of the learner."""

    @property
    def bootstraps_truncation(self) -> bool:
        """True where the learner bootstraps truncated episodes."""

    @property
    def agents_per_env(self) -> int:
        """The number of trainer steps in one environment step."""

    @property
    def evaluates(self) -> bool:
        """True where branches are scored by evaluations.

        Evaluations score branches where the training explores beyond its policy.
        """

    @property
    def replays(self) -> bool:
        """True where the trainer learns from a replay buffer.

        Stored transitions are then paid by the active signal as well.
        """

    @property
    def imitates(self) -> bool:
        """True where policies are pulled towards the expert of the posted signal.

        The pull works in the mainline and in branches, with the weight
        ``Posting.pull``.
        """

    def snapshot(self, path: Path) -> None:
        """Writes a snapshot to a file, whole or not at all.

        Args:
            path: The file, in an existing folder; ``also_wrappers.files.replacing``
                writes a file beside it and renames that.
        """

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living objects; environments stay.

        Args:
            path: File of a snapshot of this trainer or of a branch, older or newer than
                the present state.
        """

    def policy_drift(self) -> Sequence[float] | None:
        """Returns how much each agent's policy changed since the last call, in nats.

        Each number is the mean divergence between an agent's action distributions on a
        fixed set of its observations. Numbers are in the order of the environment's
        possible agents; there is one number for all where the trainer cannot tell
        agents apart. Returns ``None`` at the first call, or where divergence is not
        measured.
        """

    def imitated(self) -> Imitated | None:
        """Returns how an expert was imitated since the last call.

        Returns ``None`` where no expert was in force, or the trainer imitates none.
        """

    def audition(
        self,
        shape: Callable[[Any], Any],
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes in which an expert acts where the expert speaks.

        Where the expert is silent, the policy acts. The episodes are played in fresh
        environments, in this process; the training and the global randomness stay as
        they are.

        Args:
            shape: The shape around each environment, with which infos tell the advice
                of the expert, if there is one, and nothing is paid.
            episodes: The least number of episodes.
            seed: Seed of the environments and of all sampling.
            noise: Share of all actions that are taken at random.
            stepped: Function to call with the trainer steps of every step as it is
                played, so that a kill forgets none.

        Returns:
            The episodes. Their number does not depend on expert and noise, and the
            episode at a given place is always of the same environment copy.

        Raises:
            ConfigurationError: The trainer does not imitate; the sentence says why.
        """

    def fork(self) -> Fork:
        """Returns what a worker needs to train a branch of this training."""
