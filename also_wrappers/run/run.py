"""What the user declares (``Task``), and where a run lives (``Run``)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing, write_json
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger, read_ledger
from also_wrappers.run.checkpoints import Checkpoint
from also_wrappers.task import Task
from also_wrappers.wrappers.shape import Shape

__all__ = ["Run"]


class Run:
    """A run's directory: ledger, board, checkpoints, rounds.

    Args:
        task: What is to be learned.
        run_dir: Where to record; made if it is not there.
        resume: Go on with the run that is there.

    Raises:
        ConfigurationError: The directory holds a run and ``resume`` was not given, or
            it holds none, or one with other features, and it was.

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
            (self.dir / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the run directory {self.dir} cannot be made: {error.strerror}"
            ) from error
        write_json(self.dir / "run.json", declared)
        self.accounting = Accounting()
        self.ledger = Ledger(ledger_path, self.accounting)
        checkpoint = self.load_checkpoint() if resume else None
        posting = checkpoint.posting if checkpoint else Posting()
        self.board = Board.create(self.dir / "board", posting)
        self.shape = Shape(task, self.board)

    def round_dir(self, number: int) -> Path:
        """The directory of one round; made if it is not there."""
        path = self.dir / "rounds" / f"{number:04d}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def save_checkpoint(
        self, name: str, snapshot: Callable[[Path], None], state: dict[str, Any]
    ) -> None:
        """Saves where to go on from, then drops the snapshot it replaces.

        The description is written last and atomically, so that a crash at any moment
        leaves a whole checkpoint.
        """
        folder = self.dir / "checkpoints"
        file = f"{name}-{self.accounting.mainline}.zip"
        snapshot(folder / file)
        described = {
            "name": name,
            "snapshot": file,
            "posting": self.board.read().model_dump(mode="json"),
            "trainer_steps": self.accounting.trainer_steps(),
            "agents_per_env": self.accounting.agents_per_env,
            "state": state,
        }
        write_json(folder / f"{name}.json", described)
        write_json(folder / "last.json", described)
        for old in folder.glob(f"{name}-*.zip"):
            if old.name != file:
                old.unlink()

    def copy_checkpoint(self, name: str, copy: str) -> None:
        """Keeps a checkpoint under another name, which later ones do not replace."""
        folder = self.dir / "checkpoints"
        described = json.loads((folder / f"{name}.json").read_text())
        with replacing(folder / f"{copy}.zip") as beside:
            shutil.copyfile(folder / described["snapshot"], beside)
        described |= {"name": copy, "snapshot": f"{copy}.zip"}
        write_json(folder / f"{copy}.json", described)

    def load_checkpoint(self, name: str = "last") -> Checkpoint | None:
        """The last checkpoint, or the last of a kind; ``None`` if there is none."""
        path = self.dir / "checkpoints" / f"{name}.json"
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        return Checkpoint(
            data["name"],
            path.parent / data["snapshot"],
            Posting.model_validate(data["posting"]),
            {
                **data["state"],
                "mainline": data["trainer_steps"]["mainline"],
                "agents_per_env": data["agents_per_env"],
            },
        )

    def write_schedule(self) -> None:
        """Writes the accepted swaps, to be replayed without advisor and branches."""
        swaps = [event for event in self.events() if event["event"] == "swap"]
        write_json(
            self.dir / "schedule.json",
            [
                {"trainer_steps": swap["trainer_steps"], "signal": swap["signal"]}
                for swap in swaps
            ],
        )

    def events(self) -> list[dict[str, Any]]:
        """All events recorded so far."""
        return list(read_ledger(self.dir / "ledger.jsonl"))

    def close(self) -> None:
        """Closes the ledger."""
        self.ledger.close()

    def _check_resumable(self, ledger: Path, declared: dict[str, Any]) -> None:
        if not _recorded(ledger):
            raise ConfigurationError(
                f"{self.dir} holds no run to resume; leave resume out to begin one"
            )
        path = self.dir / "run.json"
        if path.exists() and json.loads(path.read_text()) != declared:
            raise ConfigurationError(
                f"{self.dir} holds a run with other features; resume it with the task "
                "that it was begun with"
            )


def _recorded(ledger: Path) -> bool:
    """Whether anything was recorded; a run that was refused at its start was not."""
    return ledger.exists() and ledger.stat().st_size > 0
