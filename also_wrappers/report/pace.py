"""How long a training may still take, from the times and steps of its events."""

from __future__ import annotations

import math

from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import BranchEnded, Event, RunResumed, RunStarted

__all__ = ["Pace", "about"]

#: Seconds of training after which its speed is known.
_ENOUGH = 60.0


class Pace:
    """Measures how fast a run trains, and foretells how long it may still take."""

    def __init__(self) -> None:
        self._total = 0
        self._budget = 0.0
        self._spent = Counts()
        # The event that ended the stretch of time that was measured last.
        self._before: Event | None = None
        self._seconds = 0.0
        self._steps = 0
        # The mainline stands while these branches are trained.
        self._standing_seconds = 0.0
        self._standing_steps = 0

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        self._spent = event.trainer_steps
        match event:
            case RunStarted():
                self._total, self._budget = event.total, event.budget
            case RunResumed():
                self._total = event.total
            case _ if self._before is not None:
                self._measure(self._before, event)
                return
        self._before = event  # nothing was trained while a run was stopped

    def _measure(self, before: Event, event: Event) -> None:
        """Counts the time from one event to another, if steps were trained in it."""
        branch = 0
        if isinstance(event, BranchEnded):
            branch = event.steps + event.evaluation_steps
        seconds = event.time - before.time
        trained = event.trainer_steps.total - before.trainer_steps.total - branch
        if trained > 0:  # branches that ended meanwhile were trained beside
            self._seconds += seconds
            self._steps += trained
        elif branch:
            self._standing_seconds += seconds
            self._standing_steps += branch
        else:
            return
        self._before = event

    def remaining(self) -> tuple[int, int] | None:
        """Returns how long training and branches may still take, at the speed so far.

        Returns:
            Minutes that the rest of the training takes, and minutes for which its
            branches may make it stand at most; ``None`` in the first minute of
            training, and at its end.
        """
        left = self._total - self._spent.mainline
        if left <= 0 or self._seconds < _ENOUGH:
            return None
        step = self._seconds / self._steps
        branches = max(self._budget * self._total - self._spent.branches, 0.0)
        standing = self.standing(branches) or 0.0
        return math.ceil(left * step / 60.0), math.ceil(standing / 60.0)

    def standing(self, steps: float) -> float | None:
        """Returns how long the mainline stands while branches are trained.

        Args:
            steps: Trainer steps of the branches together.

        Returns:
            Seconds, at the speed of the branches so far, or else of the training;
            ``None`` in the first minute of training, where no branch has ended yet.
        """
        if self._standing_steps:
            return steps * self._standing_seconds / self._standing_steps
        if self._seconds < _ENOUGH:
            return None
        return steps * self._seconds / self._steps


def about(seconds: float) -> str:
    """Returns a time that is a guess, rounded up.

    Example:
        >>> about(41.2), about(91)
        ('about 50 s', 'about 2 min')
    """
    if seconds <= 90.0:
        return f"about {math.ceil(seconds / 10.0) * 10} s"
    return f"about {math.ceil(seconds / 60.0)} min"
