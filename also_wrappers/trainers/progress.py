"""Shows a run with ``Progress`` while a trainer trains."""

from __future__ import annotations

import importlib.util
import shlex

from rich.console import Console

from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.tensorboard import TensorBoardFigures
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.run.run import Run

__all__ = ["Progress"]


class Progress:
    """Prints a line for each stage of a run, and draws the run in TensorBoard.

    Args:
        run: The run.
        verbose: 1 prints; 0 draws only. Nothing is drawn where TensorBoard or
            matplotlib is not installed.
    """

    def __init__(self, run: Run, verbose: int) -> None:
        self._run = run
        self._verbose = verbose
        self._lines = ProgressLines(Console(), read_ledger(run.ledger.path))

    def begin(self) -> None:
        """Begins to show the events of the run's ledger."""
        listeners = self._run.ledger.listeners
        if all(map(importlib.util.find_spec, ("tensorboard", "matplotlib"))):
            folder = self._run.dir / "tensorboard"
            past = read_ledger(self._run.ledger.path)
            listeners.append(TensorBoardFigures(folder, past))
        if self._verbose:
            listeners.append(self._lines)

    def say(self, stage: str, text: str) -> None:
        """Prints one line that belongs to no event.

        Args:
            stage: First word of the line.
            text: The rest of the line.
        """
        if self._verbose:
            self._lines.say(stage, text)

    def end(self) -> None:
        """Prints how to get the run's report."""
        folder = self._run.dir
        command = f"also-wrappers report {shlex.quote(str(folder))}"
        self.say("report", f"{command} writes {folder / 'report.html'}")
