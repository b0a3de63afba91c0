"""Moves the lineage of the final policy to other states and other signals."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.ledger.events import Swapped
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.state import LoopState, Poster
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Trainer

__all__ = ["Lineage"]


class Lineage:
    """Moves the mainline of a run to other states and other signals.

    Args:
        run: The run.
        poster: Writes the posting.
        mainline: Watches the mainline.

    Attributes:
        state: The state of the loop, as a checkpoint keeps it.
        saved: Trainer steps of the lineage at the last checkpoint.
    """

    def __init__(self, run: Run, poster: Poster, mainline: Mainline) -> None:
        self.state = LoopState()
        self.saved = 0
        self._run = run
        self._poster = poster
        self._mainline = mainline

    def save(self, name: str, trainer: Trainer) -> Path:
        """Saves a checkpoint; returns the file of its snapshot."""
        self.saved = trainer.steps
        saved = self.state.checkpoint(self._poster.posting, self._run.accounting)
        return self._run.checkpoints.save(name, trainer.snapshot, saved)

    def snapshot_of(self, name: str) -> tuple[Path, int]:
        """Returns the snapshot of a checkpoint, and the lineage's trainer steps then.

        Args:
            name: Name under which a checkpoint was saved.
        """
        checkpoint = self._run.checkpoints.load(LoopState, name)
        assert checkpoint is not None, f"there is no checkpoint {name!r}"
        return checkpoint.snapshot, checkpoint.state.trainer_steps.mainline

    def begin_window(self, trainer: Trainer) -> None:
        """Begins a new window of evidence."""
        self.state.window = trainer.steps
        self._run.board.begin_window()

    def adopt(self, trainer: Trainer, snapshot: Path) -> int:
        """Loads a snapshot into the mainline's trainer.

        Returns:
            Trainer steps by which the lineage became shorter; negative if longer.
        """
        before = self._run.accounting.mainline
        trainer.adopt(snapshot)
        self._run.accounting.move(trainer.steps)
        return before - trainer.steps

    def swap(
        self,
        number: int,
        signal: Signal,
        since: int,
        *,
        promised: float | None,
        provisional: bool,
        exploratory: bool,
    ) -> None:
        """Makes a signal the active one, records the swap, and guards it.

        Args:
            number: Number of the round.
            signal: The signal.
            since: Trainer steps at which the signal was at its full strength.
            promised: Base return that its expert earns by itself, where that is known.
            provisional: Whether the signal is used before it is confirmed.
            exploratory: Whether no base reward speaks for the signal.
        """
        old = self._poster.posting.signal
        self._poster.post(
            signal=signal,
            since=since,
            strength=1.0,
            promised=promised,
            provisional=provisional,
        )
        self._mainline.guard = Guard(signal, self._mainline.windows)
        self._run.ledger.write(
            Swapped(
                round=number,
                old=old.id,
                signal=signal,
                describe=signal.describe(),
                since=since,
                provisional=provisional,
                exploratory=exploratory,
                promised=promised,
            )
        )
        self._run.write_schedule()
