"""The meter of a run: what was counted, and what is being trained, whenever it dies."""

from __future__ import annotations

import struct
from pathlib import Path

from also_wrappers.files import overwrite
from also_wrappers.ledger.accounting import Accounting, Counts

__all__ = ["Meter"]

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
        self.spent, self.in_flight = Counts(), 0
        data = path.read_bytes() if path.exists() else b""
        whole = len(data) == _FORM.size  # a damaged meter counts nothing
        if whole:
            *counts, flying = _FORM.unpack(data)
            if min(*counts, flying) >= 0:
                self.spent = Accounting(1, *counts).trainer_steps()
                self.in_flight = flying
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
