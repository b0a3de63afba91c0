"""Advisors that need no model: rules, chance, recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.exceptions import AdvisorError, ConfigurationError
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import (
    Diagnosed,
    Proposed,
    RoundFinished,
    RoundStarted,
)
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.ledger.stamp import RunEvent
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import (
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Signal,
    Term,
    compile_signal,
)
from also_wrappers.testing import corridor_situation
from tests.support.answers import ACTIVE

AGENTS = ("agent_0", "agent_1")
GUIDED = Signal(
    define={"gap": "1 - place"}, expert=Expert(rules=(Rule(when="gap > 0", do="on"),))
)
DEFINED = GUIDED.with_terms(
    (Term(name="near", kind="progress", expression="-gap", weight=1.0),)
)
ROUND = RoundOutcome(
    round=1,
    stage="no_signal",
    control_score=0.0,
    arms=(),
    decision="no change",
    winner=None,
)


def diagnosed(advisor: Advisor, **changes: Any) -> Situation:
    """A situation with the advisor's own diagnosis."""
    now = corridor_situation(**changes)
    return replace(now, diagnosis=advisor.diagnose(now))


@pytest.mark.parametrize("advisor", [RuleAdvisor(), BlindAdvisor(1)])
@pytest.mark.parametrize("signal", [Signal(), ACTIVE, GUIDED, DEFINED])
def test_what_they_propose_compiles_and_differs(advisor: Any, signal: Signal) -> None:
    advisor.prepare()
    now = diagnosed(advisor, signal=signal)
    proposals = advisor.propose(now, 3)
    assert len(proposals) == 3
    results = [
        ArmOutcome(proposal=proposal, outcome="", score=float(k))
        for k, proposal in enumerate(proposals)
    ]
    proposals += advisor.propose(replace(now, results=results), 2)
    assert len(proposals) == 5
    for proposal in proposals:
        compile_signal(proposal.signal, now.features, AGENTS)
    assert len({p.signal.id for p in proposals}) == 5
    assert signal.id not in {p.signal.id for p in proposals}


def test_variations_of_terms_keep_definitions_and_the_expert() -> None:
    advisor = RuleAdvisor()
    proposals = advisor.propose(diagnosed(advisor, signal=DEFINED), 9)
    varied = [p.signal for p in proposals if p.intent in ("reweight", "change_kind")]
    assert len(varied) == 3
    for signal in varied:
        assert signal == DEFINED.with_terms(signal.terms)


def test_rules_draw_to_what_stood_out_before_a_reward() -> None:
    advisor = RuleAdvisor()
    now = diagnosed(advisor)
    assert now.diagnosis is not None
    failures = {finding.failure for finding in now.diagnosis.findings}
    assert {"sparse_reward", "undirected_exploration", "lazy_agent"} <= failures
    first = advisor.propose(now, 1)[0].signal.terms[0]
    assert (first.kind, first.expression) == ("progress", "team_min(place)")


def test_rules_turn_round_when_the_number_does() -> None:
    advisor = RuleAdvisor()
    now = diagnosed(advisor, values={"feature.place.reward_min": -2.5})
    first = advisor.propose(now, 1)[0].signal.terms[0]
    assert first.expression == "-team_min(place)"


def test_rules_offset_what_jumps_at_a_reward() -> None:
    values = {
        "feature.mate_place.reward_jump": -1.0,
        "feature.mate_place.jump_std": 0.05,
    }
    advisor = RuleAdvisor()
    first = advisor.propose(diagnosed(advisor, values=values), 1)[0].signal.terms[0]
    assert first.expression == "team_min(place) - 1 * mate_place"


def test_rules_go_by_names_where_no_reward_was_seen() -> None:
    features = FeatureMap(
        Feature("speed", "obs[0]"), Feature("goal_distance", "obs[1]", "to the goal")
    )
    advisor = RuleAdvisor()
    proposals = advisor.propose(diagnosed(advisor, features=features), 3)
    assert proposals[0].signal.terms[0].expression == "-team_max(goal_distance)"
    nameless = FeatureMap(Feature("a", "obs[0]"), Feature("b", "obs[1]"))
    both = {
        proposal.signal.terms[0].expression
        for proposal in advisor.propose(diagnosed(advisor, features=nameless), 4)
    }
    assert {"team_mean(a)", "-team_mean(a)"} <= both


def expressions(**changes: Any) -> list[str]:
    """What rules propose in a situation."""
    advisor = RuleAdvisor()
    proposals = advisor.propose(diagnosed(advisor, **changes), 20)
    return [proposal.signal.describe() for proposal in proposals]


