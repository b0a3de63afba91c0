"""The panel of a run that is watched: where the run is now."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from also_wrappers.cli.panel import RunPanel, sparkline
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, Waited
from also_wrappers.ledger.ledger import read_ledger
from tests.support.ledgers import (
    branch,
    expert_run,
    recorded,
    started,
    watched_run,
    whole_run,
    write_ledger,
)


def panel_of(events: Sequence[Event], *, encoding: str = "utf-8") -> str:
    panel = RunPanel("runs/a")
    for event in events:
        panel.add(event)
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=100).print(panel)
    out.seek(0)
    return out.read()


def rows(text: str) -> list[str]:
    """The lines of a panel, without its edges."""
    return [line.strip("│| ") for line in text.splitlines()[1:-1]]


@pytest.fixture
def events(tmp_path: Path) -> list[Event]:
    return list(read_ledger(write_ledger(tmp_path, whole_run()) / "ledger.jsonl"))


def test_before_the_first_event_the_panel_says_so() -> None:
    assert rows(panel_of([]))[-1] == "now            waits for the first event"


def test_a_round_is_shown_with_its_arms_while_it_is_played(events: list[Event]) -> None:
    text = panel_of(events[:14])
    assert "runs/a" in text.splitlines()[0]
    steps, bar, *others = rows(text)
    assert steps == "trainer steps  2,000 of 10,000 (20%)"
    assert bar.startswith("━")
    assert others == [
        "base return    ▁█ 0.100",
        "stage          no signal",
        "signal         nothing (the base reward alone)",
        "round 1        branches: 1 of 3, about 10 s to go",
        "control      0.250 +- 0.050  ▁█  nothing (the base reward alone)",
        "candidate_1  0.750 +- 0.050  ▁█  1 * progress[-distance]",
    ]


def test_after_a_round_its_arms_stay_until_the_next(events: list[Event]) -> None:
    lines = rows(panel_of(events[:23]))
    assert "signal         provisional: 1 * progress[-distance]" in lines
    assert "now            trains; confirms beside it, pair 1" in lines
    assert "arms           of round 1" in lines
    assert "candidate_1" in lines[-1]
    last = rows(panel_of(events))
    assert last[-1] == "now            finished"
    assert "signal         confirmed: 1 * progress[-distance]" in last


def test_branches_that_go_on_and_replicates_are_one_curve() -> None:
    lines = [
        branch(points=(0.0, 0.0)),
        branch(points=(0.0, 0.5), index=1),
        branch(points=(1.0, 1.0), trained=1000, stretch=2.0),
    ]
    assert " ▁▃██ " in panel_of(lines)


def test_every_run_can_be_shown_at_every_event() -> None:
    for run in (whole_run(), watched_run(), expert_run()):
        panel = RunPanel("runs/a")
        console = Console(file=io.StringIO(), width=60)
        for event, _, _ in run:
            panel.add(event)
            console.print(panel)


def test_who_waits_sees_for_how_long() -> None:
    waits = Waited(round=1, advisor="qwen3:8b")
    text = panel_of([waits.model_copy(update={"time": time.time() - 75.0})])
    assert "training waits for qwen3:8b (last event 1 min 15 s ago)" in text


def test_a_run_that_was_stopped_is_not_said_to_train() -> None:
    panel = RunPanel("runs/a", lambda: False)
    panel.add(recorded(0, 0.0).model_copy(update={"time": time.time() - 75.0}))
    out = io.StringIO()
    Console(file=out, width=100).print(panel)
    assert "stopped: no process here runs it (last event 1" in out.getvalue()
    panel.add(recorded(0, 0.0).model_copy(update={"time": time.time()}))
    Console(file=out, width=100).print(panel)
    assert rows(out.getvalue())[-1] == "now            trains"


def test_how_long_is_to_go_is_said_once_a_minute_was_trained() -> None:
    counts = Counts(mainline=1000, total=1000)
    later = {"time": 90.0, "trainer_steps": counts}
    text = panel_of([started(budget=0.5), recorded(1000, 0.0).model_copy(update=later)])
    assert "1,000 of 10,000 (10%); about 14 min to go, up to 8 min of branches" in text


def test_a_terminal_without_unicode_gets_no_bars(events: list[Event]) -> None:
    text = panel_of(events[:14], encoding="ascii")
    assert text.isascii()
    assert "base return    0.100" in text


def test_a_sparkline_is_as_wide_as_it_may_be_and_no_wider() -> None:
    assert sparkline([], 8) == ""
    assert sparkline([1.0], 8) == "▁"
    assert sparkline([0.0, float("nan"), 1.0], 8) == "▁█"
    assert len(sparkline(list(map(float, range(1000))), 40)) == 40
    assert sparkline([0.0, 1.0], 8, among=[0.0, 1.0, 2.0]) == "▁▅"
