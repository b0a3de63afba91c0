"""``Run``: where a run lives."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from also_wrappers.board.board import Board
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import remove, write_json
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import Event, RolledBack, Settled, Swapped
from also_wrappers.ledger.ledger import Ledger, of_the_lineage, read_ledger
from also_wrappers.run.checkpoints import Checkpoints
from also_wrappers.signal.model import Signal
from also_wrappers.signal.notebook import signal_html, table
from also_wrappers.task import Task
from also_wrappers.wrappers.shape import Shape

__all__ = ["Run"]


class Run:
    """Holds what a run has on disk: ledger, board, checkpoints, rounds.

    Args:
        task: What is to be learned.
        run_dir: Where to record; made if it is not there.
        resume: Go on with the run that is there.

    Attributes:
        task: What is to be learned.
        dir: The directory.
        resumed: Whether the run goes on from an earlier process.
        accounting: Counts the steps of the run.
        ledger: Records the run.
        board: Where the active signal is posted and evidence is left.
        checkpoints: Where the run can go on.
        shape: Puts the run's wrapper around an environment; for ``make_venv``.

    Raises:
        ConfigurationError: The directory holds a run and ``resume`` was not given, or
            it holds none, or one with other features or of another version, and it
            was.

    Example:
        >>> import tempfile
        >>> from also_wrappers import Feature, FeatureMap
        >>> task = Task("Go on.", FeatureMap(Feature("x", "obs[0]")))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(task, f"{folder}/first")
        ...     print(run.board.read().signal.describe())
        ...     run.close()
        nothing (the base reward alone)
    """

    def __init__(
        self, task: Task, run_dir: str | Path, *, resume: bool = False
    ) -> None:
        if not isinstance(task, Task):
            raise ConfigurationError(
                f"a run needs a Task(description, features), not {task!r:.80}"
            )
        self.task = task
        self.dir = Path(run_dir)
        self.resumed = resume
        ledger_path = self.dir / "ledger.jsonl"
        declared = {"features": list(task.features.names)}
        if _recorded(ledger_path) and not resume:
            raise ConfigurationError(
                f"{self.dir} already holds a run; give another directory, or resume it"
            )
        if resume:
            self._check_resumable(ledger_path, declared)
        try:
            self.checkpoints = Checkpoints(self.dir / "checkpoints")
        except OSError as error:
            raise ConfigurationError(
                f"the run directory {self.dir} cannot be made: {error.strerror}"
            ) from error
        write_json(self.dir / "run.json", declared)
        self.accounting = Accounting()
        self.ledger = Ledger(ledger_path, self.accounting)
        # What a resumed run had posted stays posted until the loop goes on.
        self.board = Board.create(self.dir / "board")
        self.shape = Shape(task, self.board)

    def __repr__(self) -> str:
        """Returns the directory and the task, in a line."""
        return f"Run({self.task!r}, {str(self.dir)!r})"

    def _repr_html_(self) -> str:
        """Returns tables of the run and of the signal that is posted."""
        about = {
            "directory": self.dir,
            "task": self.task.description,
            "features": ", ".join(self.task.features.names),
            "environment copies": self.board.copies,
        }
        posted = self.board.read().signal
        return table(["run", ""], about.items()) + signal_html(posted)

    def round_dir(self, number: int) -> Path:
        """Returns the directory of one round, made if it is not there."""
        path = self.dir / "rounds" / f"{number:04d}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def drop_snapshots(
        self, kept: int | None = None, files: Collection[Path] | None = None
    ) -> None:
        """Removes the ends of branches, but for those of one round.

        Args:
            kept: Number of the round whose branches may still be adopted.
            files: Those of its files that are kept; all of them if not given.
        """
        for ends in self.dir.glob("rounds/*/snapshots"):
            if kept is None or ends.parent != self.round_dir(kept):
                remove(ends)
            elif files is not None:
                for end in set(ends.iterdir()) - set(files):
                    remove(end)

    def write_schedule(self) -> None:
        """Writes the swaps, and where a signal was given up or rolled back, to be
        replayed without advisor and branches: each signal with what its expert has
        promised, without which a pull would not end itself."""
        entries: list[dict[str, Any]] = []
        known: dict[str, tuple[Signal, float | None]] = {}
        total = self.accounting.trainer_steps().total
        for event in of_the_lineage(self.events(), total):
            match event:
                case Swapped() | Settled(kind="given_up"):
                    known[event.signal.id] = event.signal, event.promised
                    signal, promised = known[event.signal.id]
                case RolledBack(signal=name):
                    signal, promised = known.get(name, (Signal(), None))
                case _:
                    continue
            entries.append(
                {
                    "trainer_steps": event.trainer_steps.model_dump(),
                    "signal": signal.model_dump(mode="json"),
                    "promised": promised,
                }
            )
        write_json(self.dir / "schedule.json", entries)

    def events(self) -> list[Event]:
        """Returns all events that were recorded so far."""
        return list(read_ledger(self.dir / "ledger.jsonl"))

    def close(self) -> None:
        """Closes the ledger."""
        self.ledger.close()

    def _check_resumable(self, ledger: Path, declared: dict[str, Any]) -> None:
        if not _recorded(ledger):
            raise ConfigurationError(
                f"{self.dir} holds no run to resume; leave resume out to begin one"
            )
        next(read_ledger(ledger), None)  # says if it is of another version
        path = self.dir / "run.json"
        if path.exists() and json.loads(path.read_text()) != declared:
            raise ConfigurationError(
                f"{self.dir} holds a run with other features; resume it with the task "
                "that it was begun with"
            )


def _recorded(ledger: Path) -> bool:
    """Whether anything was recorded; a run that was refused at its start was not."""
    return ledger.exists() and ledger.stat().st_size > 0
