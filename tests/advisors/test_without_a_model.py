"""Advisors that need no model: rules, chance, recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
from also_wrappers.advisors.base import tried
from also_wrappers.exceptions import AdvisorError
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
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


def expressions(**changes: Any) -> list[str]:
    """What rules propose in a situation."""
    now = corridor_situation(**changes)
    advisor = RuleAdvisor()
    found = advisor.propose(now, advisor.diagnose(now), 20)
    return [proposal.signal.describe() for proposal in found]


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
    found = expressions(conditions=conditions, values=rates)
    assert "1 * progress[min((team_min(place) - 0.9), 0)]" in found
    assert not any("move > 0" in text or "min(None" in text for text in found)
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
        found = expressions(features=features, values=values)
        assert (spread in found) == expected


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
    found = expressions(signal=TWO, values=values)
    assert "0.625 * progress[place] + 2.5 * progress[mate_place]" in found


def test_nothing_is_proposed_twice_over_a_whole_run() -> None:
    advisor = RuleAdvisor()
    history: tuple[RoundOutcome, ...] = ()
    seen: set[str] = set()
    for number in range(1, 30):
        now = corridor_situation(history=history)
        found = advisor.propose(now, advisor.diagnose(now), 2)
        ids = {proposal.signal.id for proposal in found}
        assert not ids & seen
        seen |= ids
        arms = tuple(ArmOutcome(signal=p.signal, outcome="no better") for p in found)
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
        if not found:
            break
    assert not found  # it has said all it had to say
    assert len(seen) >= 4


def test_to_go_without_is_another_question_after_every_swap() -> None:
    empty = ArmOutcome(signal=Signal(), outcome="no better")
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
    now = corridor_situation(insufficient=("3 episodes",))
    advisor = RuleAdvisor()
    diagnosis = advisor.diagnose(now)
    assert diagnosis.insufficient
    assert advisor.propose(now, diagnosis, 3) == []


def test_a_recording_answers_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", Accounting())
    made = [Proposal(signal=Signal(), rationale=str(k)) for k in range(3)]
    ledger.write("round_started", round=1)
    ledger.write("round_finished", round=1, skipped="no episode has ended yet")
    ledger.write("round_started", round=2)
    found = Diagnosis(advice="go on", probes={"far": "place > 0.5"})
    ledger.write("diagnosis", round=2, diagnosis=found.model_dump(mode="json"))
    for k, proposal in enumerate(made):
        ledger.write(
            "proposal",
            round=2,
            proposal=proposal.model_dump(mode="json"),
            refined=k == 2,
        )
    ledger.close()
    advisor = RecordedAdvisor.from_ledger(tmp_path / "ledger.jsonl")
    assert advisor.diagnose(corridor_situation()) == found
    # What it is asked for again comes after what it was asked for first.
    assert advisor.propose(corridor_situation(), Diagnosis(), 1) == made[:1]
    assert advisor.propose(corridor_situation(), Diagnosis(), 3) == made[1:2]
    assert advisor.propose(corridor_situation(), Diagnosis(), 3) == []
    assert advisor.refine(corridor_situation(), Diagnosis(), [], 3) == made[2:]
    later = corridor_situation(history=("one round",))
    with pytest.raises(AdvisorError, match="1 rounds"):
        advisor.propose(later, Diagnosis(), 3)
