"""Watches the mainline of a run: its windows, its evidence, its learning stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import pstdev
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.board.board import Collected
from also_wrappers.board.posting import Posting
from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.episodes import EPISODE, Episodes, weigh
from also_wrappers.evidence.numbers.stationarity import expert_figures, policy_figures
from also_wrappers.evidence.recorder import LONGEST_SEGMENT
from also_wrappers.evidence.stage import Stage, Window, detect_stage, is_stuck
from also_wrappers.evidence.summary import summarise
from also_wrappers.ledger.events import (
    Auditioned,
    Event,
    Recorded,
    RolledBack,
    Settled,
    Swapped,
)
from also_wrappers.loop.guard import Guard, clear_fall
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Imitated, Trainer

__all__ = ["Mainline"]

#: The least number of episodes of a recorded window.
_RECORD_EPISODES = 50
#: The latest windows, whose mean is the base return now.
_LATEST = 2


class Mainline:
    """Watches the mainline of a run, and records what its episodes earn.

    Args:
        run: The run.

    Attributes:
        windows: The windows that were recorded so far.
        guard: Watches the last swap; ``None`` where there is nothing to watch.
        agreement: The policies' agreement with the expert in force, in the last event;
            ``None`` where the expert was not imitated.
    """

    def __init__(self, run: Run) -> None:
        self.windows: list[Window] = []
        self.guard: Guard | None = None
        self.agreement: float | None = None
        self._run = run
        self._pending: Episodes = np.zeros(0, EPISODE)
        self._shaped: list[float] = []
        self._imitated: list[Imitated] = []
        self._auditions: list[Auditioned] = []
        run.ledger.listeners.append(self._listen)
        self._starts = np.zeros(0, np.int64)
        self._recorded = 0

    @property
    def stage(self) -> Stage:
        """The learning stage of the mainline."""
        return detect_stage(self.windows)

    @property
    def stuck(self) -> bool:
        """True where the base return does not clearly rise and the task is unsolved."""
        return is_stuck(self.windows)

    def record(
        self, trainer: Trainer, strength: float, at_least: int = _RECORD_EPISODES
    ) -> None:
        """Records a window once ``at_least`` episodes have ended since the last.

        Args:
            trainer: The trainer.
            strength: Strength of the active signal.
            at_least: The least number of episodes of a window.
        """
        episodes = np.concatenate((self._pending, self._run.board.new_episodes()))
        if len(episodes) < at_least:
            self._pending = episodes
            return
        self._pending = np.zeros(0, EPISODE)
        declared = self._run.task.success is not None
        weights = self._weigh(episodes)
        returns = episodes["base_return"]
        mean = _mean(returns, weights)
        window = Window(
            steps=trainer.steps,
            episodes=len(episodes),
            mean=mean,
            std=math.sqrt(_mean(np.square(returns - mean), weights)),
            rewarded=_mean(episodes["rewarded"], weights),
            success=_mean(episodes["success"], weights) if declared else None,
        )
        shaped = _mean(episodes["shaped_return"], weights)
        self.windows.append(window)
        self._shaped.append(shaped)
        imitated = trainer.imitated()
        if imitated is not None:
            self._imitated.append(imitated)
            self.agreement = imitated.agreement
        if self.guard is not None:
            self.guard.add(window, shaped)
        self._run.ledger.write(
            Recorded(
                window=window,
                shaped=shaped,
                strength=strength,
                length=_mean(episodes["length"], weights),
                pull=imitated.pull if imitated else None,
                agreement=imitated.agreement if imitated else None,
            )
        )

    def _listen(self, event: Event) -> None:
        """Keeps each audition's event, and drops what was imitated before a swap."""
        match event:
            case Auditioned():
                self._auditions.append(event)
            case Swapped() | RolledBack() | Settled(kind="given_up"):
                self._imitated, self.agreement = [], None

    def _weigh(self, episodes: Episodes) -> npt.NDArray[np.float64]:
        """Returns weights with which the latest episodes count as in an evaluation."""
        if not len(self._starts):
            self._starts = np.zeros(self._run.board.copies, np.int64)
        self._starts = np.concatenate((self._starts, episodes["end"]))
        begin, end = self._recorded, int(self._starts.max())
        weights = weigh(episodes, self._starts, begin, end)
        self._starts = self._starts[self._starts > end - LONGEST_SEGMENT]
        self._recorded = end
        return weights

    def resume(self, events: Sequence[Event]) -> None:
        """Restores windows and guard from the events before a checkpoint.

        Args:
            events: The events of the lineage.
        """
        self.windows, self.guard = [], None
        self._auditions = []
        for event in events:
            self._listen(event)
            match event:
                case Recorded(window=window, shaped=shaped, agreement=agreement):
                    self.windows.append(window)
                    self.agreement = agreement
                    if self.guard is not None:
                        self.guard.add(window, shaped)
                case Swapped(signal=signal):
                    self.guard = Guard(signal, self.windows)
                case RolledBack() | Settled(kind="given_up"):
                    self.guard = None

    def fall_since(self, begin: int) -> float | None:
        """Returns how far the base return fell after some steps, if clearly.

        Args:
            begin: Trainer steps of the lineage.
        """
        early = [window for window in self.windows if window.steps <= begin]
        late = [window for window in self.windows if window.steps > begin]
        if not early or len(late) < _LATEST:
            return None
        return clear_fall(early[-2 * _LATEST :], late[-_LATEST:])

    def rate_of(self, collected: Collected) -> float:
        """Returns how often the declared conditions held, as a mean over them.

        Args:
            collected: The record of a window; the task declares conditions.
        """
        task = self._run.task
        values = summarise(
            collected.layout, collected.values, Signal(), task.conditions
        ).values
        rates = [values.get(f"condition.{name}.rate", 0.0) for name in task.conditions]
        return sum(rates) / len(rates)

    def evidence(
        self, trainer: Trainer, posting: Posting, collected: Collected
    ) -> Evidence:
        """Returns the evidence of the window that ends now, and begins a window.

        Args:
            trainer: The trainer.
            posting: The posting in the window.
            collected: The record of the window.
        """
        agents = collected.layout.agents
        swings = pstdev(self._shaped) if len(self._shaped) > 1 else None
        figures = policy_figures(agents, trainer.policy_drift(), swings)
        if posting.signal.expert is not None:
            played = self._played(posting.signal)
            figures |= expert_figures(agents, played, self._imitated)
        self._shaped, self._imitated = [], []
        task = self._run.task
        return summarise(
            collected.layout,
            collected.values,
            posting.signal,
            {**task.conditions, **posting.probes},
            has_success=task.success is not None,
            figures=figures,
        )

    def _played(self, signal: Signal) -> dict[str, float]:
        """Returns the figures of the last audition of a signal's expert."""
        for event in reversed(self._auditions):
            if event.is_of(signal):
                return {
                    "return": event.earned,
                    "error": event.error,
                    "spread": event.spread,
                    "coverage": event.coverage,
                }
        return {}


def _mean(values: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> float:
    return float(np.average(values, weights=weights))
