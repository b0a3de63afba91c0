"""Writes and reads the ledger: the append-only record of a run."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from pydantic import ValidationError

from also_wrappers.exceptions import ConfigurationError, StorageError, brief
from also_wrappers.files import append, redactions
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import EVENT, Event, RunFinished
from also_wrappers.ledger.stamp import SCHEMA_VERSION, RunEvent

__all__ = [
    "Ledger",
    "LedgerReader",
    "follow",
    "last_event",
    "other_runs",
    "read_ledger",
    "salvage_ledger",
]

E = TypeVar("E", bound=RunEvent)

#: Seconds between two looks at a ledger that is followed.
_INTERVAL = 0.2
#: Bytes that are read at a time from the end of a ledger.
_BLOCK = 1 << 16

#: Pattern of whole numbers that may be too long to be a count, and the bound of counts.
_LONG_NUMBER, _ENDLESS = re.compile(rb"\d{19}"), 2**63


class Ledger:
    """Appends events to ``ledger.jsonl``, one JSON object a line, flushed at once.

    Several threads may write to a ledger, as an advisor is asked beside the training.

    Secrets of the environment variables are left out of all texts.

    A line that was cut by a crash is dropped when the ledger is opened again, as a cut
    line was never a whole event.

    Args:
        path: The file.
        accounting: The counts that go into every event.

    Raises:
        ConfigurationError: The end of the file was written by no run.
        StorageError: The file cannot be opened.

    Attributes:
        listeners: Functions that are called with every event after its line is in the
            file, for progress lines and figures. An error of a listener becomes a
            warning, as a display must not end the training.
    """

    def __init__(self, path: Path, accounting: Accounting) -> None:
        self.path = path
        self.accounting = accounting
        self.listeners: list[Callable[[Event], None]] = []
        self._again: dict[type[RunEvent], deque[RunEvent]] = {}
        try:
            if path.exists():
                _mend_end(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"{path} cannot be opened: {error.strerror}; a run records there, so "
                "see to it that it is a file that this process may write"
            ) from error
        self._writing = threading.RLock()

    def write(self, event: E) -> E:
        """Records one event as a line of the ledger.

        Args:
            event: The event; the ledger fills in its time and its steps.

        Returns:
            The event as it was written.

        Raises:
            ConfigurationError: The ledger was closed.
            StorageError: The line cannot be written; the ledger stays as it was.
        """
        if self._file.closed:
            raise ConfigurationError(
                f"{self.path} was closed, or another Run of this process goes on with "
                "it; make a new Run with resume=True"
            )
        with self._writing:
            again = self._again.get(type(event))
            if again:
                return cast(E, again.popleft())
            return self._write(event)

    def repeat(self, events: Iterable[RunEvent] = ()) -> None:
        """Takes recorded events that will happen again and must not be written twice.

        The next event of the same kind as a given event is not written; ``write``
        returns the given event instead.

        Args:
            events: The events, in order, in place of all that were given before.
        """
        self._again = defaultdict(deque)
        for event in events:
            self._again[type(event)].append(event)

    def _write(self, event: E) -> E:
        stamped = event.model_copy(
            update={
                "time": round(time.time(), 3),
                "env_steps": self.accounting.env_steps(),
                "trainer_steps": self.accounting.trainer_steps(),
            }
        )
        # Secrets are left out before listeners print and draw the event.
        stamped = _without_secrets(stamped)
        line = json.dumps(stamped.model_dump(mode="json"), allow_nan=True)
        append(self._file, f"{line}\n")
        shown = cast(Event, stamped)  # every event is a member of the union
        for listener in self.listeners:
            try:
                listener(shown)
            except Exception as error:
                name = getattr(listener, "__name__", type(listener).__name__)
                warnings.warn(
                    f"{name} failed to show the event {shown.event!r} "
                    f"({brief(error)}); the run goes on",
                    RuntimeWarning,
                    stacklevel=3,
                )
        return stamped

    def close(self) -> None:
        """Closes the file of the ledger."""
        self._file.close()


def _without_secrets(event: E) -> E:
    """Returns an event whose texts hold no secrets.

    A text that the form of the event prescribes, such as the name of its kind, stays,
    even if a secret is the same text.
    """
    data = event.model_dump(mode="json")
    for holder, place, clean in redactions(data):
        text, holder[place] = holder[place], clean
        try:
            event = type(event).model_validate(data)
        except ValidationError:
            holder[place] = text
    return event


def _mend_end(path: Path) -> None:
    """Mends the last line of a ledger after a crash: drops it, or ends it.

    Raises:
        ConfigurationError: The end of the file was written by no run.
    """
    with path.open("r+b") as file:
        last = _tail(file, 1).rpartition(b"\n")[2]
        if not last:
            return
        try:
            EVENT.validate_json(last)
        except ValidationError:
            # After a loss of power, zeros may stand in place of the cut line.
            if not last.startswith(b'{"') and last.strip(b"\0"):
                number = path.read_bytes().count(b"\n") + 1
                raise ConfigurationError(_damage(last, path, number)) from None
            file.truncate(file.seek(0, os.SEEK_END) - len(last))
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


class LedgerReader:
    """Reads the events of a ledger that were added since the last look.

    Args:
        path: The file, which may be missing yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._lines = 0

    def read(self) -> Iterator[Event]:
        """Yields the whole events that were not yielded before.

        Raises:
            ConfigurationError: The file cannot be read, or a line is no event of this
                version.
        """
        for line in _whole_lines(self._path, self._position):
            event = _event(line, self._path, self._lines + 1)
            self._position += len(line)
            self._lines += 1
            yield event


