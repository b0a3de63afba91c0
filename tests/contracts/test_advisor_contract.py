"""What every advisor must pass, and that the contract notices who does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.exceptions import AdvisorError, ConfigurationError
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.outcomes import ArmOutcome, RoundOutcome
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal import Action, Actions, Feature, FeatureMap, Signal, Term
from also_wrappers.testing import ScriptedModel, check_advisor, corridor_situation
from tests.support.answers import ACTIVE, candidate, candidates, diagnosis


def proposal(expression: str, **more: Any) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=0.3)
    return Proposal(signal=Signal(terms=(term,)), **more)


def recorded() -> Advisor:
    rounds = [[proposal(f"place * {k}") for k in range(1, 7)]]
    # One round that was played is in the history of some of the situations.
    return RecordedAdvisor(rounds * 2, [[proposal("mate_place")]] * 2)


def scripted(*answers: Any) -> Callable[[], Advisor]:
    return lambda: LLMAdvisor(ScriptedModel(answers), repairs=0)


WELL = [
    diagnosis(),
    candidates(candidate(), candidate("team_min(place)", fade=0.5)),
    candidates(candidate("mate_place")),
    candidates(candidate("place - mate_place")),
]

ADVISORS: dict[str, Callable[[], Advisor]] = {
    "rules": RuleAdvisor,
    "blind": BlindAdvisor,
    "recorded": recorded,
    "a model that answers well": scripted(*WELL),
    "a model that dies": scripted(WELL[0], AdvisorError("the server is gone")),
    "a model that babbles": scripted("what?", "no", "{"),
}

NAMELESS = FeatureMap(Feature("a", "obs[0]"), Feature("b", "obs[1]"))
WALK = Actions(
    (Action("stay", 0), Action("back", 1, (-0.2,)), Action("on", 2, (0.2,))),
    places={"mate": ("mate_place",), "end": ("place",)},
)
HISTORY = RoundOutcome(
    round=1,
    stage="no_signal",
    control_score=0.0,
    arms=(ArmOutcome(proposal=proposal("-place"), outcome="worse"),),
    decision="no change",
    winner=None,
)
SITUATIONS: dict[str, dict[str, Any]] = {
    "early": {},
    "with a signal": {"signal": ACTIVE, "history": (HISTORY,)},
    "flooded and hacked": {
        "signal": ACTIVE,
        "values": {"signal.flooding": 3.0, "signal.hacking": 1.0},
        "stage": "regression",
    },
    "solved": {"signal": ACTIVE, "stage": "solved"},
    "one agent": {"agents": ("agent_0",)},
    "insufficient": {"insufficient": ("3 episodes",)},
    "experts": {"actions": WALK},
    "conditions that are rare": {
        "conditions": {"both": "team_min(place) > 0.9", "odd": "place * 2"},
        "values": {"condition.both.rate": 0.01, "condition.odd.rate": 0.01},
    },
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("advisor", ADVISORS)
def test_every_advisor_passes(advisor: str, situation: str) -> None:
    check_advisor(ADVISORS[advisor](), corridor_situation(**SITUATIONS[situation]))


@pytest.mark.parametrize("advisor", ["rules", "blind"])
def test_without_telling_names(advisor: str) -> None:
    check_advisor(ADVISORS[advisor](), corridor_situation(features=NAMELESS))


class Wrong(BlindAdvisor):
    """An advisor with a fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def diagnose(self, situation: Situation) -> Diagnosis:
        claim = Claim(key="team.reward_rate", reads="high")
        finding = Finding(failure="crowding", severity="minor", claims=(claim,))
        return Diagnosis(findings=(finding,) if self.fault == "claim" else ())

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        good = super().propose(situation, k)
        luck = Expectation(key="feature.luck.mean", moves="up")
        if self.fault == "error" and situation.results:
            raise AdvisorError("")
        if self.fault == "forgets results" and situation.results:
            return [situation.results[-1].proposal]
        if self.fault == "forgets rejections" and situation.rejected:
            return [situation.rejected[-1].proposal]
        return {
            "many": [*good, *super().propose(situation, 1)],
            "same": [good[0], good[0]],
            "active": [Proposal(signal=situation.signal)],
            "unknown": [proposal("luck")],
            "key": [proposal("place", hypothesis=luck)],
        }.get(self.fault, good)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("claim", "which is not high"),
        ("many", "4 candidates, 3 were asked for"),
        ("same", "proposed twice"),
        ("active", "was tried already"),
        ("unknown", "no feature 'luck'"),
        ("key", "no key 'feature.luck.mean'"),
        ("error", "must say what happened"),
        ("forgets results", "was tried already"),
        ("forgets rejections", "was tried already"),
        ("none", ""),
    ],
)
def test_the_contract_notices(fault: str, message: str) -> None:
    expected: Any = contextlib.nullcontext()
    if message:
        expected = pytest.raises(Exception, match=message)
    with expected:
        check_advisor(Wrong(fault), corridor_situation(signal=ACTIVE))


class Watching(BlindAdvisor):
    """An advisor that keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.situations: list[Situation] = []

    def diagnose(self, situation: Situation) -> Diagnosis:
        self.situations.append(situation)
        return super().diagnose(situation)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        self.situations.append(situation)
        return super().propose(situation, k)


def test_the_contract_asks_as_a_round_does() -> None:
    advisor = Watching()
    check_advisor(advisor, corridor_situation(), k=2)
    asked = [
        (s.diagnosis is not None, len(s.rejected), len(s.results))
        for s in advisor.situations
    ]
    assert asked == [(False, 0, 0), (True, 0, 0), (True, 2, 0), (True, 2, 2)]


def test_the_contract_takes_advisors_only() -> None:
    model: Any = ScriptedModel([])
    with pytest.raises(ConfigurationError, match="is a language model"):
        check_advisor(model, corridor_situation())
