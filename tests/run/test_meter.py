"""The meter: counts that a kill leaves as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.accounting import Accounting, Counts
from also_wrappers.run.meter import Meter
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features

TASK = Task("Walk.", corridor_features())


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    meter = Meter(tmp_path / "steps")
    assert (meter.spent, meter.in_flight) == (Counts(), 0)
    for mainline in (10, 20):
        accounting = Accounting(1, mainline, branches=5, evaluation=1, in_flight=7)
        meter.write(accounting)
    # Nobody has closed it.
    again = Meter(tmp_path / "steps")
    assert again.spent == Counts(mainline=20, branches=5, evaluation=1, total=26)
    assert again.in_flight == 7


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 32, b"0" * 33])
def test_a_damaged_meter_counts_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "steps"
    path.write_bytes(content)
    meter = Meter(path)
    assert (meter.spent, meter.in_flight) == (Counts(), 0)
    meter.write(Accounting(1, 3))
    assert Meter(path).spent.total == 3


def test_steps_in_flight_are_unknown_to_whoever_goes_on(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    run.accounting.mainline = 100
    run.note_in_flight(64)
    run.note_in_flight(-16)
    run.close()
    (tmp_path / "run" / "ledger.jsonl").touch()
    other = Run(TASK, tmp_path / "other")
    assert other.spent_before() == Counts()
    spent = run.spent_before()
    assert spent == Counts(), "its own meter told it of nothing before"
    meter = Meter(tmp_path / "run" / "steps")
    assert (meter.spent.total, meter.in_flight) == (100, 48)


def test_resume_auto_begins_what_is_not_there_and_goes_on_else(tmp_path: Path) -> None:
    first = Run(TASK, tmp_path / "run", resume="auto")
    assert not first.resumed
    assert first.finished is None
    first.close()
    ledger = tmp_path / "run" / "ledger.jsonl"
    assert ledger.read_bytes() == b""
    assert not Run(TASK, tmp_path / "run", resume="auto").resumed


def test_resume_is_one_of_three(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="resume is True, False or 'auto'"):
        Run(TASK, tmp_path / "run", resume="yes")  # type: ignore[arg-type]
