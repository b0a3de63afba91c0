"""Progress lines: every event that a run writes can be shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Decided,
    Event,
    RolledBack,
    RunResumed,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.terminal import ProgressLines
from tests.support.ledgers import (
    TOTAL,
    decided,
    planned,
    recorded,
    started,
    whole_run,
    write_ledger,
)


def shown(*events: Event) -> str:
    out = io.StringIO()
    lines = ProgressLines(Console(file=out, width=200))
    for event in events:
        lines(event)
    return out.getvalue()


def test_a_whole_run_is_told_line_by_line(tmp_path: Path) -> None:
    events = read_ledger(write_ledger(tmp_path, whole_run()) / "ledger.jsonl")
    lines = [line.strip() for line in shown(*events).splitlines()]
    assert all(line.startswith("00:00 ") for line in lines)
    assert [line[6:].strip() for line in lines] == [
        "start  advisor: rules; 10,000 trainer steps planned, branches may spend 2 "
        "times as many",
        "record  1,000/10,000 steps (10%), base return 0.000 over 100 episodes",
        "record  2,000/10,000 steps (20%), base return 0.100 over 100 episodes",
        "pause  round 1 at 2,000 steps",
        "diagnose  stagnation",
        "propose  candidate_1: 1 * progress[-distance]",
        "propose  rejected: standing (pays for standing still)",
        "branch  1/3 candidate_1: base return 0.750 +- 0.050 (1,000 steps, 2 s)",
        "branch  1/3 control: base return 0.250 +- 0.050 (1,000 steps, 2 s)",
        "advisor  no refinement: too slow",
        "refine  0 replacement(s)",
        "confirm  1/3 pair 0 candidate_1: failed: it died (1,000 steps, 2 s)",
        "confirm  1/3 pair 0 control: base return 0.350 +- 0.050 (1,000 steps, 2 s)",
        "decide  candidate_1: it stood out (effect +0.500, z 3.00 against 2.83, 2 "
        "pair(s))",
        "swap  the signal is now 1 * progress[-distance]",
        "record  4,000/10,000 steps (40%), base return 0.920 over 200 episodes",
        "pause  round 2 at 4,000 steps",
        "skip  too little is left",
        "record  10,000/10,000 steps (100%), base return 0.980 over 200 episodes",
    ]


def test_the_clock_begins_with_the_first_line() -> None:
    times: list[tuple[Event, float]] = [
        (started(), 1000.0),
        (recorded(1, 0.0), 1000.9),
        (decided(), 1125.0),
    ]
    lines = shown(*(event.model_copy(update={"time": t}) for event, t in times))
    assert [line[:5] for line in lines.splitlines()] == ["00:00", "00:00", "02:05"]


def test_the_record_is_shown_for_about_every_tenth_of_the_training() -> None:
    events = [
        recorded(steps, 0.0).model_copy(
            update={"trainer_steps": Counts(mainline=steps, total=steps)}
        )
        for steps in range(0, TOTAL + 1, 100)
    ]
    assert shown(started(), *events).count("record") == 11


def test_a_resumed_run_tells_where_it_goes_on() -> None:
    resumed = RunResumed(rounds=2, total=500)
    assert "at 0 steps after 2 round(s)" in shown(resumed)
    assert "0/500 steps" in shown(resumed, recorded(0, 0.0))


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (decided(effect=None, z=None, pairs=0, critical=None), "candidate_1: it stood"),
        (decided(), "(effect +0.500, z 3.00 against 2.83, 2 pair(s))"),
        (decided(critical=None), "(effect +0.500, z 3.00, 2 pair(s))"),
        (decided(effect=-0.5, z=None, pairs=1), "(effect -0.500, 1 pair(s))"),
        (decided(z=None, pairs=0), "(effect +0.500)"),
        (decided(exploratory=True), "exploratory, candidate_1: it stood out"),
        (decided(exploratory=True, winner=None), "  no change: it stood out"),
    ],
)
def test_every_decision_can_be_shown(decision: Decided, text: str) -> None:
    assert text in shown(decision)


def test_a_smaller_round_says_so() -> None:
    assert shown(planned(candidates=3)) == ""
    line = shown(planned(candidates=2, budget=350))
    assert "2 of 3 candidates: the branch budget has 350 steps left" in line


def test_a_rollback_is_told() -> None:
    line = shown(RolledBack(lost_steps=10, fall=0.25, signal="x"))
    assert "base return fell by 0.250; signal undone" in line


def test_text_of_others_is_no_markup() -> None:
    failed = AdvisorFailed(round=1, asked_for="diagnosis", error="[bold]x[/bold]")
    assert "[bold]x[/bold]" in shown(failed)
