"""The ledger: the append-only record of a run."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from pydantic import ValidationError

from also_wrappers.exceptions import ConfigurationError, brief
from also_wrappers.files import append, cut_half_line, redactions
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import (
    EVENT,
    Event,
    RunFinished,
    RunResumed,
)
from also_wrappers.ledger.stamp import SCHEMA_VERSION, RoundEvent, RunEvent

__all__ = ["Ledger", "LedgerReader", "follow", "of_the_lineage", "read_ledger"]

E = TypeVar("E", bound=RunEvent)

#: Seconds between two looks at a ledger that is followed.
_INTERVAL = 0.2


class Ledger:
    """Appends events to ``ledger.jsonl``, one JSON object a line, flushed at once.

    It may be written to from several threads: an advisor is asked beside the training.

    Secrets of the environment that found their way into a text are left out.

    A line that was cut by a crash is dropped when the ledger is opened again: it was
    never a whole event.

    Args:
        path: The file.
        accounting: The counts that go into every event.

    Attributes:
        listeners: Called with every event, after its line is in the file; for progress
            lines and figures. A listener that raises an error is warned of, and the
            run goes on: what is shown of a training must not end the training.
    """

    def __init__(self, path: Path, accounting: Accounting) -> None:
        self.path = path
        self.accounting = accounting
        self.listeners: list[Callable[[Event], None]] = []
        self._again: dict[type[RunEvent], deque[RunEvent]] = {}
        if path.exists():
            cut_half_line(path)
        self._file = path.open("a", encoding="utf-8")
        self._writing = threading.RLock()

    def write(self, event: E) -> E:
        """Records one event.

        Args:
            event: What happened; the ledger fills its stamp.

        Returns:
            The event as it was written.

        Raises:
            ConfigurationError: The ledger was closed.
            StorageError: The line cannot be written; the ledger is as it was.
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
        """Takes events that will happen again, as they are recorded already.

        The next event of the same kind as one of them is not written, and is returned
        as it was recorded.

        Args:
            events: The events, in order. They replace those that were given before.
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
        # Listeners print and draw, and must not tell secrets either.
        stamped = _without_secrets(stamped)
        line = json.dumps(stamped.model_dump(mode="json"), allow_nan=True)
        append(self._file, f"{line}\n")
        shown = cast(Event, stamped)  # every event is one of the union
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
        """Closes the file."""
        self._file.close()


def _without_secrets(event: E) -> E:
    """Returns an event whose texts hold no secrets.

    A text that must be as it is for the event to be one, such as the name of its kind,
    stays: a secret that says the same is none.
    """
    data = event.model_dump(mode="json")
    for holder, place, clean in redactions(data):
        text, holder[place] = holder[place], clean
        try:
            event = type(event).model_validate(data)
        except ValidationError:
            holder[place] = text
    return event


class LedgerReader:
    """Reads the events of a ledger that were added since the last look.

    Args:
        path: The file; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self) -> Iterator[Event]:
        """Yields the whole events that were not yielded before.

        Raises:
            ConfigurationError: A line is no event of this version.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                event = _event(line, self._path)
                self._position += len(line)
                yield event


def read_ledger(path: Path) -> Iterator[Event]:
    """Yields the whole events of a ledger, also while it is being written.

    Raises:
        ConfigurationError: A line is no event of this version.
    """
    return LedgerReader(path).read()


def follow(path: Path, interval: float = _INTERVAL) -> Iterator[Event]:
    """Yields the events of a ledger as they are written, until the run has finished.

    A run that was stopped may be resumed at any time, so its ledger is waited for.

    Args:
        path: The file; it may not be there yet.
        interval: Seconds between two looks.

    Raises:
        ConfigurationError: A line is no event of this version.
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


def _event(line: bytes, path: Path) -> Event:
    try:
        return EVENT.validate_json(line)
    except ValidationError as error:
        raise ConfigurationError(_damage(line, path)) from error


def _damage(line: bytes, path: Path) -> str:
    """Says what is wrong with a line that is no event."""
    try:
        version = json.loads(line).get("schema_version", 1)
    except (ValueError, AttributeError):
        version = SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        return (
            f"{path} was written by another version of this package (events of form "
            f"{version}, this one reads form {SCHEMA_VERSION}); use that version for "
            "this run, or begin a new one"
        )
    start = line[:80].decode(errors="replace").rstrip()
    return (
        f"{path} has a line that is no event of a run: {start!r}; take the file back "
        "to what the run wrote, or remove that line"
    )


def of_the_lineage(
    events: Iterable[Event], checkpoint: int, going_on: int | None = None
) -> list[Event]:
    """Returns the events that tell of the lineage that a run goes on with.

    What a stopped run has recorded after its last checkpoint is true, and of a mainline
    that was lost; but a round that goes on has lost nothing.

    Args:
        events: The events of a ledger, in order.
        checkpoint: Trainer steps that had been spent in all at the last checkpoint.
        going_on: Number of the round that goes on from that checkpoint, if one does.
    """
    kept: list[Event] = []
    for event in events:
        if isinstance(event, RunResumed):
            kept = _up_to(event.checkpoint, kept, event.going_on)
        kept.append(event)
    return _up_to(checkpoint, kept, going_on)


def _up_to(total: int, events: list[Event], going_on: int | None) -> list[Event]:
    return [
        event
        for event in events
        if event.trainer_steps.total <= total
        or (isinstance(event, RoundEvent) and event.round == going_on)
    ]
