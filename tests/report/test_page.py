"""The report: everything that ledgers have, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.events import (
    Auditioned,
    Event,
    RolledBack,
    RoundStarted,
    RunResumed,
    Settled,
    Swapped,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report import write_report
from also_wrappers.report.rounds import collect_rounds
from also_wrappers.report.standing import last_audition
from also_wrappers.signal import Signal
from tests.support.ledgers import (
    EVIDENCE,
    EXPERT,
    OTHER,
    SIGNAL,
    TOTAL,
    Line,
    base_only_run,
    branch,
    checked,
    expert_run,
    recorded,
    settled,
    started,
    swapped,
    watched_run,
    whole_run,
    write_ledger,
)
from tests.support.long_run import events_of, write_long_run
from tests.support.pages import text_of


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_ledger(tmp_path / "adapted", whole_run())


def test_a_run_is_told_from_its_ledger_alone(run_dir: Path) -> None:
    (run_dir / "result.json").write_text("no JSON, and none of the report's business")
    page = write_report(run_dir)
    assert page == run_dir / "report.html"
    text = text_of(page)
    for part in (
        "A signal is in use that is confirmed (effect +0.400 ± 0.267); training ends "
        "at a base return of 0.950 ± 0.040 (two standard errors over its last 400 "
        "episodes) after 7,500 environment steps in all. One run on one seed",
        "Meet &lt;each other&gt;. Advisor: rules. 10,000 trainer steps planned. "
        "Branches may spend 200 % of that; rounds that find nothing, 3 at most, spend "
        "12,000.",
        "Confirmed. Pays 1 times each fall of distance. It pays for a change and",
        "1 * progress[-distance] To train with it elsewhere: import also_wrappers as "
        "also signal = also.Signal.from_run(",
        "adapted 0.950 ± 0.040 0.401 400 7,500 5,000",
        "training of the policy 5,000 67 % 10,000",
        "branches that were discarded 2,500 33 % 5,000",
        "in all 7,500 100 % 15,000",
        "tiny, asked 2 time(s) 3.0 not said not said",
        "1 of 2 answers could not be used; 75 % of 4 claims agree with the evidence.",
        "Round 1: provisional signal swapped in, confirmed; effect +0.400 ± 0.267 At "
        "2,000 trainer steps. Stage: no signal",
        "stagnation (severe, confidence medium): the base return no longer changes, "
        "below what is possible. team.reward_rate is zero (0)",
        "Advice: bring them &lt;closer&gt;",
        "No refinement: too slow",
        "control : base return 0.325, mean of 2 branch(es) The signal of the mainline.",
        "candidate_1 : base return 0.750, mean of 2 branch(es), 1 failed Pays 1 times "
        "each fall of distance.",
        "1 * progress[-distance] Hypothesis: it moved.",
        "standing : pays for standing still",
        "Decision: provisional, candidate_1: it stood out (effect +0.500, z 1.60 "
        "against 1).",
        "Swapped in as provisional after 3,000 environment steps: 1 * "
        "progress[-distance] &ndash; after 5,000, confirmed: it beats control (effect "
        "+0.400, z 3.00 against 2.75, 2 pair(s)); 2 branch(es) beside the training.",
        "critic, not usable: no JSON tiny, 1.5 seconds asked ? !",
        "Round 2: skipped At 6,000 trainer steps. Skipped: too little is left.",
        "unavailable: all returns are equal",
    ):
        assert part in text, part
    assert "not finished" not in text
    assert "base reward alone" not in page.read_text()
    assert page.read_text().count("<title>") == 1 + page.read_text().count("<svg")
    # The returns twice; the evidence; the courses and scores of the arms.
    assert page.read_text().count("<svg") == 5


def test_a_baseline_is_a_run_like_any_other(run_dir: Path, tmp_path: Path) -> None:
    baseline = write_ledger(tmp_path / "alone", base_only_run())
    page = write_report(run_dir, baseline)
    text = text_of(page)
    assert (
        "Adapted training ends at a base return of 0.950 ± 0.040 (two standard errors "
        "over its last 400 episodes) after 7,500 environment steps in all; on the base "
        "reward alone, at a base return of 0.900 ± 0.046 after 7,500 environment steps."
    ) in text
    assert "base reward alone 0.900 ± 0.046 0.400 300 7,500 7,500" in text
    # Its own report, too: a round that was skipped has no arms and no pictures.
    alone = write_report(baseline)
    assert alone.read_text().count("<svg") == 2
    assert "Skipped: no budget" in text_of(alone)
    assert "No signal was swapped in, as no round was played" in text_of(alone)


def test_a_run_that_has_just_begun_has_a_report(tmp_path: Path) -> None:
    lines: list[Line] = [
        (started(), 0, 0),
        (RoundStarted(round=1, signal=Signal().id), 0, 0),
    ]
    page = write_report(write_ledger(tmp_path, lines))
    text = text_of(page)
    assert "The run is not finished." in text
    assert "No episode has ended so far." in text
    assert "adapted 0 0 0" in text  # no step, no episode, no base return


def test_what_holds_no_run_has_no_report(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no run"):
        write_report(tmp_path)
    with pytest.raises(ConfigurationError, match=f"{tmp_path} holds no run"):
        write_report(run_dir, tmp_path)
    assert not (run_dir / "report.html").exists()


def test_control_comes_first_and_what_was_not_trained_says_so(tmp_path: Path) -> None:
    second = checked(name="candidate_2", describe="another")
    failed = branch(name="candidate_1", arm=1, error="it died")
    lines: list[Line] = [
        (started(), 0, 0),
        (RoundStarted(round=1, signal=Signal().id), 0, 0),
        *((event, 0, 0) for event in (checked(), second, failed, branch())),
    ]
    run_dir = write_ledger(tmp_path, lines)
    (only,) = collect_rounds(read_ledger(run_dir / "ledger.jsonl"))
    means = {name: arm.mean for name, arm in only.arms.items()}
    assert list(means.items()) == [
        ("control", 0.25),
        ("candidate_1", None),
        ("candidate_2", None),
    ]
    text = text_of(write_report(run_dir))
    assert "candidate_1 : 1 failed 1 * progress[-distance]" in text
    assert "candidate_2 : not tried another" in text


def test_a_round_that_was_played_again_is_told_once(tmp_path: Path) -> None:
    lines = whole_run()
    interrupted = lines[:12]
    run_dir = write_ledger(tmp_path, [*interrupted, *lines[3:]])
    first, second = collect_rounds(read_ledger(run_dir / "ledger.jsonl"))
    assert first.rejected == {("standing", "pays for standing still"): 1}
    assert [len(arm.branches) for arm in first.arms.values()] == [3, 3]
    assert first.previous is None
    assert second.previous == EVIDENCE
    assert second.finished is not None
    assert second.finished.skipped == "too little is left"


def test_the_end_of_a_training_is_that_of_enough_episodes(tmp_path: Path) -> None:
    lines = [(recorded(k, mean), k, 0) for k, mean in enumerate((0.0, 1.0, 0.5, 0.6))]
    text = text_of(write_report(write_ledger(tmp_path, lines)))
    assert "adapted 0.700 ± 0.052 0.455 300 1 1" in text


NOTHING = "The signal at the end The base reward alone."


@pytest.mark.parametrize(
    ("settlement", "line", "at_last", "verdict"),
    [
        (
            settled(kind="given_up", reason="harm", lost_steps=2000, signal=Signal()),
            "given up: harm (effect +0.400, z 3.00 against 2.75, 2 pair(s)); 2 "
            "branch(es) beside the training; the weights go back by 2,000 steps.",
            NOTHING,
            "No signal stayed: 1 swapped in and taken back; training ends",
        ),
        (
            settled(kind="given_up", reason="no gain", z=None, signal=Signal()),
            "given up: no gain (effect +0.400, 2 pair(s)); 2 branch(es) beside",
            NOTHING,
            "No signal stayed: 1 swapped in and taken back; training ends",
        ),
        (
            settled(kind="open", reason="the budget is spent", effect=None, pairs=0),
            "left open: the budget is spent; 2 branch(es) beside the training; the "
            "signal stays, not confirmed.",
            "Provisional: in use, not confirmed. Pays 1 times each fall of distance.",
            "A signal is in use that is provisional (effect +0.500 ± 0.625, in the "
            "screening that chose it); training ends",
        ),
    ],
)
def test_only_what_is_confirmed_is_called_so(
    tmp_path: Path, settlement: Settled, line: str, at_last: str, verdict: str
) -> None:
    page = write_report(write_ledger(tmp_path, whole_run(settlement)))
    text = text_of(page)
    assert f"progress[-distance] &ndash; after 5,000, {line}" in text
    assert at_last in text
    assert verdict in text
    assert 'class="confirmed"' not in page.read_text()


def test_a_round_tells_all_signals_that_had_their_turn(tmp_path: Path) -> None:
    text = text_of(write_report(write_ledger(tmp_path, watched_run())))
    for part in (
        "No branch saw any base reward.",
        "Round 1: exploratory signal swapped in, left open At 2,000 trainer steps, "
        "tried at 3,000.",
        "Decision: exploratory, candidate_1: it stood out.",
        "Swapped in as exploratory after 3,000 environment steps: 1 * "
        "progress[-distance] &ndash; after 4,000, given up: in vain; the weights go "
        "back by 2,000 steps. Swapped in as exploratory after 4,000 environment steps: "
        "0.5 * bonus[distance] &ndash; after 4,500, left open: reward is seen; the "
        "signal stays, not confirmed.",
        "Exploratory: in use, not confirmed; no base reward spoke for it. Pays 0.5 "
        "times the value of distance.",
    ):
        assert part in text, part


def test_branches_beside_the_training_belong_to_their_round(tmp_path: Path) -> None:
    lines = whole_run()
    for end, branches, settlement in ((-6, 1, False), (-5, 2, False), (-4, 2, True)):
        run_dir = write_ledger(tmp_path / str(end), lines[:end])
        (only,) = collect_rounds(read_ledger(run_dir / "ledger.jsonl"))
        (use,) = only.uses
        assert (use.branches, use.settled is not None) == (branches, settlement)
        assert len(only.arms["candidate_1"].branches) == 3
        text = text_of(write_report(run_dir))
        assert ("not settled : it is not confirmed." in text) is not settlement


def test_a_swap_that_was_rolled_back_says_so(tmp_path: Path) -> None:
    undone = RolledBack(lost_steps=2000, fall=0.25, signal=Signal().id)
    lines = [*whole_run()[:22], (undone, 3000, 5000)]
    text = text_of(write_report(write_ledger(tmp_path, lines)))
    assert (
        "progress[-distance] &ndash; rolled back after 4,000: the base return fell by "
        "0.250." in text
    )
    assert "not settled" not in text


def test_a_swap_that_a_stopped_run_plays_again_is_told_once(tmp_path: Path) -> None:
    lines = watched_run()
    again = RunResumed(rounds=1, total=10_000, checkpoint=0)
    run_dir = write_ledger(tmp_path, [*lines[:18], (again, 6000, 4000), *lines[16:]])
    (only,) = collect_rounds(read_ledger(run_dir / "ledger.jsonl"))
    first, second = only.uses
    assert (first.swapped.signal, second.swapped.signal) == (SIGNAL, OTHER)
    assert first.settled is not None
    assert second.settled is not None
    assert (first.settled.kind, second.settled.kind) == ("given_up", "open")


def test_steps_that_nobody_could_count_are_told_as_an_interval(tmp_path: Path) -> None:
    lines = watched_run()
    run_dir = write_ledger(tmp_path, lines)
    assert "nobody could count" not in text_of(write_report(run_dir))
    ledger = run_dir / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"unknown": 0', '"unknown": 512'))
    assert "Up to 512 environment steps more were trained" in text_of(
        write_report(run_dir)
    )


@pytest.mark.parametrize(
    ("swap", "standing"),
    [
        (swapped(), "provisional"),
        (swapped(provisional=False), "confirmed"),
        (swapped(exploratory=True), "exploratory"),
        # Conditions declare no error of base return, whatever rule they decide by.
        (swapped(provisional=False, exploratory=True), "exploratory"),
    ],
)
def test_a_swap_has_the_standing_that_its_rule_gave_it(
    swap: Swapped, standing: str
) -> None:
    began: list[Event] = [RoundStarted(round=1, signal=Signal().id), swap]
    (only,) = collect_rounds(began)
    assert [use.standing for use in only.uses] == [standing]


def test_what_an_expert_earns_alone_stands_in_every_table(tmp_path: Path) -> None:
    page = write_report(write_ledger(tmp_path, expert_run()))
    text = text_of(page)
    alone = "0.800 ± 0.100"
    for part in (
        "An expert says which actions are good, and the policy learns to imitate it. "
        "Of its 2 rule(s), the first that holds counts: load when near for agent_0 "
        "toward food when 1 where near = distance &lt; 1 To train",
        f"adapted 0.433 ± 0.063 0.544 300 5,000 5,000 the expert alone {alone} 0.500 "
        "100 1,000 0",
        "Ranking: 2 expert(s) played for a few episodes each, a tenth of the actions "
        "at random; the best became a candidate (the policy alone: 0.010) base return, "
        "alone spoke from the policy expert 0.750 ± 0.200 50 % 25 % 1. load when near "
        "for agent_0 2. toward food when 1 0.000",
        "Auditions: 2 expert(s) played",
        "0.000 ± 0.000 exactly 0.020 100 0.000 75 % 38 % refused: it earned nothing 1. "
        "stay when distance &gt; 2 0 %",
        f"{alone} 10 % of its actions random 0.020 100 0.500 75 % 38 % tried: its pull "
        "ends once the policy earns 0.800 1. load when near for agent_0 25 %, late 12 "
        "% 2. toward food when 1 50 %, late 88 % where near = distance &lt; 1",
        f"candidate_1 : not tried; its expert alone {alone}",
        "an expert: stay when distance &gt; 2 : it earned nothing",
        "near = distance &lt; 1 &ndash; not settled : it is not confirmed.",
        "Pull : weight of imitation",
    ):
        assert part in text, part
    # The returns twice, pull and agreement, the evidence; no branch was scored.
    assert page.read_text().count("<svg") == 4


def test_without_an_expert_no_table_speaks_of_any(run_dir: Path) -> None:
    text = text_of(write_report(run_dir)).replace(str(run_dir), "")
    assert "expert" not in text.replace("the audition of its expert do", "")


def test_an_expert_that_was_in_force_stands_beside_control(tmp_path: Path) -> None:
    later = RoundStarted(round=2, signal=EXPERT.id)
    lines: list[Line] = [
        *expert_run()[:-1],
        (later, TOTAL, 0),
        (branch().model_copy(update={"round": 2}), TOTAL, 0),
    ]
    run_dir = write_ledger(tmp_path, lines)
    _, second = collect_rounds(read_ledger(run_dir / "ledger.jsonl"))
    control = second.arms["control"].audition
    assert control is not None
    assert control.earned == 0.8
    assert (
        "control : base return 0.250, mean of 1 branch(es); its expert alone 0.800 ± "
        "0.100 The signal of the mainline."
    ) in text_of(write_report(run_dir))


def test_a_page_of_many_rounds_has_the_evidence_of_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = write_long_run(tmp_path / "run", 5)
    whole = write_report(run_dir).read_text()
    assert whole.count("The evidence:") == whole.count("The dialogue with") == 5
    assert "the ledger has all of it" not in whole
    monkeypatch.setattr("also_wrappers.report.page._DETAILED", 2)
    page = write_report(run_dir).read_text()
    assert page.count("The evidence:") == page.count("The dialogue with") == 2
    assert page.index("Round 4:") < page.index("The evidence:")
    assert "those of the last 2 of 5 rounds; the ledger has all of it" in page
    assert page.count("<h3>Round") == page.count("What was tried") == 5
    assert len(page) < 0.6 * len(whole)


def test_auditions_are_compared_once_for_all_events_between_two_swaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0
    is_of = Auditioned.is_of

    def counted(event: Auditioned, signal: Signal) -> bool:
        nonlocal calls
        calls += 1
        return is_of(event, signal)

    monkeypatch.setattr(Auditioned, "is_of", counted)
    events = list(events_of(20))
    assert last_audition(events) is None
    assert calls <= 20  # an event each
