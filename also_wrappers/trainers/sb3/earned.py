"""What a training earns of the base reward, counted while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Earned", "EpisodeReturns"]

#: Episodes of single agents after which a base return weighs a third of a new one's.
_MEMORY = 200


@dataclass
class Earned:
    """Holds the base return that a training earns: the exponential mean over episodes.

    Attributes:
        mean: The mean; 0 before an episode has ended.
        episodes: Episodes of single agents that have ended.

    Example:
        >>> earned = Earned()
        >>> for base_return in (1.0, 0.0, 0.5):
        ...     earned.add(base_return)
        >>> earned.mean
        0.5
    """

    mean: float = 0.0
    episodes: int = 0

    def add(self, base_return: float) -> None:
        """Takes the base return of an episode; the first ones weigh alike."""
        self.episodes += 1
        self.mean += (base_return - self.mean) / min(self.episodes, _MEMORY)

    def move(self, to: Earned) -> None:
        """Takes the mean of another state of the training."""
        self.mean, self.episodes = to.mean, to.episodes


class EpisodeReturns:
    """Adds up the base rewards of every index of a VecEnv until its episode ends.

    Args:
        earned: Takes the base returns of the episodes that end.
        begun: Which indices are at the begin of an episode, shape ``(indices,)``. Where
            an episode goes on from an earlier ``learn``, its base return is not known.

    Example:
        >>> returns = EpisodeReturns(Earned(), np.array([True, False]))
        >>> infos = [{"shaping": {"base": 0.5}}, {"shaping": {"base": 0.25}}]
        >>> for dones in ([False, False], [True, True], [True, True]):
        ...     returns.step(infos, dones)
        >>> returns.earned
        Earned(mean=0.5833333333333334, episodes=3)
    """

    def __init__(self, earned: Earned, begun: npt.NDArray[np.bool_]) -> None:
        self.earned = earned
        self._sums = np.where(begun, 0.0, np.nan)

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Adds the base rewards of a step, and takes the episodes that ended with it.

        Args:
            infos: The infos of the step, one per index.
            dones: Whose episode ended.
        """
        self._sums += [info.get("shaping", {}).get("base", 0.0) for info in infos]
        for index in np.flatnonzero(dones):
            if not np.isnan(self._sums[index]):
                self.earned.add(float(self._sums[index]))
            self._sums[index] = 0.0
