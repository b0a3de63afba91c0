"""Progress lines: every event that a run writes can be shown."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Decided,
    Event,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunResumed,
    Settled,
    Swapped,
    Waited,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report import reminder
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.signal import Expert, Rule, Signal
from tests.support.ledgers import (
    EXPERT,
    TOTAL,
    auditioned,
    base_only_run,
    branch,
    checked,
    decided,
    exchange,
    planned,
    ranked,
    recorded,
    settled,
    started,
    swapped,
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
    lines = [line.removeprefix("00:00 ") for line in shown(*events).splitlines()]
    assert [line.strip() for line in lines] == [
        "start  advisor: rules; 10,000 trainer steps planned. Adapting may cost 3 "
        "round(s) and 12,000 trainer steps of branches before it finds anything, 120% "
        "of the training, and 200% in all",
        "record  1,000/10,000 steps (10%), base return 0.000 over 100 episodes",
        "record  2,000/10,000 steps (20%), base return 0.100 over 100 episodes",
        "pause  round 1 at 2,000 steps",
        "ask  rules for a diagnosis and 3 candidate(s), to be tried on branches of "
        "1,000 steps",
        "answer  tiny as critic, after 2 s",
        "answer  tiny as critic, after 2 s; not used: no JSON",
        "diagnose  stagnation",
        "propose  candidate_1: 1 * progress[-distance]",
        "propose  rejected: standing (pays for standing still)",
        "branch  1/3 candidate_1: base return 0.750 +- 0.050 (1,000 steps, 2 s)",
        "branch  1/3 control: base return 0.250 +- 0.050 (1,000 steps, 2 s)",
        "advisor  no refinement: too slow",
        "refine  0 replacement(s)",
        "branch  1/3 candidate_1: failed: it died (1,000 steps more, 2 s)",
        "branch  1/3 control: base return 0.350 +- 0.050 (1,000 steps more, 2 s)",
        "decide  provisional, candidate_1: it stood out (effect +0.500, z 1.60 against "
        "1)",
        "swap  provisional: the signal is now 1 * progress[-distance]",
        "record  4,000/10,000 steps (40%), base return 0.920 over 200 episodes",
        "confirm  pair 1 candidate_1: base return 0.750 +- 0.050 (1,000 steps, 2 s)",
        "confirm  pair 1 control: base return 0.300 +- 0.050 (1,000 steps, 2 s)",
        "settle  confirmed: it beats control (effect +0.400, z 3.00 against 2.75, 2 "
        "pair(s)); 2 branch(es) beside the training",
        "pause  round 2 at 6,000 steps",
        "skip  too little is left",
        "record  10,000/10,000 steps (100%), base return 0.980 over 200 episodes",
        "finish  the signal is 1 * progress[-distance]",
        "confirmed; effect +0.400 on base return",
        "base return 0.950 +- 0.020 over the last 400 episodes",
        "7,500 environment steps: 5,000 of the policy's own, 2,500 of discarded "
        "branches, 0 of evaluation",
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
    resumed = RunResumed(rounds=2, total=500, checkpoint=0)
    assert "at 0 of 500 steps after 2 round(s)" in shown(resumed)
    assert "0/500 steps" in shown(resumed, recorded(0, 0.0))
    lost = Counts(mainline=100, total=100, unknown=1500)
    event = resumed.model_copy(update={"going_on": 3, "trainer_steps": lost})
    said = shown(event)
    assert "; round 3 goes on; up to 1,500 steps more were trained and lost" in said
    counted = lost.model_copy(update={"total": 1300})
    update = {"going_on": None, "checkpoint": 100, "trainer_steps": counted}
    said = shown(event.model_copy(update=update))
    assert "; 1,200 steps that came after are lost; up to 1,500 steps more" in said


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (decided(effect=None, z=None), "provisional, candidate_1: it stood out"),
        (decided(kind="confirmed"), "confirmed, candidate_1: it stood out"),
        (decided(pairs=2), "(effect +0.500, z 1.60 against 1, 2 pair(s))"),
        (decided(critical=None), "(effect +0.500, z 1.60)"),
        (decided(effect=-0.5, z=None, pairs=1), "(effect -0.500, 1 pair(s))"),
        (decided(z=None, pairs=0), "(effect +0.500)"),
        (decided(exploratory=True), "exploratory, candidate_1: it stood out"),
        (
            decided(exploratory=True, kind="confirmed"),
            "exploratory, candidate_1: it stood out",
        ),
        (decided(exploratory=True, winner=None), "  no change: it stood out"),
    ],
)
def test_every_decision_can_be_shown(decision: Decided, text: str) -> None:
    assert text in shown(decision)


@pytest.mark.parametrize(
    ("settlement", "text"),
    [
        (settled(), "settle  confirmed: it beats control (effect +0.400, z 3.00"),
        (
            settled(kind="given_up", reason="it does harm", lost_steps=2000),
            "2 branch(es) beside the training; the weights go back by 2,000 steps",
        ),
        (
            settled(kind="given_up", reason="in vain", effect=None, branches=0),
            "settle  given up: in vain\n",
        ),
        (
            settled(kind="open", reason="it is solved", effect=None, branches=0),
            "settle  left open: it is solved; the signal stays, not confirmed\n",
        ),
    ],
)
def test_what_became_of_a_provisional_signal_can_be_shown(
    settlement: Settled, text: str
) -> None:
    line = shown(settlement)
    assert text in line
    assert ("confirmed:" in line) == (settlement.kind == "confirmed")


@pytest.mark.parametrize(
    ("swap", "text"),
    [
        (swapped(), "swap  provisional: the signal is now 1 * progress"),
        (swapped(exploratory=True), "swap  exploratory: the signal is now"),
        (swapped(provisional=False), "swap  confirmed: the signal is now"),
    ],
)
def test_a_swap_says_how_sure_the_run_is(swap: Swapped, text: str) -> None:
    assert text in shown(swap)


def test_what_adapting_may_cost_is_said_before_it_begins() -> None:
    assert "3 round(s) and 12,000 trainer steps of branches" in shown(started())
    assert "200% in all" in shown(started())
    recording = started(budget=0.0, rounds=0, search=0)
    assert "It records only" in shown(recording)
    skipped = RoundFinished(round=1, skipped="this run records only")
    pause = RoundStarted(round=1, signal="none")
    assert shown(recording, pause, skipped) == shown(recording)
    assert len(shown(started(), pause, skipped).splitlines()) == 3


def timed(event: Event, seconds: float, mainline: int, branches: int = 0) -> Event:
    """An event as a ledger stamps it."""
    steps = Counts(mainline=mainline, branches=branches, total=mainline + branches)
    return event.model_copy(update={"time": 1e6 + seconds, "trainer_steps": steps})


def test_how_long_it_may_still_take_is_said_once_a_minute_was_trained() -> None:
    lines = shown(
        timed(started(budget=0.5), 0, 0),
        timed(recorded(100, 0.0), 6, 100),
        timed(recorded(900, 0.0), 54, 900),
        timed(recorded(1000, 0.0), 61, 1000),
        timed(recorded(1500, 0.0), 90, 1500),
        timed(recorded(2000, 0.0), 120, 2000),
        timed(recorded(TOTAL, 0.0), 600, TOTAL),
    ).splitlines()
    assert ["more minute(s)" in line for line in lines] == [False] * 2 + [True] * 2 + [
        False
    ]
    # 9,000 steps of training and 5,000 of branches, at 61 s for 1,000 of either.
    assert lines[2].endswith(
        "at this speed about 10 more minute(s) and up to 6 for branches"
    )
    assert "20%" in lines[3]
    assert "about 8 more minute(s) and up to 5 for branches" in lines[3]


def test_branches_have_a_speed_of_their_own() -> None:
    lines = shown(
        timed(started(budget=0.5), 0, 0),
        timed(recorded(1000, 0.0), 30, 1000),
        # The mainline stands for 80 s, in which four branches are trained.
        timed(branch(), 50, 1000, 1000),
        timed(branch(), 50, 1000, 2000),
        timed(branch(), 110, 1000, 3000),
        timed(branch(), 110, 1000, 4000),
        timed(swapped(), 110, 2000, 3000),  # trains nothing
        timed(recorded(3000, 0.0), 140, 3000, 3000),
        # One that was trained beside the training costs it no time of its own.
        timed(branch(), 170, 4000, 4000),
        timed(recorded(4000, 0.0), 170, 4000, 4000),
    ).splitlines()
    assert not any("more minute(s)" in line for line in lines[:-3])
    # 7,000 steps at 30 s for 1,000; and 2,000 of branches at 20 s for 1,000.
    assert "about 4 more minute(s) and up to 1 for branches" in lines[-3]
    assert "about 3 more minute(s) and up to 1 for branches" in lines[-1]


def test_an_advisor_that_is_asked_meanwhile_takes_no_time_of_the_training() -> None:
    lines = shown(
        timed(started(budget=0.5), 0, 0),
        timed(recorded(1000, 0.0), 30, 1000),
        timed(planned(), 40, 1000),
        timed(checked(), 55, 1000),  # training has gone on since
        timed(recorded(2000, 0.0), 60, 2000),
    )
    assert "about 4 more minute(s) and up to 3 for branches" in lines


def test_the_time_in_which_a_run_was_stopped_is_none_of_its_time() -> None:
    lines = shown(
        timed(started(budget=0.0), 0, 0),
        timed(recorded(1000, 0.0), 30, 1000),
        timed(RunResumed(rounds=0, total=TOTAL, checkpoint=0), 9000, 1000),
        timed(recorded(2000, 0.0), 9030, 2000),
    )
    assert "about 4 more minute(s)\n" in lines


def test_a_smaller_round_says_so() -> None:
    assert "wanted" not in shown(planned(candidates=3))
    line = shown(planned(candidates=2, budget=350))
    assert "2 candidate(s)" in line
    assert line.endswith("3 were wanted, and the branch budget has 350 steps left\n")


def test_how_long_branches_may_take_is_said_before_them_and_between_them() -> None:
    lines = shown(
        timed(started(budget=2.0), 0, 0),
        timed(recorded(1000, 0.0), 100, 1000),
        timed(planned(), 100, 1000),
        timed(branch(of=4), 140, 1000, 1000),
        timed(branch(of=4, done=2), 141, 1000, 2000),
        timed(branch(of=4, done=3), 142, 1000, 3000),
        timed(branch(of=4, done=4), 143, 1000, 4000),
    ).splitlines()
    # Four branches of 1,000 steps, as fast as the training; then as fast as the first.
    assert lines[-5].endswith("(about 7 min for one of each and control)")
    assert lines[-4].endswith("(1,000 steps, 2 s); about 2 min for 3 more")
    assert lines[-3].endswith("(1,000 steps, 2 s); about 50 s for 2 more")
    assert lines[-2].endswith("(1,000 steps, 2 s); about 20 s for 1 more")
    assert lines[-1].endswith("(1,000 steps, 2 s)")


def test_an_answer_of_a_model_is_told_with_its_tokens() -> None:
    assert shown(exchange(answer_tokens=1250)).endswith("after 2 s, 1,250 tokens\n")


def waiting(console: Console, now: float) -> ProgressLines:
    lines = ProgressLines(console)
    event = Waited(round=1, advisor="qwen3:8b")
    lines(event.model_copy(update={"time": now}))
    return lines


def test_who_waits_for_a_model_is_told_so_again_until_the_answer_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reminder, "_PATIENCE", 0.02)
    out = io.StringIO()
    lines = waiting(Console(file=out, width=200), time.time())
    deadline = time.monotonic() + 20.0
    while out.getvalue().count("still thinks") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    lines(Waited(round=1, advisor="qwen3:8b", seconds=0.5))
    said = out.getvalue()
    time.sleep(0.5)
    assert out.getvalue() == said
    first, *others, last = said.splitlines()
    assert first.endswith("training waits for qwen3:8b")
    assert len(others) >= 2
    assert all("qwen3:8b still thinks, after 0 s" in line for line in others)
    assert last.endswith("0 s for qwen3:8b")


def test_of_a_wait_that_is_long_over_nobody_is_reminded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reminder, "_PATIENCE", 0.01)
    out = io.StringIO()
    waiting(Console(file=out, width=200), time.time() - 3600.0)
    time.sleep(0.3)
    assert len(out.getvalue().splitlines()) == 1


def test_a_log_gets_neither_colors_nor_lines_that_are_written_over() -> None:
    text = shown(*(event for event, _, _ in whole_run()))
    assert not set(text) & {"\r", "\x1b", "\b"}
    assert text.isascii()


def test_a_notebook_gets_few_lines(tmp_path: Path) -> None:
    console = Console(force_jupyter=True, record=True, width=200, file=io.StringIO())
    lines = ProgressLines(console)
    for event in read_ledger(write_ledger(tmp_path, whole_run()) / "ledger.jsonl"):
        lines(event)
    text = console.export_text()
    verbs = [line[6:14].strip() for line in text.splitlines() if line[2:3] == ":"]
    assert verbs == [
        "start",
        "record",
        "record",
        "pause",
        "decide",
        "swap",
        "record",
        "settle",
        "pause",
        "record",
        "finish",
    ]


def test_a_run_that_is_resumed_ends_with_what_it_found_before(tmp_path: Path) -> None:
    lines = whole_run()
    at = next(n for n, (event, _, _) in enumerate(lines) if event.event == "settled")
    lost = (recorded(5500, 0.1, episodes=400), 5500, 5000)
    write_ledger(tmp_path, [*lines[: at + 1], lost])
    path = tmp_path / "ledger.jsonl"
    past = list(read_ledger(path))
    out = io.StringIO()
    progress = ProgressLines(Console(file=out, width=200), past)
    assert out.getvalue() == ""
    resumed = RunResumed(rounds=1, total=TOTAL, checkpoint=10_000)
    write_ledger(tmp_path, [(resumed, 5000, 5500), *lines[at + 1 :]])
    for event in list(read_ledger(path))[len(past) :]:
        progress(event)
    said = out.getvalue()
    assert "confirmed; effect +0.400 on base return" in said
    assert "base return 0.950 +- 0.020 over the last 400 episodes" in said


def test_a_run_that_found_nothing_says_so() -> None:
    text = shown(*(event for event, _, _ in base_only_run()))
    assert "finish  the signal is nothing (the base reward alone)\n" in text
    assert "effect" not in text


def test_a_rollback_is_told() -> None:
    line = shown(RolledBack(lost_steps=10, fall=0.25, signal="x"))
    assert "base return fell by 0.250; signal undone" in line


def test_text_of_others_is_no_markup() -> None:
    failed = AdvisorFailed(round=1, asked_for="diagnosis", error="[bold]x[/bold]")
    assert "[bold]x[/bold]" in shown(failed)


def test_the_first_line_says_what_experts_may_play() -> None:
    text = shown(started(auditions=1000))
    assert text.endswith("200% in all; experts may play up to 1,000 more in a round\n")


def test_a_ranking_is_a_line_with_the_best() -> None:
    assert (
        "rank  7 expert(s) played (3,000 steps); the best (load; toward food) earns "
        "0.750 +- 0.100, the policy 0.010"
    ) in shown(ranked())


def test_an_audition_is_a_line_with_what_became_of_it() -> None:
    text = shown(auditioned())
    assert (
        "audition  an expert (load; toward food) earns 0.800 +- 0.050 alone, the "
        "policy 0.020, in 100 episodes (2,000 steps); tried: its pull ends once the "
        "policy earns 0.800"
    ) in text
    by_conditions = shown(auditioned(promised=None))
    assert "tried: declared conditions held more often" in by_conditions
    assert "in use: its pull ends once the policy" in shown(auditioned(active=True))
    over = shown(auditioned(active=True, passed=False, promised=None, refusal="x"))
    assert "in use: it does not earn clearly more than the policy any longer" in over
    # The reason is in the line of the candidate that is rejected.
    refused = shown(auditioned(passed=False, promised=None, refusal="too little"))
    assert refused.endswith("; refused\n")


def test_an_expert_is_told_rule_by_rule_and_no_line_is_long() -> None:
    lines = shown(swapped(EXPERT)).splitlines()
    assert lines[0].endswith("the first that holds says what is good:")
    assert [line.strip() for line in lines[1:]] == [
        "1. load when near for agent_0",
        "2. toward food when 1",
        "where near = distance < 1",
    ]
    rules = tuple(Rule(when=f"x < {'1' * 900}{k}", do="on") for k in range(3))
    long = Signal(expert=Expert(rules=rules))
    shortened = shown(swapped(long), checked(describe=long.describe()))
    assert len(shortened.splitlines()) == 5
    assert max(map(len, shortened.splitlines())) < 300