def read_ledger(path: Path) -> Iterator[Event]:
    """Yields the whole events of a ledger, also while it is being written.

    Raises:
        ConfigurationError: The file cannot be read, or a line is no event of this
            version.
    """
    return LedgerReader(path).read()


def last_event(path: Path) -> Event | None:
    """Returns the last whole event of a ledger, and reads the end of the file only.

    Returns:
        The event; ``None`` if there is none.

    Raises:
        ConfigurationError: The file cannot be read, or its last line is no event of
            this version.
    """
    try:
        if not path.exists():
            return None
        with path.open("rb") as file:
            whole = _tail(file, 2).rpartition(b"\n")[0]
    except OSError as error:
        raise _unreadable(path, error) from error
    if not whole:
        return None
    try:
        return _event(whole.rpartition(b"\n")[2] + b"\n", path, 0)
    except ConfigurationError:
        *_, event = read_ledger(path)  # knows the number of a line that is no event
        return event


def salvage_ledger(path: Path) -> tuple[list[Event], str]:
    """Reads those events of a damaged ledger that can still be read.

    Returns:
        The events, at least one, and a sentence on what is wrong with the ledger; empty
        if nothing is.

    Raises:
        ConfigurationError: There is no event that can be read.
    """
    events: list[Event] = []
    damage, damaged = "", 0
    for number, line in enumerate(_whole_lines(path, 0), 1):
        try:
            events.append(_event(line, path, number))
        except ConfigurationError as error:
            damage, damaged = damage or str(error), damaged + 1
    if not events:
        raise ConfigurationError(
            damage
            or f"{path.parent} holds no run (no event in {path.name})"
            + other_runs(path.parent)
        )
    if damaged > 1:
        damage += f"; so for {damaged - 1} more line(s)"
    return events, damage


def other_runs(folder: Path) -> str:
    """Returns a hint at the latest run in a folder's subfolders; empty if none."""
    ledgers = sorted(
        folder.glob("*/ledger.jsonl"), key=lambda path: path.stat().st_mtime
    )
    return f"; did you mean {ledgers[-1].parent}?" if ledgers else ""


def follow(path: Path, interval: float = _INTERVAL) -> Iterator[Event]:
    """Yields the events of a ledger as they are written, until the run has finished.

    The ledger of a stopped run is waited for, as the run may be resumed at any time.

    Args:
        path: The file, which may be missing yet.
        interval: Seconds between two looks.

    Raises:
        ConfigurationError: The file cannot be read, or a line is no event of this
            version.
    """
    reader = LedgerReader(path)
    finished = False
    while True:
        for event in reader.read():
            finished = isinstance(event, RunFinished)
            yield event
        if finished:
            return
        time.sleep(interval)


def _whole_lines(path: Path, start: int) -> Iterator[bytes]:
    """Yields the lines of a file from a position on, except an unfinished one."""
    try:
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except OSError as error:
        raise _unreadable(path, error) from error


def _tail(file: BinaryIO, lines: int) -> bytes:
    """Reads the end of a file, backwards until it has so many ends of lines."""
    begin, tail = file.seek(0, os.SEEK_END), b""
    while begin and tail.count(b"\n") < lines:
        size = min(max(_BLOCK, len(tail)), begin)
        begin = file.seek(begin - size)
        tail = file.read(size) + tail
    return tail


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be read: {error.strerror}; it must be a file that this process "
        "may read"
    )


def _event(line: bytes, path: Path, number: int) -> Event:
    try:
        if _LONG_NUMBER.search(line):
            json.loads(line, parse_int=_count)
        return EVENT.validate_json(line)
    except (ValueError, RecursionError) as error:  # pydantic's is a ValueError
        raise ConfigurationError(_damage(line, path, number)) from error


def _count(digits: str) -> int:
    """Reads a whole number; refuses numbers that no run counts to."""
    number = int(digits)
    if abs(number) >= _ENDLESS:
        raise ValueError(f"{number} is no count of a run")
    return number


def _damage(line: bytes, path: Path, number: int) -> str:
    """Returns what is wrong with a line that is no event, as a sentence."""
    try:
        version = json.loads(line).get("schema_version", 1)
    except (ValueError, AttributeError, RecursionError):
        version = SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        return (
            f"{path} was written by another version of this package (events of form "
            f"{version!r:.20}, this one reads form {SCHEMA_VERSION}); use that version "
            "for this run, or begin a new one"
        )
    start = line[:80].decode(errors="replace").rstrip()
    return (
        f"{path} has a line that is no event of a run: {start!r}; take the file back "
        f"to what the run wrote, or remove line {number}"
    )
