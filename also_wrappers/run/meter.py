"""The meter of a run: what was counted, and what is being trained, whenever it dies."""

from __future__ import annotations

import struct
from pathlib import Path

from also_wrappers.files import overwrite
from also_wrappers.ledger.accounting import Accounting, Counts

__all__ = ["Meter", "read_meter"]

_FORM = struct.Struct("<4q")


class Meter:
    """Keeps counts in a file of 32 bytes, which a kill leaves as they were.

    The ledger has counts at its events only; thousands of steps may lie between two.

    Args:
        path: The file.

    Attributes:
        spent: What an earlier process had counted when it ended; nothing at first.
        in_flight: Trainer steps that it was training then, and had not counted.
    """

    def __init__(self, path: Path) -> None:
        self.spent, self.in_flight = read_meter(path)
        whole = path.exists() and path.stat().st_size == _FORM.size
        # Unbuffered: what was written is there, whatever becomes of the process.
        self._file = path.open("r+b" if whole else "wb", buffering=0)

    def write(self, accounting: Accounting) -> None:
        """Writes what is counted now.

        Args:
            accounting: The counts.
        """
        data = _FORM.pack(
            accounting.mainline,
            accounting.branches,
            accounting.evaluation,
            accounting.in_flight,
        )
        overwrite(self._file, data)

    def close(self) -> None:
        """Closes the file; what is noted later is lost."""
        self._file.close()


def read_meter(path: Path) -> tuple[Counts, int]:
    """Reads what a process has counted, also while it goes on.

    Args:
        path: The file of its ``Meter``.

    Returns:
        The trainer steps that it has counted, and those that it is training and has not
        counted; nothing where the file is not there or damaged.
    """
    try:
        *counts, flying = _FORM.unpack(path.read_bytes())
    except (OSError, struct.error):
        return Counts(), 0
    if min(*counts, flying) < 0:
        return Counts(), 0
    return Accounting(1, *counts).trainer_steps(), flying
