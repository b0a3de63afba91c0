"""Repeats the swaps of an earlier run, without advisor and branches."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.loop.lineage import Lineage
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.state import Poster
from also_wrappers.run.run import Run
from also_wrappers.run.schedule import read_schedule
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.shaper import compile_signal
from also_wrappers.trainer import Trainer

__all__ = ["Replay"]


class Replay:
    """Makes each signal of an earlier run active after the same trainer steps.

    A replay tests the signals of a run on seeds that had no part in finding them. No
    swap is rolled back, given up or confirmed.

    Args:
        run: The run that is trained now.
        of: Directory of the earlier run.
        lineage: Moves the mainline.
        poster: Writes the posting.
        mainline: Watches the mainline.

    Raises:
        ConfigurationError: The earlier run cannot be read, or has swapped no signal in.
    """

    def __init__(
        self,
        run: Run,
        of: str | Path,
        lineage: Lineage,
        poster: Poster,
        mainline: Mainline,
    ) -> None:
        self._run = run
        self._of = of
        self._entries = read_schedule(of)
        self._lineage = lineage
        self._poster = poster
        self._mainline = mainline

    def check(self, trainer: Trainer) -> None:
        """Refuses, before any training, signals that this run could not replay.

        Args:
            trainer: The trainer.

        Raises:
            ConfigurationError: The task lacks features, agents or actions of a signal,
                or the trainer ends before the first swap or cannot imitate an expert.
        """
        layout = self._run.board.layout
        agents = layout.agents if layout else ()
        features, actions = self._run.task.features, self._run.task.actions
        for entry in self._entries:
            expert = entry.signal.expert is not None
            if expert and (actions is None or not trainer.imitates):
                raise ConfigurationError(
                    f"the run in {self._of} has found an expert; replay it with its "
                    "Task(actions=...) and with a trainer that imitates"
                )
            try:
                compile_signal(entry.signal, features, agents)
                if expert and actions is not None:
                    Advice(entry.signal, features, actions, agents)
            except AlsoError as error:
                raise ConfigurationError(
                    f"the signals of {self._of} do not fit this task: {error}"
                ) from error
        first = self._entries[0].begin
        if first >= trainer.total:
            raise ConfigurationError(
                f"the run in {self._of} has its first swap after {first:,} trainer "
                f"steps, and {trainer.total:,} are planned; plan as many as it had"
            )

    def step(self, trainer: Trainer) -> None:
        """Swaps in the signal that was active at this point of the earlier run.

        Args:
            trainer: The trainer, at rest.
        """
        begun = [entry for entry in self._entries if entry.begin <= trainer.steps]
        if not begun:
            return
        entry, posting = begun[-1], self._poster.posting
        if posting.signal == entry.signal and posting.since == entry.begin:
            return
        self._lineage.swap(
            entry.round,
            entry.signal,
            entry.begin,
            promised=entry.promised,
            provisional=entry.provisional,
            exploratory=entry.exploratory,
        )
        self._mainline.guard = None
