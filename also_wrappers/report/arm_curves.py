"""Curves of arms in TensorBoard: every signal that was tried is a run of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from also_wrappers.ledger.events import (
    BranchEnded,
    Checked,
    Decided,
    Event,
    RoundFinished,
    RoundStarted,
    RunFinished,
    Settled,
)
from also_wrappers.report.standing import ActiveSignal
from also_wrappers.signal.model import Signal

__all__ = ["ArmCurves"]

#: Characters of a signal's description in the name of its run.
_LONGEST = 48


class ArmCurves:
    """Writes what the branches of each signal earned, into a run for each signal.

    A signal has the same run in every round, as a candidate and as control, and all
    runs have the same two tags, so that their curves lie over each other:

    - ``also/branch/curve``: mean base returns of equal parts of each branch, over the
      environment steps of the whole run: those spent before the branches that were
      asked for together, and those of the branch since then. Replicates follow each
      other.
    - ``also/branch/base_return``: the mean score of the signal's branches in a round,
      at the mainline's trainer steps when the round decided; and that of its fresh
      branches, when the signal was settled.

    Args:
        folder: Where the runs go. Their writers are closed with every decision.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._active = ActiveSignal()
        self._writers: dict[str, Any] = {}
        # Scores since the last decision, of a signal by phase and replicate: a branch
        # that was extended has the score of its longest form.
        self._scores: defaultdict[str, dict[tuple[str, int], float]]
        self._scores = defaultdict(dict)
        # What the signals say, by the names of arms in this round and by ids.
        self._arms: dict[str, str] = {}
        self._signals = {Signal().id: "base reward alone"}
        # Trainer steps before the branches that were asked for together, and of each
        # signal since then.
        self._before = 0
        self._trained: defaultdict[str, int] = defaultdict(int)

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        self._active.add(event)
        match event:
            case RoundStarted():
                self._arms.clear()
                self._signals.setdefault(event.signal, self._active.signal.describe())
            case Checked(name=str(name)):
                self._arms[name] = event.describe
            case BranchEnded():
                self._branch(event)
            case Decided() | Settled() | RoundFinished() | RunFinished():
                self._close(event)

    def _branch(self, event: BranchEnded) -> None:
        cost = event.steps + event.evaluation_steps
        if event.done == 1:
            self._before = event.trainer_steps.total - cost
            self._trained.clear()
        begin = self._before + self._trained[event.signal]
        self._trained[event.signal] += cost
        if event.error:
            return
        writer = self._writer(event)
        per_step = event.env_steps.total / max(event.trainer_steps.total, 1)
        for number, point in enumerate(event.points, start=1):
            steps = begin + event.steps * number / len(event.points)
            step = round(steps * per_step)
            writer.add_scalar("also/branch/curve", point, step, event.time)
        self._scores[event.signal][event.phase, event.index] = event.score
        if event.done == event.of:
            for each in self._writers.values():
                each.flush()

    def _writer(self, event: BranchEnded) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        signal = event.signal
        if signal not in self._writers:
            text = self._arms.get(event.name, event.name)
            words = re.sub(r"\W+", "_", self._signals.setdefault(signal, text))
            name = f"{words[:_LONGEST].strip('_')}-{signal}"
            self._writers[signal] = SummaryWriter(str(self._folder / name))
        return self._writers[signal]

    def _close(self, event: Event) -> None:
        """Writes the scores since the last decision, and closes all writers."""
        step = event.trainer_steps.mainline
        for signal, writer in self._writers.items():
            scores = self._scores[signal].values()
            mean = sum(scores) / len(scores)
            writer.add_scalar("also/branch/base_return", mean, step, event.time)
            writer.close()
        self._writers.clear()
        self._scores.clear()
