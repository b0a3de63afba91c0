"""The ending of a training: base return of its last episodes, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, Recorded

__all__ = ["Ending", "ending_of"]

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
    ending = Ending(events[-1].env_steps)
    total = squares = 0.0
    for event in reversed(events):
        if ending.episodes >= _LAST_EPISODES:
            break
        if isinstance(event, Recorded):
            window = event.window
            ending.episodes += window.episodes
            total += window.episodes * window.mean
            square = window.std * window.std + window.mean * window.mean
            squares += window.episodes * square
    if ending.episodes:
        ending.mean = total / ending.episodes
        ending.std = (
            max(squares / ending.episodes - ending.mean * ending.mean, 0.0) ** 0.5
        )
    return ending
