"""Training what a plan declares: a process for each, resumable."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from also_wrappers.cli.show import duration
from also_wrappers.cli.study.plan import (
    Cell,
    Plan,
    PlannedArm,
    PlannedTask,
    read_plan,
    smaller,
)
from also_wrappers.cli.study.results import Result, result_of
from also_wrappers.cli.study.worker import PLAN, main
from also_wrappers.cli.summary import is_finished
from also_wrappers.cli.user_code import load
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import make_folder, read_json, write_json

__all__ = ["Study", "begin_study"]

#: Seconds between two looks at the processes.
_INTERVAL = 0.2
_LAST_LINES = 3


@dataclass(frozen=True)
class Study:
    """Holds a study: its plan and the directory of its runs.

    Attributes:
        plan: The plan.
        folder: The study's directory.
    """

    plan: Plan
    folder: Path

    def missing(self) -> list[Cell]:
        """Returns the trainings that are not finished."""
        return [
            cell
            for cell in self.plan.cells()
            if not is_finished(self.folder / cell.folder)
        ]

    def results(self) -> list[Result]:
        """Returns the results of the trainings that are finished."""
        return [
            result_of(cell, self.plan, self.folder / cell.folder)
            for cell in self.plan.cells()
            if is_finished(self.folder / cell.folder)
        ]

    def log_of(self, cell: Cell) -> Path:
        """Returns the path of what a training prints."""
        return self.folder / cell.folder.with_name(f"{cell.folder.name}.log.txt")

    def train(self, processes: int, console: Console) -> list[Cell]:
        """Trains what is missing, so many at a time.

        Args:
            processes: Trainings at a time.
            console: Where to print a line for each.

        Returns:
            The trainings that failed; what each printed is at ``log_of`` it.
        """
        waiting = self.missing()
        count, done = len(waiting), 0
        failed: list[Cell] = []
        running: list[_Training] = []
        began = time.monotonic()
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    running.append(self._start(waiting.pop(0)))
                time.sleep(_INTERVAL)
                for training in [t for t in running if t.has_ended()]:
                    running.remove(training)
                    done += 1
                    line = self._outcome(training)
                    if not is_finished(self.folder / training.cell.folder):
                        failed.append(training.cell)
                    seconds = (time.monotonic() - began) / done * (count - done)
                    console.print(
                        f"{done} of {count}: {training.cell}: {line}"
                        + (f"; about {duration(seconds)} left" if count > done else ""),
                        highlight=False,
                        markup=False,
                        soft_wrap=True,
                    )
        finally:
            for training in running:
                training.stop()
        return failed

    def _start(self, cell: Cell) -> _Training:
        return _Training(self.folder, cell, self.log_of(cell))

    def _outcome(self, training: _Training) -> str:
        """Says in a few words how a training ended."""
        cell, folder = training.cell, self.folder / training.cell.folder
        if is_finished(folder):
            try:
                result = result_of(cell, self.plan, folder)
            except ConfigurationError as error:
                return str(error)
            return (
                f"{result.ending:.3f} after {result.env_steps.total:,} environment "
                f"steps in all, {duration(result.seconds)}"
            )
        last = " | ".join(training.last_lines())
        why = last or f"no finished run was left in {folder}"
        return f"failed ({training.returned}): {why}"


class _Training:
    """One process that trains; what it prints goes into ``log.txt`` beside its run."""

    def __init__(self, study_dir: Path, cell: Cell, log_path: Path) -> None:
        self.cell = cell
        self._log = log_path
        make_folder(log_path.parent)
        here = str(Path.cwd())
        path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
        with self._log.open("w", encoding="utf-8") as log:
            # This interpreter runs our own worker.
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    "-c",
                    f"from {main.__module__} import main; main()",
                    str(study_dir),
                    cell.task,
                    cell.arm,
                    str(cell.seed),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # One process a core: more threads of torch would only get in the way.
                env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path},
            )

    @property
    def returned(self) -> int | None:
        """What the process has returned."""
        return self._process.returncode

    def has_ended(self) -> bool:
        """True if the process has ended."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ends the process; its run goes on from its last checkpoint another time."""
        self._process.kill()
        self._process.wait()

    def last_lines(self) -> Sequence[str]:
        """Returns the last lines that the process printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]


def begin_study(path: Path, folder: Path, *, small: bool = False) -> Study:
    """Begins a study, or goes on with the one in the directory.

    Tasks, arms and seeds may be added to a plan, and left out of it; what stays must
    stay as it is, since trainings that are finished are kept.

    Args:
        path: The plan's file.
        folder: The study's directory.
        small: Whether to begin the plan's small version.

    Raises:
        ConfigurationError: The plan declares no study, names what cannot be imported,
            or has changed a task or an arm of the study in the directory.
    """
    plan = read_plan(path)
    plan = smaller(plan) if small else plan
    for place in dict.fromkeys(
        [
            *(task.train for task in plan.tasks.values()),
            *(place for arm in plan.arms.values() for place in arm.make.values()),
        ]
    ):
        if not callable(load(place)):
            raise ConfigurationError(
                f"{path}: {place} cannot be called; name a function, MODULE:NAME"
            )
    begun = folder / PLAN
    if begun.is_file():
        try:
            before = Plan.model_validate(read_json(begun))
        except ValidationError as error:
            raise ConfigurationError(
                f"{begun} is not the plan of a study; remove it to go on with {path}, "
                "or give another --out"
            ) from error
        _check_unchanged(before, plan, folder)
    make_folder(folder)
    write_json(begun, plan.model_dump(mode="json"))
    return Study(plan, folder)


def _check_unchanged(before: Plan, plan: Plan, folder: Path) -> None:
    """Refuses a plan with which kept trainings would be compared wrongly."""
    for kind, old, new in (
        ("task", before.tasks, plan.tasks),
        ("arm", before.arms, plan.arms),
    ):
        for name in old.keys() & new.keys():
            one, other = _of_trainings(old[name]), _of_trainings(new[name])
            trained = any(
                _has_begun(folder / cell.folder)
                for cell in before.cells()
                if name in (cell.task, cell.arm)
            )
            if one != other and trained:
                raise ConfigurationError(
                    f"the {kind} {name!r} is not what the study in {folder} was begun "
                    "with; give it another name, or another --out"
                )


def _has_begun(run_dir: Path) -> bool:
    """True if something was trained in a directory: no run that was refused was."""
    ledger = run_dir / "ledger.jsonl"
    return ledger.is_file() and ledger.stat().st_size > 0


def _of_trainings(declared: PlannedTask | PlannedArm) -> dict[str, object]:
    """Returns what trainings depend on: scores can be computed anew."""
    return declared.model_dump(exclude={"low", "high", "tasks", "seeds"})
