"""What an advisor is, what it is asked, and who is none."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest

from also_wrappers.advisors import BlindAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Advisor, Situation, check_is_advisor, tried
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Feature, FeatureMap, Signal, Term, View
from also_wrappers.testing import ScriptedModel, corridor_situation
from tests.support.answers import ACTIVE


def proposal(expression: str) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=0.3)
    return Proposal(signal=Signal(terms=(term,)))


def full(**changes: Any) -> Situation:
    """A situation with nothing left empty."""
    arguments: dict[str, Any] = {
        "signal": ACTIVE,
        "history": [
            RoundOutcome(
                round=1,
                stage="no_signal",
                control_score=0.0,
                arms=(ArmOutcome(proposal=proposal("-place"), outcome="worse"),),
                decision="no change",
                winner=None,
            )
        ],
        "diagnosis": Diagnosis(advice="go on"),
        "rejected": [Rejection(proposal=proposal("1"), reason="never changes")],
        "results": [ArmOutcome(proposal=proposal("place"), outcome="ok", score=0.5)],
    }
    return corridor_situation(**(arguments | changes))


class Small(Advisor):
    """The least that an advisor of one's own needs."""

    name = "small"

    def diagnose(self, situation: Situation) -> Diagnosis:
        return Diagnosis(advice=f"at {situation.progress:.0%}")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        return [proposal("place")][:k]


def test_an_advisor_of_ones_own_needs_two_methods_and_a_name() -> None:
    advisor = check_is_advisor(Small())
    advisor.prepare()
    assert advisor.diagnose(corridor_situation()).advice == "at 10%"
    assert advisor.propose(corridor_situation(), 0) == []
    advisor.rest()
    assert advisor.exchanges == []
    assert Small().exchanges is not advisor.exchanges


@pytest.mark.parametrize("verb", ["diagnose", "propose"])
def test_an_advisor_without_a_verb_cannot_be_made(verb: str) -> None:
    verbs = {name: getattr(Small, name) for name in ("diagnose", "propose")}
    del verbs[verb]
    partial = type("Partial", (Advisor,), {"name": "partial", **verbs})
    with pytest.raises(TypeError, match=verb):
        partial()


class Silent(Small):
    """An advisor whose ``__init__`` leaves out that of its base."""

    def __init__(self) -> None:
        self.calls = 0


class Nameless(Small):
    """An advisor without a name."""

    name = None  # type: ignore[assignment]


class Alike:
    """An object with an advisor's methods."""

    diagnose = Small.diagnose
    propose = Small.propose


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            Ollama("qwen3:8b"),
            "Ollama(...) is a language model, not an advisor; give "
            "LLMAdvisor(Ollama(...))",
        ),
        (
            ScriptedModel([]),
            "ScriptedModel(...) is a language model, not an advisor; give "
            "LLMAdvisor(ScriptedModel(...))",
        ),
        (Ollama, "Ollama is a class, not an advisor; give LLMAdvisor(Ollama(...))"),
        (RuleAdvisor, "RuleAdvisor is a class, not an advisor; give RuleAdvisor(...)"),
        ("rules", "'rules' is not an advisor; give RuleAdvisor(), LLMAdvisor(model)"),
        (None, "None is not an advisor; give RuleAdvisor(), LLMAdvisor(model) or an"),
        ("x" * 500, "xxx is not an advisor; give RuleAdvisor()"),
        (Alike(), "Alike has the methods of an advisor and is none; derive it from"),
        (Silent(), "Silent has no list of exchanges; call super().__init__()"),
        (Nameless(), "Nameless has no name; give the class a line such as name ="),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_advisor_is_rejected_with_what_to_give(
    given: object, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_is_advisor(given)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "advisor", [RuleAdvisor(), BlindAdvisor(), LLMAdvisor(ScriptedModel([])), Small()]
)
def test_advisors_pass_as_they_are(advisor: Advisor) -> None:
    assert check_is_advisor(advisor) is advisor


FIELDS = (
    *("task", "agents", "signal", "evidence", "stage", "progress"),
    *("history", "diagnosis", "rejected", "results"),
)


@pytest.mark.parametrize("library", [pickle, cloudpickle])
def test_a_situation_is_plain_data_that_can_be_pickled(library: Any) -> None:
    now = full()
    copy = library.loads(library.dumps(now))
    for field in FIELDS:
        assert getattr(copy, field) == getattr(now, field), field
    assert copy.features.names == now.features.names
    assert RuleAdvisor().propose(copy, 3) == RuleAdvisor().propose(now, 3)


def test_features_that_are_functions_travel_as_well() -> None:
    features = FeatureMap(Feature("double", lambda view: 2.0 * view.observation[0]))
    copy = cloudpickle.loads(cloudpickle.dumps(full(features=features)))
    assert copy.features.row(View([0.5])) == [1.0]


def test_an_advisor_may_think_in_a_thread_while_the_history_grows() -> None:
    history = list(full().history)
    rejected: list[Rejection] = []
    now = full(history=history, rejected=rejected)
    expected = RuleAdvisor().propose(now, 3)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(RuleAdvisor().propose, now, 3)
        history.clear()
        rejected.append(Rejection(proposal=expected[0], reason="later"))
        assert answer.result() == expected
    assert (len(now.history), len(now.rejected)) == (1, 0)


def test_what_a_round_has_rejected_or_tried_is_not_to_come_again() -> None:
    texts = [signal.describe() for signal in tried(full())]
    assert texts == [
        "1 * progress[place]",
        "0.3 * progress[1]",
        "0.3 * progress[place]",
        "0.3 * progress[-place]",
    ]
    (round_1,) = full().history
    untried = round_1.arms[0].model_copy(update={"tried": False})
    short = round_1.model_copy(update={"arms": (untried,)})
    assert len(tried(full(history=[short]))) == 3
    used = short.model_copy(update={"winner": untried.proposal.signal.id})
    assert tried(full(history=[used])) == tried(full())
    twice = full(rejected=[], results=[], history=[], signal=Signal())
    assert tried(twice) == [Signal()]
