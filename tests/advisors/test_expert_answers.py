"""Experts that a language model answers: what is read, and what goes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors.llm import schemas
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Signal, Term
from also_wrappers.testing import ScriptedModel, corridor_situation
from tests.support.answers import (
    ACTIVE,
    EXPERT,
    WALK,
    candidate,
    candidates,
    expert,
    rule,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"
NEAR = {"name": "my_near", "expression": "place > 0.5"}
TERM = Term(name="term_1", kind="progress", expression="place", weight=0.5)


def proposed(item: dict[str, Any], active: Signal | None = None) -> Proposal:
    """What becomes of a candidate that has no problem."""
    now = corridor_situation(signal=active or Signal(), actions=WALK)
    advisor = LLMAdvisor(ScriptedModel([candidates(item)]), repairs=0)
    (proposal,) = advisor.propose(now, 1)
    assert not advisor.exchanges[0].problem
    return proposal


def problem(item: dict[str, Any], active: Signal | None = None) -> str:
    """What goes back to the model that answered with a candidate."""
    now = corridor_situation(signal=active or Signal(), actions=WALK)
    model = ScriptedModel([candidates(item), candidates(candidate())])
    LLMAdvisor(model, repairs=1).propose(now, 1)
    _, prompt = model.requests[1]
    return prompt.rpartition("data begins\n")[2].partition("\ndata ends")[0]


def test_an_expert_with_definitions_becomes_a_signal() -> None:
    rules = rule("my_near", "toward mate"), rule("1", "on", "agent_1", "agent_1")
    signal = proposed(expert(*rules, define=[NEAR])).signal
    assert signal.describe() == (
        "an expert: toward mate when my_near; else on when 1 for agent_1, "
        "with my_near = place > 0.5"
    )
    same = proposed(expert(*rules, define={"my_near": "place > 0.5"})).signal
    assert same == signal


def test_an_expert_and_terms_come_in_one_candidate() -> None:
    item = candidate("my_near * place", expert=[rule("my_near")], define=[NEAR])
    signal = proposed(item).signal
    assert signal.expert is not None
    assert signal.terms[0].expression == "my_near * place"


def test_a_part_that_is_left_empty_stays_as_it_is() -> None:
    """An answer that changed terms used to drop the expert."""
    other = proposed(candidate(), EXPERT).signal
    assert other.expert == EXPERT.expert
    assert other.define == EXPERT.define
    assert other.terms == (TERM,)
    own = proposed(expert(rule()), ACTIVE).signal
    assert own.terms == ACTIVE.terms
    assert own.expert is not None
    both = EXPERT.with_terms(ACTIVE.terms)
    new = proposed(expert(rule("my_near"), define=[NEAR]), both).signal
    assert new.terms == ACTIVE.terms
    assert dict(new.define) == {"my_near": "place > 0.5"}  # the others are not used


def test_what_is_removed_is_gone() -> None:
    both = EXPERT.with_terms(ACTIVE.terms)
    nothing = candidate(terms=[], expert=[], intent="remove")
    assert proposed(nothing, both).signal == Signal()
    assert proposed(candidate(intent="remove"), both).signal == Signal(terms=(TERM,))


def test_a_name_means_one_thing_in_a_signal() -> None:
    other = [{"name": "my_far", "expression": "place < 0.1"}]
    assert "uses 'my_far' for '1 - place'; choose another name" in problem(
        candidate("my_far", define=other), EXPERT
    )
    same = [{"name": "my_far", "expression": "1 - place"}]
    assert proposed(candidate("my_far", define=same), EXPERT).signal.expert


def test_every_bad_rule_goes_back_with_its_number_and_what_is_allowed() -> None:
    answer = problem(
        expert(
            rule(do="fly"),
            rule("plaice > 1"),
            rule("1", "on", "agent_7"),
            rule("place + " * 200 + "1"),
            rule("move > 0"),
            rule(),
        )
    )
    for line in (
        "candidate 1: rule 1: says 'fly'; it may say stay, back, on, toward mate, away",
        "candidate 1: rule 2: there is no feature 'plaice'; did you mean place",
        "candidate 1: rule 3: is for 'agent_7', which is not an agent; agents are",
        "candidate 1: rule 4: when: String should have at most 1000 characters",
        "candidate 1: rule 5: 'move' is read from the action",
    ):
        assert line in answer
    assert "rule 6" not in answer


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (expert(), "the intent is 'expert', and 'expert' has no rule"),
        (candidate(terms=[], expert=[]), "both empty"),
        (expert(*[rule()] * 25), "at most 24 rules"),
        (expert("on"), "a rule must be an object with 'when', 'do' and 'agents'"),
        (expert({**rule(), "agents": "all"}), "'agents' must be a list of names"),
        (expert(rule(), define="near"), "'define' must be a list of at most 8"),
        (expert(rule(), define=[{"name": "x"}]), "definition 1 must have a 'name'"),
        (expert(rule(), define=[NEAR, NEAR]), "'my_near' is defined twice"),
        (expert(rule(), define={"place": "1"}), "'place' is a feature"),
        (expert(rule(), define={"my_x": "plaice"}), "the definition of my_x: there is"),
        (expert(rule(), define={"2x": "1"}), "String should match pattern"),
        (expert({"do": "on"}), "when: String should have at least 1 character"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_experts_that_cannot_be_read_go_back(item: Any, reason: str) -> None:
    assert reason in problem(item)


def test_without_actions_nothing_is_said_of_experts() -> None:
    now = corridor_situation(signal=ACTIVE)
    schema = schemas.candidates(["team.reward_rate"], now.features, 3)
    snapshot = json.loads((SNAPSHOTS / "candidates.json").read_text())
    assert json.dumps(schema) == json.dumps(snapshot)
    advisor = LLMAdvisor(ScriptedModel([candidates(candidate(expert=[rule()]))]))
    (proposal,) = advisor.propose(now, 1)
    assert proposal.signal == Signal(terms=(TERM,))


def test_the_schema_lists_all_that_rules_may_say() -> None:
    agents = ("agent_0", "agent_1")
    now = corridor_situation(actions=WALK)
    schema = schemas.candidates(["a.key"], now.features, 3, WALK, agents)
    item = schema["properties"]["candidates"]["items"]
    assert item["required"][4:7] == ["define", "expert", "terms"]
    assert "expert" in item["properties"]["intent"]["enum"]
    about = item["properties"]["expert"]["items"]["properties"]
    assert about["do"]["enum"] == ["stay", "back", "on", "toward mate", "away mate"]
    assert about["agents"]["items"]["enum"] == list(agents)
    assert "move" not in about["when"]["pattern"]
    assert "my_[a-z0-9_]{1,20}" in about["when"]["pattern"]
