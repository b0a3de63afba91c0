"""Counts what a training earns of the base reward, while the training goes on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Earned"]

#: Episodes of single agents after which a base return weighs a third of a new base
#: return.
_MEMORY = 200


@dataclass
class Earned:
    """Holds the exponential mean of the base returns that a training earns.

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
        """Adds the base return of an episode; the first ones weigh alike."""
        self.episodes += 1
        self.mean += (base_return - self.mean) / min(self.episodes, _MEMORY)

    def move(self, to: Earned) -> None:
        """Takes over the mean of another state of the training."""
        self.mean, self.episodes = to.mean, to.episodes
