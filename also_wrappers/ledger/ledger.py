"""The ledger: the append-only record of a run, and the count of its steps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from also_wrappers.files import redact
from also_wrappers.ledger.accounting import Accounting

__all__ = ["Event", "Ledger", "read_ledger"]

SCHEMA_VERSION = 1

Event = Literal[
    "run_started",
    "run_resumed",
    "record",
    "round_started",
    "evidence",
    "plan",
    "exchange",
    "diagnosis",
    "proposal",
    "check",
    "branch",
    "refinement",
    "decision",
    "swap",
    "rollback",
    "advisor_error",
    "round_finished",
    "run_finished",
]


class Ledger:
    """Appends events to ``ledger.jsonl``, one JSON object a line, flushed at once.

    Secrets of the environment that found their way into a text are left out.

    A line that was cut by a crash is dropped when the ledger is opened again: it was
    never a whole event.

    Args:
        path: The file.
        accounting: The counts that go into every event.

    Attributes:
        listeners: Called with every event; for progress lines and figures.
    """

    def __init__(self, path: Path, accounting: Accounting) -> None:
        self.path = path
        self.accounting = accounting
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        if path.exists():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                with path.open("r+b") as file:
                    file.truncate(whole)
        self._file = path.open("a", encoding="utf-8")

    def write(self, event: Event, **data: Any) -> dict[str, Any]:
        """Records one event.

        Args:
            event: Its kind.
            **data: What happened, as plain data.

        Returns:
            The line as it was written.
        """
        if event not in get_args(Event):
            raise ValueError(f"{event!r} is not a kind of event")
        line = {
            "schema_version": SCHEMA_VERSION,
            "time": round(time.time(), 3),
            "event": event,
            "env_steps": self.accounting.env_steps(),
            "trainer_steps": self.accounting.trainer_steps(),
            **data,
        }
        self._file.write(redact(json.dumps(line, allow_nan=True)) + "\n")
        self._file.flush()
        for listener in self.listeners:
            listener(line)
        return line

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """Reads the whole events of a ledger, also while it is being written."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)
