"""One training of a study, in a process of its own."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.cli.study.plan import Cell, Plan
from also_wrappers.cli.user_code import load
from also_wrappers.exceptions import AlsoError
from also_wrappers.files import read_json

__all__ = ["PLAN", "main", "train"]

#: The plan as the study was begun with, in its directory.
PLAN = "plan.json"


def train(study_dir: Path, cell: Cell) -> None:
    """Trains, or goes on with a training.

    Branches run one after the other in this process, as processes are for trainings,
    unless the arm says otherwise; their results are the same.

    Args:
        study_dir: The study's directory.
        cell: The training.

    Raises:
        ConfigurationError: What the plan names cannot be imported.
    """
    plan = Plan.model_validate(read_json(study_dir / PLAN))
    task, arm = plan.tasks[cell.task], plan.arms[cell.arm]
    options = {**task.options, **arm.options}
    for name, place in arm.make.items():
        options[name] = load(place)(cell.task, cell.seed)
    if options.get("budget") != 0.0:
        options.setdefault("executor", SerialExecutor())
    run_dir = study_dir / cell.folder
    load(task.train)(run_dir, cell.seed, task.env_steps, **options)


def _follow_parent() -> None:
    """Ends this process when nobody holds the other end of its standard input."""

    def wait() -> None:
        while os.read(0, 1):  # sys.stdin has a lock, which the end of Python takes
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Trains what the command line names: the study's directory, task, arm and seed.

    The process ends when whoever has started it does: when its standard input ends.
    """
    _follow_parent()
    try:
        train(Path(sys.argv[1]), Cell(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    except AlsoError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
