"""The language-model advisor: whatever a model answers, what comes out is checked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.ceiling import Ceiling
from also_wrappers.advisors.llm.grounding import contradiction
from also_wrappers.advisors.llm.models.base import Reply
from also_wrappers.evidence.document import Evidence
from also_wrappers.exceptions import AdvisorError, ConfigurationError
from also_wrappers.proposals.diagnosis import Claim
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.testing import ScriptedModel, corridor_situation
from tests.support.answers import ACTIVE, CLAIM, candidate, candidates, diagnosis


def test_a_good_answer_becomes_proposals() -> None:
    first = candidates(candidate(), candidate("team_min(place)", fade=0.2))
    words = f"Sure! <think>{{hm}}</think> ```json\n{first}\n```"
    model = ScriptedModel([diagnosis(), words, candidates(candidate("mate_place"))])
    advisor = LLMAdvisor(model)
    now = corridor_situation()
    answer = advisor.diagnose(now)
    assert answer.findings[0].failure == "undirected_exploration"
    assert answer.findings[0].confidence == "high"
    assert answer.stage == "no_signal"
    now = replace(now, diagnosis=answer)
    proposals = advisor.propose(now, 3)
    assert [p.signal.describe() for p in proposals] == [
        "0.5 * progress[place]",
        "0.5 * progress[team_min(place)], fading out within 20% of the training",
    ]
    assert proposals[0].hypothesis is not None
    assert proposals[0].hypothesis.moves == "up"
    assert proposals[0].answers == ("feature.place.reward_min",)
    outcome = ArmOutcome(
        proposal=proposals[0],
        outcome="did well",
        score=0.5,
        hypothesis="feature.place.change should go up: it did",
    )
    refined = advisor.propose(replace(now, results=[outcome]), 1)
    assert refined[0].signal.terms[0].expression == "mate_place"
    assert "did well; feature.place.change should go up: it did" in model.requests[2][1]
    assert [e.role for e in advisor.exchanges] == ["critic", "generator", "refine"]
    assert all(not exchange.problem for exchange in advisor.exchanges)
    grounded = [(exchange.claims, exchange.grounded) for exchange in advisor.exchanges]
    assert grounded == [(1, 1), (4, 4), (2, 2)]


def test_a_ceiling_ends_the_asking() -> None:
    bad = Reply("nonsense", seconds=3.0, prompt_tokens=900, answer_tokens=100)
    for ceiling, asked in (
        (Ceiling(calls=2), 2),
        (Ceiling(tokens=1500), 2),
        (Ceiling(seconds=2.0), 1),
    ):
        model = ScriptedModel([bad] * 9)
        advisor = LLMAdvisor(model, repairs=5, ceiling=ceiling)
        with pytest.raises(AdvisorError, match=r"ceiling of .* is reached; a higher"):
            advisor.diagnose(corridor_situation())
        assert len(model.requests) == asked
        with pytest.raises(AdvisorError, match="is reached"):
            advisor.propose(corridor_situation(), 1)
        assert len(model.requests) == asked
        assert "is reached" in advisor.exchanges[-1].problem
    with pytest.raises(ConfigurationError, match="0 calls leaves no room"):
        Ceiling(calls=0)


def test_the_critic_may_ask_for_probes() -> None:
    asked = [
        {"name": "both_near", "expression": "team_min(place) > 0.8"},
        {"name": "no_expression"},
        "both_near",
    ]
    answers = [diagnosis(probes=asked), diagnosis(probes="all")]
    advisor = LLMAdvisor(ScriptedModel(answers))
    probes = advisor.diagnose(corridor_situation()).probes
    assert probes == {"both_near": "team_min(place) > 0.8"}
    assert advisor.diagnose(corridor_situation()).probes == {}


SEEN = Evidence(
    values={
        "team.reward_rate": 0.01,
        "team.episodes": 100.0,
        "agent_0.action.idle_share": 0.7,
        "agent_1.action.idle_share": 0.2,
        "feature.x.min": 10.0,
        "feature.x.max": 20.0,
        "feature.x.end": 18.0,
        "feature.x.better": -1.5,
        "feature.x.change": 0.0,
    },
    unavailable={"team.target.crowding": "there are no targets"},
)


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        (("team.reward_rate", "low"), ""),
        (("team.reward_rate", "high"), "is 0.01, which is not high"),
        (("team.reward_rate", "zero"), ""),
        (("team.reward_rate", "positive"), ""),
        (("agent_0.action.idle_share", "zero"), "which is not zero"),
        (("feature.x.end", "high"), ""),
        (("feature.x.end", "low"), "which is not low (the middle is 15)"),
        (("feature.x.better", "negative"), ""),
        (("feature.x.better", "positive"), "which is not positive"),
        (("feature.x.change", "negative"), "which is not negative"),
        (("team.episodes", "high"), "nothing tells whether that is high"),
        (("team.episodes", "above", "50"), ""),
        (("team.episodes", "below", "50"), "which is not below 50"),
        (("agent_0.action.idle_share", "above", "agent_1.action.idle_share"), ""),
        (
            ("agent_0.action.idle_share", "below", "agent_1.action.idle_share"),
            "is 0.7, which is not below agent_1.action.idle_share (0.2)",
        ),
        (("team.episodes", "above", ""), "neither a key of the evidence nor a number"),
        (("team.episodes", "above", "nan"), "which is not above nan"),
        (("feature.x.kind", "high"), "no key 'feature.x.kind'"),
        (("feature.y.end", "high"), "there is feature.x.end"),
        (("team.target.crowding", "high"), "is unavailable: there are no targets"),
    ],
)
def test_claims_are_compared_with_the_numbers(claim: Any, problem: str) -> None:
    answer = contradiction(
        Claim.model_validate(dict(zip(("key", "reads", "than"), claim, strict=False))),
        SEEN,
    )
    assert problem in answer
    assert bool(problem) == bool(answer)


def test_a_claim_that_contradicts_the_evidence_goes_back() -> None:
    wrong = diagnosis(
        {"key": "feature.place.reward_min", "reads": "negative"},
        {"key": "feature.nothing.mean", "reads": "low"},
        {"key": "team.reward_rate", "reads": "high"},
    )
    model = ScriptedModel([wrong, diagnosis()])
    advisor = LLMAdvisor(model)
    assert advisor.diagnose(corridor_situation()).findings
    repair = model.requests[1][1]
    assert "feature.place.reward_min is 2.5, which is not negative" in repair
    assert "no key 'feature.nothing.mean'" in repair
    assert "team.reward_rate is 0.01, which is not high" in repair
    assert "which is not negative" in advisor.exchanges[0].problem
    counted = [(exchange.claims, exchange.grounded) for exchange in advisor.exchanges]
    assert counted == [(3, 0), (1, 1)]


def test_a_model_that_insists_is_left_with_what_is_so() -> None:
    half = diagnosis(CLAIM, {"key": "team.reward_rate", "reads": "high"})
    advisor = LLMAdvisor(ScriptedModel([half] * 3))
    (finding,) = advisor.diagnose(corridor_situation()).findings
    assert [claim.key for claim in finding.claims] == ["feature.place.reward_min"]
    wrong = diagnosis({"key": "team.reward_rate", "reads": "high"})
    with pytest.raises(AdvisorError, match="which is not high"):
        LLMAdvisor(ScriptedModel([wrong] * 3)).diagnose(corridor_situation())
    nothing = json.loads(wrong)
    nothing["findings"][0]["claims"] = []
    model = ScriptedModel([json.dumps(nothing), diagnosis()])
    assert LLMAdvisor(model).diagnose(corridor_situation()).findings
    assert "rests on no claim" in model.requests[1][1]


def test_citations_of_candidates_are_grounded_as_well() -> None:
    invented = candidate(
        hypothesis={"key": "feature.luck.mean", "moves": "up"}, answers=["team.luck"]
    )
    model = ScriptedModel([candidates(invented)] * 3)
    advisor = LLMAdvisor(model)
    (proposal,) = advisor.propose(corridor_situation(), 2)
    assert proposal.hypothesis is None
    assert proposal.answers == ()
    assert "no key 'feature.luck.mean'" in model.requests[1][1]
    assert (advisor.exchanges[0].claims, advisor.exchanges[0].grounded) == (2, 0)
    model = ScriptedModel([candidates(candidate(hypothesis="soon")), "no"])
    (proposal,) = LLMAdvisor(model, repairs=1).propose(corridor_situation(), 2)
    assert proposal.hypothesis is None
    assert "'hypothesis' must name a 'key'" in model.requests[1][1]


def test_a_bad_expression_goes_back_with_its_place_and_reason() -> None:
    model = ScriptedModel(
        [candidates(candidate("1 - plaice")), candidates(candidate())]
    )
    advisor = LLMAdvisor(model)
    proposals = advisor.propose(corridor_situation(), 3)
    assert len(proposals) == 1
    repair = model.requests[1][1]
    assert "candidate 1" in repair
    assert "did you mean place" in repair
    assert "at character 4" in repair


def test_what_was_valid_is_kept_when_the_rest_stays_bad() -> None:
    half = candidates(candidate(), candidate("__import__('os')"))
    advisor = LLMAdvisor(ScriptedModel([half] * 3), repairs=2)
    proposals = advisor.propose(corridor_situation(), 3)
    assert [p.signal.terms[0].expression for p in proposals] == ["place"]
    dies = ScriptedModel([half, AdvisorError("gone")])
    assert LLMAdvisor(dies).propose(corridor_situation(), 3) == proposals


def test_history_and_rejections_are_told() -> None:
    active = Proposal(signal=ACTIVE)
    arm = ArmOutcome(proposal=active, outcome="base return 0.3, control 0.1", score=0.3)
    outcome = RoundOutcome(
        round=4,
        stage="no_signal",
        control_score=0.1,
        arms=(arm,),
        rejected=(Rejection(proposal=active, reason="agents would stay"),),
        decision="confirmed",
        winner=ACTIVE.id,
    )
    now = corridor_situation(history=(outcome,), rejected=outcome.rejected)
    model = ScriptedModel([diagnosis(), candidates(candidate())])
    advisor = LLMAdvisor(model)
    advisor.propose(replace(now, diagnosis=advisor.diagnose(now)), 1)
    for _, prompt in model.requests:
        assert "Round 4: confirmed. Tried:" in prompt
        line = "- 1 * progress[place]: base return 0.3, control 0.1; swapped in"
        assert line in prompt
        assert "- 1 * progress[place]: rejected, agents would stay" in prompt
    assert "rejected before training. Propose 1 other(s)" in model.requests[1][1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{",
        "[]",
        "null",
        '{"candidates": []}',
        '{"candidates": "all"}',
        '{"candidates": [1, null, "x"]}',
        candidates(candidate(weight=1e308)),
        candidates(candidate(weight="NaN")),
        '{"candidates": [{"terms": [{"weight": NaN}]}]}',
        candidates(candidate(kind="code")),
        candidates(candidate(fade=-1)),
        candidates(candidate(intent="obey")),
        candidates({"terms": [{}]}),
        candidates(candidate(terms=[candidate()["terms"][0]] * 50)),
        "{" * 5000,
        '{"candidates": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"candidates": [' + "9" * 10_000 + "]}",
        "x" * 1_000_000,
    ],
    ids=lambda text: text[:30],
)
def test_bad_answers_end_in_a_clean_error(text: str) -> None:
    advisor = LLMAdvisor(ScriptedModel([text] * 3), repairs=2)
    with pytest.raises(AdvisorError, match="no usable answer as generator in 3 tries"):
        advisor.propose(corridor_situation(), 3)
    assert len(advisor.exchanges) == 3
    assert all(len(e.answer) <= 40_000 for e in advisor.exchanges)
    with pytest.raises(AdvisorError, match="as critic"):
        LLMAdvisor(ScriptedModel([text] * 3)).diagnose(corridor_situation())


def test_a_reply_with_a_problem_goes_back() -> None:
    cut = Reply('{"candidates": [', 0.1, problem="the answer was cut")
    model = ScriptedModel([cut, candidates(candidate())])
    assert LLMAdvisor(model).propose(corridor_situation(), 1)
    assert "the answer was cut" in model.requests[1][1]


def test_a_dead_model_is_a_clean_error_and_recorded() -> None:
    advisor = LLMAdvisor(ScriptedModel([AdvisorError("gone")]))
    with pytest.raises(AdvisorError, match="gone"):
        advisor.diagnose(corridor_situation())
    assert advisor.exchanges[0].problem == "gone"
