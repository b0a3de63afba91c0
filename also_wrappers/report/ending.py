"""How a training ends: the base return of its last episodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from also_wrappers.evidence.stage import Window
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, Recorded

__all__ = ["Ending", "ending_of", "pool"]

#: Episodes at the end of a training whose base return is shown, at least.
_LAST_EPISODES = 256


@dataclass
class Ending:
    """Sums up the last episodes of a training.

    Attributes:
        env_steps: Environment steps that the run has spent.
        episodes: Number of the last episodes.
        mean: Mean base return of these episodes; ``None`` without an episode.
        std: Standard deviation between these episodes; ``None`` without an episode.
    """

    env_steps: Counts
    episodes: int = 0
    mean: float | None = None
    std: float | None = None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean between the episodes; ``None`` without one."""
        return None if self.std is None else self.std / max(self.episodes, 1) ** 0.5


def ending_of(events: Sequence[Event]) -> Ending:
    """Sums up the last windows of a run that have enough episodes together."""
    windows: list[Window] = []
    episodes = 0
    for event in reversed(events):
        if episodes >= _LAST_EPISODES:
            break
        if isinstance(event, Recorded):
            windows.append(event.window)
            episodes += event.window.episodes
    ending = Ending(events[-1].env_steps, episodes)
    if episodes:
        ending.mean, ending.std = pool(windows)
    return ending


def pool(windows: Iterable[Window]) -> tuple[float, float]:
    """Returns mean and standard deviation of the base returns of several windows.

    Args:
        windows: The windows; some have an episode.
    """
    episodes, total, squares = 0, 0.0, 0.0
    for window in windows:
        episodes += window.episodes
        total += window.episodes * window.mean
        squares += window.episodes * (window.std**2 + window.mean**2)
    mean = total / episodes
    return mean, max(squares / episodes - mean * mean, 0.0) ** 0.5