def test_rules_do_not_say_the_same_in_other_words() -> None:
    """Where mates are always at the same place, their mean place is one's own."""
    random = np.random.default_rng(0)
    there = np.ones((31, 2), dtype=bool)
    rows = np.repeat(random.random((31, 1, 1)), 2, axis=1).repeat(3, axis=2)
    together = EpisodeRows(rows, np.zeros((30, 2)), there, 0.0, False, True)
    both = {"feature.mate_place.reward_min": 2.4}
    apart = expressions(values=both)[:2]
    assert apart == [
        "1 * progress[team_min(place)]",
        "1 * progress[team_min(mate_place)]",
    ]
    told = expressions(values=both, episodes=[together])
    assert told[0] == apart[0]
    assert apart[1] not in told


def test_rules_use_what_better_episodes_have() -> None:
    silent = {"feature.place.reward_min": 0.0, "feature.mate_place.reward_mean": 0.0}
    better = {"feature.place.better": -1.2, "feature.place.better_error": 0.2}
    assert expressions(values=silent | better)[0] == "1 * progress[-team_mean(place)]"
    unclear = {"feature.place.better": -1.2, "feature.place.better_error": 0.9}
    assert (
        "1 * progress[-team_mean(place)]"
        not in expressions(values=silent | unclear)[:1]
    )


def test_rules_approach_declared_conditions_that_are_rare() -> None:
    conditions = {
        "both_far": "team_min(place) > 0.9",
        "moved": "move > 0",
        "odd": "place",
    }
    rates = {f"condition.{name}.rate": 0.02 for name in conditions}
    proposed = expressions(conditions=conditions, values=rates)
    assert "1 * progress[min((team_min(place) - 0.9), 0)]" in proposed
    assert not any("move > 0" in text or "min(None" in text for text in proposed)
    often = dict.fromkeys(rates, 0.9)
    assert not any(
        "0.9), 0)" in text for text in expressions(conditions=conditions, values=often)
    )


def test_rules_spread_agents_that_crowd() -> None:
    features = FeatureMap(
        *[Feature(f"food{k}_distance", f"obs[{k}]") for k in range(2)]
    )
    spread = "1 * progress[-(team_min(food0_distance) + team_min(food1_distance))]"
    for crowding, expected in ((0.8, True), (0.1, False)):
        values = {"team.target.crowding": crowding}
        proposed = expressions(features=features, values=values)
        assert (spread in proposed) == expected


def test_rules_charge_idle_agents() -> None:
    cost = "0.005 * bonus[-(delta(place) == 0 and delta(mate_place) == 0)]"
    assert any(text.endswith(cost) for text in expressions())
    awake = {"agent_0.action.idle_share": 0.1}
    assert not any("delta" in text for text in expressions(values=awake))


TWO = Signal(
    terms=(
        Term(name="a", kind="progress", expression="place", weight=1.0),
        Term(name="b", kind="progress", expression="mate_place", weight=1.0),
    )
)


@pytest.mark.parametrize(
    ("values", "stage", "first"),
    [
        # Hacked: the term that goes least with the base return is taken away.
        (
            {
                "signal.hacking": 1.0,
                "term.a.correlation": 0.3,
                "term.b.correlation": -0.4,
            },
            "regression",
            "1 * progress[place]",
        ),
        # It floods: less of everything.
        (
            {"signal.flooding": 4.0},
            "improvement",
            "0.5 * progress[place] + 0.5 * progress[mate_place]",
        ),
        # Solved: let go.
        (
            {},
            "solved",
            "1 * progress[place] + 1 * progress[mate_place], "
            "fading out within 20% of the training",
        ),
        ({}, "plateau", "2 * progress[place] + 2 * progress[mate_place]"),
    ],
)
def test_rules_mend_a_signal(values: dict[str, float], stage: str, first: str) -> None:
    assert expressions(signal=TWO, values=values, stage=stage)[0] == first


def test_rules_balance_terms_by_their_shares() -> None:
    values = {"term.a.share": 0.8, "term.b.share": 0.2}
    proposed = expressions(signal=TWO, values=values)
    assert "0.625 * progress[place] + 2.5 * progress[mate_place]" in proposed


def test_nothing_is_proposed_twice_over_a_whole_run() -> None:
    advisor = RuleAdvisor()
    history: tuple[RoundOutcome, ...] = ()
    earlier: set[str] = set()
    for number in range(1, 30):
        proposals = advisor.propose(diagnosed(advisor, history=history), 2)
        ids = {proposal.signal.id for proposal in proposals}
        assert not ids & earlier
        earlier |= ids
        arms = tuple(ArmOutcome(proposal=p, outcome="no better") for p in proposals)
        history = (
            *history,
            RoundOutcome(
                round=number,
                stage="no_signal",
                control_score=0.0,
                arms=arms,
                decision="no change",
                winner=None,
            ),
        )
        if not proposals:
            break
    assert not proposals  # it has said all it had to say
    assert len(earlier) >= 4


