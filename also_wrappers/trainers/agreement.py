"""Measures how far a policy agrees with the expert that it imitates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from also_wrappers.trainer import Imitated

__all__ = ["Agreements"]


class Agreements:
    """Adds up the agreement of a policy with an expert, per agent.

    Args:
        agents: Number of agents of one environment, whose indices in a VecEnv follow
            each other.

    Attributes:
        pull: Weight of the last imitation; ``None`` before there was one.

    Example:
        >>> agreements = Agreements(2)
        >>> agreements.pull = 0.5
        >>> agreements.add(np.array([0, 1, 2]), np.array([1.0, 0.25, 0.5]))
        >>> agreements.take()
        Imitated(pull=0.5, states=(2, 1), agreed=(1.5, 0.25))
        >>> agreements.take() is None
        True
    """

    def __init__(self, agents: int) -> None:
        self.pull: float | None = None
        self._sums = np.zeros((2, agents))

    def add(
        self, indices: npt.NDArray[np.int64], agreed: npt.NDArray[np.float64]
    ) -> None:
        """Adds the agreement at states at which the expert spoke.

        Args:
            indices: Index of each state's agent in the VecEnv, or that index plus a
                multiple of the VecEnv's size, shape ``(states,)``.
            agreed: Probability of the good actions, shape ``(states,)``.
        """
        count = self._sums.shape[1]
        agents = indices % count
        self._sums[0] += np.bincount(agents, minlength=count)
        self._sums[1] += np.bincount(agents, agreed, minlength=count)

    def take(self) -> Imitated | None:
        """Returns the sums since the last call; ``None`` before the first pull."""
        pull, self.pull = self.pull, None
        states, agreed = self._sums.tolist()
        self._sums[:] = 0.0
        if pull is None:
            return None
        return Imitated(pull, tuple(map(int, states)), tuple(agreed))
