"""Advisors that need no model: rules, chance, recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
from also_wrappers.advisors.base import ArmOutcome, Diagnosis, Proposal
from also_wrappers.exceptions import AdvisorError
from also_wrappers.ledger import Accounting, Ledger
from also_wrappers.signal import Feature, FeatureMap, Signal, Term, compile_signal
from also_wrappers.testing import corridor_situation

AGENTS = ("agent_0", "agent_1")
ACTIVE = Signal(
    terms=(Term(name="on", kind="progress", expression="place", weight=1.0),)
)


@pytest.mark.parametrize("advisor", [RuleAdvisor(), BlindAdvisor(1)])
@pytest.mark.parametrize("signal", [Signal(), ACTIVE])
def test_what_they_propose_compiles_and_differs(advisor: Any, signal: Signal) -> None:
    now = corridor_situation(signal=signal)
    advisor.prepare()
    diagnosis = advisor.diagnose(now)
    proposals = advisor.propose(now, diagnosis, 3)
    assert len(proposals) == 3
    results = [
        ArmOutcome(signal=p.signal, outcome="", score=float(k))
        for k, p in enumerate(proposals)
    ]
    proposals += advisor.refine(now, diagnosis, results, 2)
    assert len(proposals) == 5
    for proposal in proposals:
        compile_signal(proposal.signal, now.features, AGENTS)
    assert len({p.signal.id for p in proposals}) == 5
    assert signal.id not in {p.signal.id for p in proposals}


def test_rules_draw_to_what_stood_out_before_a_reward() -> None:
    now = corridor_situation()
    advisor = RuleAdvisor()
    diagnosis = advisor.diagnose(now)
    found = {finding.failure for finding in diagnosis.findings}
    assert {"sparse_reward", "undirected_exploration", "lazy_agent"} <= found
    first = advisor.propose(now, diagnosis, 1)[0].signal.terms[0]
    assert (first.kind, first.expression) == ("progress", "team_min(place)")


def test_rules_turn_round_when_the_number_does() -> None:
    now = corridor_situation(values={"feature.place.reward_min": -2.5})
    advisor = RuleAdvisor()
    first = advisor.propose(now, advisor.diagnose(now), 1)[0].signal.terms[0]
    assert first.expression == "-team_min(place)"


def test_rules_offset_what_jumps_at_a_reward() -> None:
    now = corridor_situation(
        values={
            "feature.mate_place.reward_jump": -1.0,
            "feature.mate_place.jump_std": 0.05,
        }
    )
    advisor = RuleAdvisor()
    first = advisor.propose(now, advisor.diagnose(now), 1)[0].signal.terms[0]
    assert first.expression == "team_min(place) - 1 * mate_place"


def test_rules_go_by_names_where_no_reward_was_seen() -> None:
    features = FeatureMap(
        Feature("speed", "obs[0]"), Feature("goal_distance", "obs[1]", "to the goal")
    )
    now = corridor_situation(features=features)
    advisor = RuleAdvisor()
    proposals = advisor.propose(now, advisor.diagnose(now), 3)
    assert proposals[0].signal.terms[0].expression == "-team_max(goal_distance)"
    nameless = FeatureMap(Feature("a", "obs[0]"), Feature("b", "obs[1]"))
    now = corridor_situation(features=nameless)
    both = {
        p.signal.terms[0].expression
        for p in advisor.propose(now, advisor.diagnose(now), 4)
    }
    assert {"team_mean(a)", "-team_mean(a)"} <= both


def test_rules_say_nothing_on_too_little_evidence() -> None:
    now = corridor_situation(insufficient=("3 episodes",))
    advisor = RuleAdvisor()
    diagnosis = advisor.diagnose(now)
    assert diagnosis.insufficient
    assert advisor.propose(now, diagnosis, 3) == []


def test_a_recording_answers_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", Accounting())
    made = [Proposal(signal=Signal(), rationale=str(k)) for k in range(3)]
    ledger.write("round_started", round=1)
    for k, proposal in enumerate(made):
        ledger.write(
            "proposal",
            round=1,
            proposal=proposal.model_dump(mode="json"),
            refined=k == 2,
        )
    ledger.close()
    advisor = RecordedAdvisor.from_ledger(tmp_path / "ledger.jsonl")
    assert advisor.propose(corridor_situation(), Diagnosis(), 3) == made[:2]
    assert advisor.refine(corridor_situation(), Diagnosis(), [], 3) == made[2:]
    later = corridor_situation(history=("one round",))
    with pytest.raises(AdvisorError, match="1 rounds"):
        advisor.propose(later, Diagnosis(), 3)
