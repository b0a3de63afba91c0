"""Runs BenchMARL's own loop with a pause before each batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from benchmarl.experiment import Experiment

__all__ = ["train"]


def train(
    experiment: Experiment,
    until: int | None = None,
    rest: Callable[[], None] | None = None,
) -> None:
    """Runs the loop of an experiment without closing the experiment at its end.

    Args:
        experiment: The experiment.
        until: Frames at which to stop; the planned frames if not given.
        rest: Called before each batch is collected, when the update is done and nothing
            of the next batch is collected yet. The function may load another state into
            the experiment.
    """
    collector = experiment.collector
    pauses = _Pauses(experiment, until, rest)
    experiment.collector = pauses
    experiment.close = pauses.end
    try:
        while not pauses.ended:
            with contextlib.suppress(_LeaveError):
                Experiment._collection_loop(experiment)
    finally:
        experiment.collector = collector
        del experiment.close


class _LeaveError(Exception):
    """Signals that an experiment's loop is left before a batch is collected."""


class _Pauses:
    """Stands in for the collector of an experiment, and pauses before each batch.

    BenchMARL calls no callback where everything is at rest, and its loop counts
    iterations in a range of its own. So the loop is left and entered again where
    another state was loaded in a pause.

    Attributes:
        ended: Whether all planned frames are trained.
    """

    def __init__(
        self,
        experiment: Experiment,
        until: int | None,
        rest: Callable[[], None] | None,
    ) -> None:
        self.ended = False
        self._experiment = experiment
        self._collector = experiment.collector
        self._batches = iter(experiment.collector)
        self._until = until
        self._rest = rest
        self._rested = rest is None

    def __iter__(self) -> _Pauses:
        return self

    def __next__(self) -> Any:
        experiment = self._experiment
        if self._rest is not None and not self._rested:
            before = experiment.n_iters_performed
            self._rest()
            self._rested = True
            if experiment.n_iters_performed != before:
                raise _LeaveError
        if self._until is not None and experiment.total_frames >= self._until:
            self.end()
        self._rested = False
        return next(self._batches)

    def end(self) -> None:
        """Leaves the loop for good; called in place of the experiment's ``close``."""
        self.ended = True
        raise _LeaveError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collector, name)
