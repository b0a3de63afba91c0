"""Counts the steps of a run in a small file that survives a kill at any moment."""

from __future__ import annotations

import struct
from pathlib import Path

from also_wrappers.files import overwrite
from also_wrappers.ledger.accounting import Accounting, Counts

__all__ = ["Meter", "read_meter"]

_FORM = struct.Struct("<4q")


class Meter:
    """Keeps the counts of a run in a file of 32 bytes, which survives a kill.

    The ledger has counts at its events only, between which thousands of steps may lie.

    Args:
        path: The file.

    Attributes:
        spent: Counts of the process before this one when it ended; 0 at first.
        in_flight: Trainer steps that this earlier process was training, uncounted.
    """

    def __init__(self, path: Path) -> None:
        self.spent, self.in_flight = read_meter(path)
        whole = path.exists() and path.stat().st_size == _FORM.size
        # Unbuffered, so that a write survives the process.
        self._file = path.open("r+b" if whole else "wb", buffering=0)

    def write(self, accounting: Accounting) -> None:
        """Writes the present counts to the file.

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
        """Closes the file; later counts are not written."""
        self._file.close()


def read_meter(path: Path) -> tuple[Counts, int]:
    """Reads the counts of a process, also while the process goes on.

    Args:
        path: The file of the process's ``Meter``.

    Returns:
        The counted trainer steps, and the number of trainer steps that are being
        trained and not counted yet; all 0 where the file is missing or damaged.
    """
    try:
        *counts, flying = _FORM.unpack(path.read_bytes())
    except (OSError, struct.error):
        return Counts(), 0
    if min(*counts, flying) < 0:
        return Counts(), 0
    return Accounting(1, *counts).trainer_steps(), flying
