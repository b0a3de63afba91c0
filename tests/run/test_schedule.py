"""The schedule has the swaps of the final policy's lineage, and no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.events import RolledBack, RunResumed
from also_wrappers.run.run import Run
from also_wrappers.run.schedule import read_schedule
from also_wrappers.signal import Signal
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.counted import CountedBytes
from tests.support.ledgers import OTHER, SIGNAL, Line, settled, swapped
from tests.support.long_run import write_long_run

GIVEN_UP = settled(kind="given_up", signal=Signal())


def schedule(folder: Path, lines: Sequence[Line]) -> list[tuple[int, str]]:
    """Mainline steps and signals of the schedule that a run writes."""
    run = Run(Task("x", corridor_features()), folder)
    for event, run.accounting.mainline, run.accounting.branches in lines:
        run.ledger.write(event)
    run.write_schedule()
    run.close()
    entries = json.loads((folder / "schedule.json").read_text())
    return [
        (entry["trainer_steps"]["mainline"], Signal.model_validate(entry["signal"]).id)
        for entry in entries
    ]


def since(steps: int, signal: Signal = SIGNAL) -> Line:
    """A swap at the end of a branch of 500 steps that began at some steps."""
    return swapped(signal, since=steps), steps + 500, 0


def rolled_back(signal: Signal) -> RolledBack:
    return RolledBack(lost_steps=100, fall=0.5, signal=signal.id)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([(swapped(), 3000, 0)], [(3000, SIGNAL.id)]),
        # Died before the checkpoint of the swap was saved.
        (
            [
                (swapped(), 3000, 500),
                (RunResumed(rounds=0, total=9000, checkpoint=2000), 2000, 1500),
            ],
            [],
        ),
        # Died, and swapped in again.
        (
            [
                (swapped(), 3000, 500),
                (RunResumed(rounds=0, total=9000, checkpoint=2000), 2000, 1500),
                (swapped(), 3000, 2000),
            ],
            [(3000, SIGNAL.id)],
        ),
        # The weights go back to before the swap, so there was none.
        (
            [(swapped(), 3000, 500), (rolled_back(Signal()), 2000, 2500)],
            [],
        ),
        (
            [
                (swapped(), 3000, 500),
                (swapped(OTHER).model_copy(update={"round": 2}), 5000, 500),
                (rolled_back(SIGNAL), 4000, 2000),
            ],
            [(3000, SIGNAL.id)],
        ),
        # All turns of a round are undone with it.
        (
            [
                (swapped(), 3000, 500),
                (GIVEN_UP, 4000, 500),
                (swapped(OTHER), 4000, 500),
                (rolled_back(Signal()), 2000, 3000),
            ],
            [],
        ),
        # Died after the rollback, before its checkpoint: the swap is there again.
        (
            [
                (swapped(), 3000, 500),
                (rolled_back(Signal()), 2000, 2500),
                (RunResumed(rounds=1, total=9000, checkpoint=3500), 3000, 1500),
            ],
            [(3000, SIGNAL.id)],
        ),
        # A signal that goes while the weights stay was there for a while.
        (
            [(swapped(), 3000, 500), (GIVEN_UP, 5000, 500)],
            [(3000, SIGNAL.id), (5000, Signal().id)],
        ),
        (
            [
                (swapped(), 3000, 500),
                (GIVEN_UP.model_copy(update={"lost_steps": 900}), 3100, 2500),
            ],
            [],
        ),
    ],
)
def test_only_swaps_of_the_lineage_are_scheduled(
    tmp_path: Path, lines: Sequence[Line], wanted: list[tuple[int, str]]
) -> None:
    assert schedule(tmp_path, lines) == wanted


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([since(2000)], [2000]),
        ([since(2000), (GIVEN_UP, 4000, 0)], [2000, 4000]),
        ([since(2000), (GIVEN_UP, 4000, 0), since(4000, OTHER)], [2000, 4000]),
        # Its branch began before all that.
        ([since(2000), (GIVEN_UP, 4000, 0), since(0, OTHER)], [0]),
        # And the weights go back to those that knew all that.
        (
            [
                since(2000),
                (GIVEN_UP, 4000, 0),
                (swapped(OTHER).model_copy(update={"round": 2}), 500, 4000),
                (rolled_back(Signal()), 4500, 4500),
            ],
            [2000, 4000],
        ),
    ],
)
def test_a_signal_is_active_from_where_its_branch_began(
    tmp_path: Path, lines: Sequence[Line], wanted: list[int]
) -> None:
    schedule(tmp_path, lines)
    assert [entry.begin for entry in read_schedule(tmp_path)] == wanted


def test_the_schedule_says_what_was_confirmed(tmp_path: Path) -> None:
    confirmed = settled(kind="confirmed", signal=SIGNAL)
    schedule(tmp_path, [since(2000), (confirmed, 4000, 0)])
    (entry,) = read_schedule(tmp_path)
    assert (entry.provisional, entry.exploratory) == (False, False)
    assert (entry.round, entry.signal, entry.promised) == (1, SIGNAL, None)


def test_only_a_schedule_with_a_swap_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no run"):
        read_schedule(tmp_path)
    schedule(tmp_path, [])
    with pytest.raises(ConfigurationError, match="swapped nothing in"):
        read_schedule(tmp_path)
    (tmp_path / "schedule.json").write_text('[{"signal": 3}]')
    with pytest.raises(ConfigurationError, match="holds no swaps of a run"):
        read_schedule(tmp_path)


def test_a_run_reads_each_byte_of_its_ledger_once_for_all_its_schedules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_long_run(tmp_path / "run", 5, finished=False)
    ledger = tmp_path / "run" / "ledger.jsonl"
    size, read = ledger.stat().st_size, CountedBytes(monkeypatch)
    run = Run(Task("x", corridor_features()), tmp_path / "run", resume=True)
    run.accounting.mainline = 10**6
    assert run.finished is None
    assert run.spent_before().mainline == 200_000
    run.write_schedule()
    assert size <= read.take() <= size + 3 * 2**16  # and its end, three times
    (first,) = read_schedule(run.dir)
    run.ledger.write(swapped(OTHER, since=200_000))
    run.write_schedule()
    assert 0 < read.take() < 4096
    assert [entry.begin for entry in read_schedule(run.dir)] == [first.begin, 200_000]
    run.close()
