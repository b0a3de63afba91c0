"""What a report says of a run as it stands, its dialogues and what it cost."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.ledger.events import (
    Decided,
    Observed,
    RoundFinished,
    RoundStarted,
    RunResumed,
    Waited,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report import write_report
from also_wrappers.report.costs import spending_of
from also_wrappers.signal import Signal
from tests.support.ledgers import (
    EVIDENCE,
    TOTAL,
    Line,
    auditioned,
    branch,
    checked,
    decided,
    exchange,
    expert_run,
    recorded,
    started,
    watched_run,
    whole_run,
    write_ledger,
)
from tests.support.pages import text_of


def test_a_run_says_what_it_has_come_to_so_far(tmp_path: Path) -> None:
    lines = whole_run()
    for end, verdict in (
        (
            3,
            "No signal was swapped in, as no round has begun; training has come so",
        ),
        (5, "No signal was swapped in, as no round was played; training has come so"),
        (21, "A signal is in use that is provisional (effect +0.500 ± 0.625, in the"),
    ):
        text = text_of(write_report(write_ledger(tmp_path / str(end), lines[:end])))
        assert verdict in text
        assert "The run is not finished." in text
    nothing = decided(winner=None, kind="no_change")
    page = write_report(write_ledger(tmp_path, [*lines[:18], (nothing, 2000, 4000)]))
    assert (
        "No signal was swapped in: no candidate stood out in 1 round; training has "
        "come so far to a base return of 0.050 ± 0.057 (two standard errors over its "
        "last 200 episodes) after 3,000 environment steps in all."
    ) in text_of(page)


def test_the_effect_of_a_round_is_not_that_of_the_signal_that_came_next(
    tmp_path: Path,
) -> None:
    # The first signal of the round was chosen for its effect, and was given up.
    lines = watched_run()
    place = next(k for k, line in enumerate(lines) if isinstance(line[0], Decided))
    chosen = decided(exploratory=True)
    lines[place] = (chosen, *lines[place][1:])
    text = text_of(write_report(write_ledger(tmp_path, lines)))
    assert "A signal is in use that is exploratory; training ends" in text
    assert "Round 1: exploratory signal swapped in, left open At 2,000" in text


def test_a_dialogue_is_shown_as_it_was_and_not_without_end(tmp_path: Path) -> None:
    lines: list[Line] = [
        (started(), 0, 0),
        (RoundStarted(round=1, signal=Signal().id), 0, 0),
        (exchange(prompt="<script>alert(1)</script>", answer="a" * 9000), 0, 0),
        (exchange(prompt_tokens=1200, answer_tokens=3400), 0, 0),
    ]
    page = write_report(write_ledger(tmp_path, lines)).read_text()
    assert "<pre>&lt;script&gt;alert(1)&lt;/script&gt;</pre>" in page
    assert f">{6000 * 'a'}\n... 3,000 characters more, in the ledger</pre>" in page
    assert "<script" not in page
    text = text_of(tmp_path / "report.html")
    assert "tiny, asked 2 time(s) 3.0 1,200 3,400" in text
    assert "1,200 tokens asked, 3,400 answered" in text


def test_what_was_refused_is_told_once_and_counted(tmp_path: Path) -> None:
    again = checked(passed=False, name=None, remark="it was tried", describe="a < b")
    lines: list[Line] = [
        (RoundStarted(round=1, signal=Signal().id), 0, 0),
        *[(again, 0, 0)] * 1200,
    ]
    text = text_of(write_report(write_ledger(tmp_path, lines)))
    assert text.count("a &lt; b : it was tried (1,200 times)") == 1
    assert text.count("it was tried") == 1


def test_actions_have_the_names_that_the_task_gave_them(tmp_path: Path) -> None:
    shares = {"agent_0.action.0.share": 0.75, "agent_0.action.1.share": 0.25}
    seen = EVIDENCE.model_copy(update={"values": EVIDENCE.values | shares})
    lines: list[Line] = [
        (started(actions={0: "stay", 1: "load"}), 0, 0),
        (RoundStarted(round=1, signal=Signal().id), 0, 0),
        (Observed(round=1, stage="no_signal", evidence=seen), 0, 0),
    ]
    text = text_of(write_report(write_ledger(tmp_path, lines)))
    assert "agent_0 stay 75 % load 25 %" in text
    assert "0.250 agent_0.action.1.share load: steps with this choice (share)" in text


def test_seconds_go_to_what_they_were_spent_on(tmp_path: Path) -> None:
    passed: list[tuple[Line, float]] = [
        ((started(), 0, 0), 0.0),
        ((recorded(2000, 0.0), 2000, 0), 10.0),
        ((RoundStarted(round=1, signal=Signal().id), 3000, 0), 5.0),
        ((Waited(round=1, advisor="tiny"), 3000, 0), 0.0),
        ((Waited(round=1, advisor="tiny", seconds=7.0), 3000, 0), 7.0),
        ((auditioned(), 3000, 0), 3.0),
        ((branch(seconds=20.0), 3000, 1000), 20.0),
        ((RoundFinished(round=1), 3000, 1000), 1.0),
        ((branch(seconds=20.0), 4000, 2000), 6.0),  # beside the training
        ((RunResumed(rounds=1, total=TOTAL, checkpoint=0), 4000, 2000), 1000.0),
        ((recorded(TOTAL, 0.0), TOTAL, 2000), 30.0),
    ]
    ledger = write_ledger(tmp_path, [line for line, _ in passed]) / "ledger.jsonl"
    events, now = [], 0.0
    for event, (_, seconds) in zip(read_ledger(ledger), passed, strict=True):
        now += seconds
        events.append(event.model_copy(update={"time": now}))
    spent = {entry.what: entry.seconds for entry in spending_of(events)}
    assert spent == {
        "training of the policy": 51.0,
        "branches that were discarded": 20.0,
        "auditions and evaluations": 3.0,
        "waiting for the advisor, and checks": 7.0,
        "the rest: starts, checkpoints": 1.0,
        "in all": 82.0,
    }


def test_what_is_left_of_a_ledger_has_a_report(tmp_path: Path) -> None:
    for name, lines in {"whole": whole_run(), "expert": expert_run()}.items():
        for k in range(len(lines)):
            rest = write_ledger(tmp_path / f"{name}{k}", lines[k:])
            assert "</html>" in write_report(rest, rest).read_text()
            one = write_ledger(tmp_path / f"{name}{k}_alone", lines[k : k + 1])
            assert "</html>" in write_report(one).read_text()
        odd = write_ledger(tmp_path / f"{name}_odd", lines[1::2])
        assert "</html>" in write_report(odd).read_text()
