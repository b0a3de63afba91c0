"""Schedules as runs leave them."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.files import write_json
from also_wrappers.ledger.accounting import Counts
from also_wrappers.run.schedule import ScheduleEntry
from also_wrappers.signal import Signal


def plan(folder: Path, *changes: tuple[int, Signal]) -> Path:
    """Writes a schedule as a run leaves it."""
    folder.mkdir()
    entries = [
        ScheduleEntry(
            begin=begin,
            trainer_steps=Counts(mainline=begin),
            round=number,
            signal=signal,
            promised=None,
            provisional=True,
            exploratory=False,
        ).model_dump(mode="json")
        for number, (begin, signal) in enumerate(changes, start=1)
    ]
    write_json(folder / "schedule.json", entries)
    return folder
