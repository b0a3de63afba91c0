"""Holds a run's directory with ``Run``: ledger, board, checkpoints, rounds."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from also_wrappers.board.board import Board
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import make_folder, read_json, remove, write_json
from also_wrappers.ledger.accounting import Accounting, Counts
from also_wrappers.ledger.events import (
    Event,
    RolledBack,
    RunFinished,
    RunResumed,
    Settled,
    Swapped,
)
from also_wrappers.ledger.ledger import (
    Ledger,
    LedgerReader,
    last_event,
    read_ledger,
)
from also_wrappers.ledger.lineage import of_the_lineage
from also_wrappers.run.checkpoints import Checkpoints
from also_wrappers.run.lock import Lock
from also_wrappers.run.meter import Meter
from also_wrappers.run.schedule import schedule_of
from also_wrappers.signal.notebook import signal_html, table
from also_wrappers.task import Task
from also_wrappers.wrappers.shape import Shape

__all__ = ["Run"]

#: Names of files: a directory in which a run was begun has one of them at least.
_MARKS = {"ledger.jsonl", "run.json", "run.lock"}
#: The runs of this process, by their directories.
_runs: weakref.WeakValueDictionary[Path, Run] = weakref.WeakValueDictionary()


class Run:
    """Holds the directory of a run: ledger, board, checkpoints, rounds.

    Args:
        task: Declares what is to be learned.
        run_dir: Directory of the run's own to record into; made if it is missing. One
            process at a time records into the directory; readers are never kept out.
            An earlier ``Run`` of this process on the directory is closed.
        resume: ``True`` goes on with the run in the directory; ``"auto"`` does so where
            there is a run, and begins one otherwise.

    Attributes:
        task: Declares what is to be learned.
        dir: The directory.
        resumed: Whether the run goes on from an earlier process.
        accounting: Counts the steps of the run.
        ledger: Records the run.
        board: Holds the posting, and the evidence of every environment copy.
        checkpoints: Keeps the checkpoints of the run.
        shape: Puts the run's wrapper around an environment; for ``make_venv``.

    Raises:
        ConfigurationError: The directory holds a run and ``resume`` is False; it holds
            no run and ``resume`` is True; its run has other features or is of another
            version; it holds other files than a run's; or another process records
            there.
        StorageError: The directory cannot be written.

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
        self,
        task: Task,
        run_dir: str | Path,
        *,
        resume: bool | Literal["auto"] = False,
    ) -> None:
        if not isinstance(task, Task):
            raise ConfigurationError(
                f"a run needs a Task(description, features), not {task!r:.80}"
            )
        self.task = task
        self.dir = Path(run_dir)
        if resume not in (True, False, "auto"):
            raise ConfigurationError(
                f"resume is True, False or 'auto', not {resume!r:.80}"
            )
        self._ledger_path = self.dir / "ledger.jsonl"
        self._reader = LedgerReader(self._ledger_path)
        self._swaps: list[Event] = []
        if resume == "auto":
            resume = _recorded(self._ledger_path)
        self.resumed = bool(resume)
        _check_is_own(self.dir)
        if resume and not _recorded(self._ledger_path):
            raise ConfigurationError(
                f"{self.dir} holds no run to resume; leave resume out to begin one"
            )
        try:
            self.dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the run directory {self.dir} cannot be made: {error.strerror}; give "
                "another one"
            ) from error
        place = self.dir.resolve()
        if place in _runs:  # such as a run of an interrupted cell of a notebook
            _runs[place].close()
        self._lock = Lock(place / "run.lock")
        try:
            self._open()
            _runs[place] = self
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        """Opens or makes the files of the directory, as their only writer."""
        declared = {"features": list(self.task.features.names)}
        if self.resumed:
            self._check_resumable(declared)
        elif _recorded(self._ledger_path):
            raise ConfigurationError(
                f"{self.dir} already holds a run; give another directory, or resume it"
            )
        self.checkpoints = Checkpoints(self.dir / "checkpoints")
        write_json(self.dir / "run.json", declared)
        self.accounting = Accounting()
        self._meter = Meter(self.dir / "steps")
        if not self.resumed:  # a run that died in its rehearsal has recorded nothing
            left = self._meter
            self.accounting.unknown = left.spent.total + left.in_flight
        self.ledger = Ledger(self._ledger_path, self.accounting)
        # The posting of a resumed run stays as it was until the loop goes on.
        self.board = Board.create(self.dir / "board")
        self.shape = Shape(self.task, self.board)

    def __repr__(self) -> str:
        """Returns the task and the directory, in one line."""
        return f"Run({self.task!r}, {str(self.dir)!r})"

    def _repr_html_(self) -> str:
        """Returns HTML tables of the run and of the signal that is posted."""
        about = {
            "directory": self.dir,
            "task": self.task.description,
            "features": ", ".join(self.task.features.names),
            "environment copies": self.board.copies,
        }
        posted = self.board.read().signal
        return table(["run", ""], about.items()) + signal_html(posted)

    def round_dir(self, number: int) -> Path:
        """Returns the directory of one round; makes the directory if needed."""
        path = self.dir / "rounds" / f"{number:04d}"
        make_folder(path)
        return path

    def drop_snapshots(
        self, number: int | None = None, files: Collection[Path] | None = None
    ) -> None:
        """Removes the ends of branches, except those of one round.

        Args:
            number: Number of the round whose branches may still be adopted.
            files: Files of that round that are kept; all of them if not given.
        """
        for ends in self.dir.glob("rounds/*/snapshots"):
            if number is None or ends.parent != self.round_dir(number):
                remove(ends)
            elif files is not None:
                for end in set(ends.iterdir()) - set(files):
                    remove(end)

    def write_schedule(self) -> None:
        """Writes the schedule of signals that the final policy has learned from.

        Swaps after the checkpoint from which a stopped run went on are not written.
        """
        self._read_swaps()
        total = self.accounting.trainer_steps().total
        entries = schedule_of(of_the_lineage(self._swaps, total))
        data = [entry.model_dump(mode="json") for entry in entries]
        write_json(self.dir / "schedule.json", data)

    def note_in_flight(self, steps: int) -> None:
        """Notes how many trainer steps are being trained, for a resume after a kill.

        Args:
            steps: Trainer steps that begin to be trained; negative for steps that have
                ended and are counted by now.
        """
        self.accounting.in_flight += steps
        self._meter.write(self.accounting)

    def spent_before(self) -> Counts:
        """Returns the trainer steps that earlier processes have spent on the run.

        Steps that a process was training when it ended count as unknown.
        """
        last = last_event(self._ledger_path)
        recorded = Counts() if last is None else last.trainer_steps
        spent = max(recorded, self._meter.spent, key=lambda counts: counts.total)
        unknown = recorded.unknown + self._meter.in_flight
        return spent.model_copy(update={"unknown": unknown})

    @property
    def finished(self) -> int | None:
        """The lineage's trainer steps, if the run was trained to its end.

        ``None`` if the run was not trained to its end.
        """
        last = last_event(self._ledger_path)
        return last.trainer_steps.mainline if isinstance(last, RunFinished) else None

    def events(self) -> list[Event]:
        """Returns all events that were recorded so far."""
        return list(read_ledger(self._ledger_path))

    def close(self) -> None:
        """Closes the files, and releases the directory."""
        self.ledger.close()
        self._meter.close()
        self._lock.release()

    def _read_swaps(self) -> None:
        """Reads which swaps were recorded since the last look, and what became of them.

        The ledger grows with the training; each of its bytes is read once.
        """
        kinds = (RunResumed, Swapped, Settled, RolledBack)
        self._swaps += [e for e in self._reader.read() if isinstance(e, kinds)]

    def _check_resumable(self, declared: dict[str, Any]) -> None:
        """Refuses a run that cannot be resumed, before changing anything."""
        self._read_swaps()  # refuses a line that is no event
        path = self.dir / "run.json"
        if path.exists() and read_json(path) != declared:
            raise ConfigurationError(
                f"{self.dir} holds a run with other features; resume it with the task "
                "that it was begun with"
            )


def _check_is_own(folder: Path) -> None:
    """Refuses a directory that holds other files than those of a run."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return  # making the directory comes later, and says why it fails
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be read: {error.strerror}; give another directory"
        ) from error
    if names and not names & _MARKS:
        raise ConfigurationError(
            f"{folder} holds something else than a run, such as {min(names)}; give a "
            f"run a directory of its own, such as {folder / 'run'}"
        )


def _recorded(ledger: Path) -> bool:
    """True where a run has recorded anything, and was not refused at its start."""
    return ledger.is_file() and ledger.stat().st_size > 0