def test_to_go_without_is_another_question_after_every_swap() -> None:
    empty = ArmOutcome(proposal=Proposal(signal=Signal()), outcome="no better")
    outcome = RoundOutcome(
        round=1,
        stage="plateau",
        control=ACTIVE,
        control_score=0.5,
        arms=(empty,),
        decision="no change",
        winner=None,
    )
    same = corridor_situation(signal=ACTIVE, history=(outcome,))
    assert Signal() in tried(same)
    other = corridor_situation(signal=TWO, history=(outcome,))
    assert Signal() not in tried(other)
    assert ACTIVE in tried(other)


def test_rules_say_nothing_on_too_little_evidence() -> None:
    advisor = RuleAdvisor()
    now = diagnosed(advisor, insufficient=("3 episodes",))
    assert now.diagnosis is not None
    assert now.diagnosis.insufficient
    assert advisor.propose(now, 3) == []


def test_rules_replace_candidates_by_variations_of_the_best() -> None:
    advisor = RuleAdvisor()
    now = diagnosed(advisor)
    worse, better = advisor.propose(now, 2)
    results = (
        ArmOutcome(proposal=better, outcome="base return 0.4", score=0.4),
        ArmOutcome(proposal=worse, outcome="base return 0.1", score=0.1),
    )
    replacement = advisor.propose(replace(now, results=results), 1)[0]
    term, best = replacement.signal.terms[0], better.signal.terms[0]
    assert (term.expression, term.weight) == (best.expression, 2.0 * best.weight)
    # One that was rejected gives way to another variation.
    rejected = (Rejection(proposal=replacement, reason="pays too much"),)
    known = replace(now, results=results, rejected=rejected)
    assert advisor.propose(known, 1)[0].intent == "change_kind"


def write(path: Path, *events: RunEvent) -> Path:
    """Writes a ledger."""
    ledger = Ledger(path, Accounting())
    for event in events:
        ledger.write(event)
    ledger.close()
    return path


def test_a_recording_answers_in_order(tmp_path: Path) -> None:
    made = [Proposal(signal=Signal(), rationale=str(k)) for k in range(3)]
    diagnosis = Diagnosis(advice="go on", probes={"far": "place > 0.5"})
    path = write(
        tmp_path / "ledger.jsonl",
        RoundStarted(round=1, signal="a"),
        RoundFinished(round=1, skipped="no episode has ended yet"),
        RoundStarted(round=2, signal="a"),
        Diagnosed(round=2, diagnosis=diagnosis),
        *[Proposed(round=2, proposal=p, refined=p is made[2]) for p in made],
        RoundFinished(round=2),
    )
    for place in (path, str(path)):
        advisor = RecordedAdvisor.from_ledger(place)
        now = corridor_situation()
        assert advisor.diagnose(now) == diagnosis
        now = replace(now, diagnosis=diagnosis)
        # What it is asked for again comes after what it was asked for first.
        assert advisor.propose(now, 1) == made[:1]
        assert advisor.propose(now, 3) == made[1:2]
        assert advisor.propose(now, 3) == []
        known = replace(now, results=[ArmOutcome(proposal=made[0], outcome="worse")])
        assert advisor.propose(known, 3) == made[2:]
        assert advisor.propose(known, 3) == []
        later = replace(now, history=[ROUND])
        assert advisor.diagnose(later).advice == "none was recorded"
        with pytest.raises(AdvisorError, match="1 rounds"):
            advisor.propose(later, 3)
        assert advisor.propose(replace(known, history=[ROUND]), 3) == []


def test_a_round_that_was_played_again_is_recorded_once(tmp_path: Path) -> None:
    lost, good = (Proposal(signal=Signal(), rationale=text) for text in ("a", "b"))
    path = write(
        tmp_path / "ledger.jsonl",
        RoundStarted(round=1, signal="a"),
        Diagnosed(round=1, diagnosis=Diagnosis(advice="lost in a crash")),
        Proposed(round=1, proposal=lost, refined=False),
        RoundStarted(round=1, signal="a"),
        Proposed(round=1, proposal=good, refined=False),
        RoundFinished(round=1, adopted_steps=10),
    )
    advisor = RecordedAdvisor.from_ledger(path)
    assert advisor.diagnose(corridor_situation()).advice == "none was recorded"
    assert advisor.propose(corridor_situation(), 3) == [good]


def test_a_recording_without_a_ledger_says_what_to_give(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(ConfigurationError, match="give the ledger"):
            RecordedAdvisor.from_ledger(path)
