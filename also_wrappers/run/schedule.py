"""Reads and makes schedules: from which step on the policy learned from which signal.

``also-wrappers replay`` trains a schedule again, without advisor and branches.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import read_json
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, RolledBack, Settled, Swapped
from also_wrappers.signal.model import Signal

__all__ = ["ScheduleEntry", "read_schedule", "schedule_of"]


class ScheduleEntry(BaseModel):
    """Holds from which step on a signal was active in the final policy's lineage.

    Attributes:
        begin: Trainer steps of the lineage at which the signal became active; where a
            branch was adopted, those at which the branch began.
        trainer_steps: Trainer steps that the run had spent when it made the change.
        round: Number of the round that found the signal, or that took a signal out.
        signal: The signal; the empty signal where a signal was taken out.
        promised: Base return that the signal's expert earns by itself, where that is
            known; without it, a pull would not end itself.
        provisional: Whether the signal was never confirmed.
        exploratory: Whether no base reward spoke for the signal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: int
    trainer_steps: Counts
    round: int
    signal: Signal
    promised: float | None
    provisional: bool
    exploratory: bool


_Entries = TypeAdapter(tuple[ScheduleEntry, ...])


def schedule_of(events: Iterable[Event]) -> list[ScheduleEntry]:
    """Returns the schedule of a lineage, from its events.

    The schedule leaves out swaps after which the weights went back to an earlier state,
    and signals that the final policy has not learned from because an earlier branch was
    adopted.

    Args:
        events: The events of the lineage, in order.
    """
    entries: list[ScheduleEntry] = []
    before: dict[int, list[ScheduleEntry]] = {}
    number = 0
    for event in events:
        match event:
            case Swapped(round=number):
                before.setdefault(number, entries)
                earlier = [entry for entry in entries if entry.begin < event.since]
                entries = [*earlier, _entry(event, event.since)]
            case Settled(kind="confirmed") if entries:
                confirmed = {"provisional": False, "exploratory": False}
                entries = [*entries[:-1], entries[-1].model_copy(update=confirmed)]
            case Settled(kind="given_up", lost_steps=0):
                entries = [*entries, _entry(event, event.trainer_steps.mainline)]
            case RolledBack() | Settled(kind="given_up"):
                entries = before.pop(number, [])
    return entries


def read_schedule(run_dir: str | Path) -> tuple[ScheduleEntry, ...]:
    """Reads the schedule of a run from the run's directory.

    Args:
        run_dir: The run's directory.

    Raises:
        ConfigurationError: There is no run, its schedule cannot be read, or the run has
            swapped no signal in.
    """
    path = Path(run_dir) / "schedule.json"
    if not path.exists() and not (path.parent / "ledger.jsonl").exists():
        raise ConfigurationError(
            f"{run_dir} holds no run; give the directory that a Run recorded into"
        )
    try:
        entries = _Entries.validate_python(read_json(path) if path.exists() else [])
    except ValidationError:
        raise ConfigurationError(
            f"{path} holds no swaps of a run of this version; bring back the file "
            "that the run wrote"
        ) from None
    if not entries:
        raise ConfigurationError(
            f"the run in {run_dir} has swapped nothing in, so there is nothing to "
            "replay; give a run with a swap that stayed"
        )
    return entries


def _entry(event: Swapped | Settled, begin: int) -> ScheduleEntry:
    return ScheduleEntry(
        begin=begin,
        trainer_steps=event.trainer_steps,
        round=event.round,
        signal=event.signal,
        promised=event.promised,
        provisional=isinstance(event, Swapped) and event.provisional,
        exploratory=isinstance(event, Swapped) and event.exploratory,
    )
