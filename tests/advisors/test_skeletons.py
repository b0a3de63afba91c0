"""Skeletons: experts that rules make of a vocabulary, and random ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from also_wrappers.advisors import BlindAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.catalog import lbforaging
from also_wrappers.proposals.outcomes import Played
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import (
    Action,
    Actions,
    Compass,
    Feature,
    FeatureMap,
    Heading,
    Signal,
)
from also_wrappers.signal.advice import Advice
from also_wrappers.testing import corridor_situation
from tests.support.trainers import ACTIONS

OFFSETS = FeatureMap(
    *(Feature(f"{place}_d{axis}", "obs[0]") for place in "ab" for axis in "yx")
)
WALK = Actions(
    (
        Action("stay", 0),
        Action("up", 1, step=(-0.25, 0.0)),
        Action("right", 2, step=(0.0, 0.5)),
        Action("take", 3),
    ),
    places={place: (f"{place}_dy", f"{place}_dx") for place in "ab"},
)


def situation(actions: Actions | None = WALK) -> Situation:
    return corridor_situation(features=OFFSETS, actions=actions)


def played(proposal: Proposal, earned: float) -> Played:
    return Played(
        proposal=proposal,
        earned=earned,
        error=0.1,
        rate=0.0,
        policy=0.05,
        coverage=1.0,
        distance=0.5,
    )


def rules(proposal: Proposal) -> list[tuple[str, str, tuple[str, ...] | None]]:
    assert proposal.signal.expert is not None
    return [(rule.when, rule.do, rule.agents) for rule in proposal.signal.expert.rules]


def after(earned: dict[int, float]) -> list[Proposal]:
    """What rules say once the first skeletons have earned this, by their place."""
    now, advisor = situation(), RuleAdvisor()
    first = advisor.experts(now)
    found = [played(proposal, earned.get(k, 0.0)) for k, proposal in enumerate(first)]
    return advisor.experts(replace(now, played=found))


def test_agents_that_can_stay_are_sent_to_a_place_each() -> None:
    still = Action("stay", 0, step=(0.0, 0.0))
    same = Actions((still, *WALK.actions[1:]), places=WALK.places)
    said = [rules(one) for one in RuleAdvisor().experts(situation(same))]
    before = [rules(one) for one in RuleAdvisor().experts(situation())]
    assert said[: len(before)] == before
    first, second = situation().agents
    assert said[len(before) :] == [
        [
            ("steps_to_a < 0.5", "stay", (first,)),
            ("steps_to_a >= 0.5", "toward a", (first,)),
            ("steps_to_b < 0.5", "stay", (second,)),
            ("steps_to_b >= 0.5", "toward b", (second,)),
        ]
    ]
    alone = replace(situation(same), agents=("agent",))
    assert len(RuleAdvisor().experts(alone)) == len(before)


def test_where_every_action_moves_the_places_themselves_are_tried() -> None:
    now = situation(Actions(WALK.actions[1:3], places=WALK.places))
    first = RuleAdvisor().experts(now)
    assert [rules(one) for one in first[:2]] == [
        [("steps_to_a >= 0.5", "toward a", None)],
        [("steps_to_b >= 0.5", "toward b", None)],
    ]
    found = [played(one, 0.0) for one in first]
    tried_already = {one.signal.id for one in first}
    again = RuleAdvisor().experts(replace(now, played=found))
    assert not {one.signal.id for one in again} & tried_already


def test_every_place_is_tried_with_every_action_that_does_not_move() -> None:
    now = situation()
    proposals = RuleAdvisor().experts(now)
    said = [rules(proposal) for proposal in proposals]
    assert [(one[0][1], one[1][1]) for one in said] == [
        ("stay", "toward a"),
        ("stay", "toward b"),
        ("take", "toward a"),
        ("take", "toward b"),
    ]
    assert all(proposal.intent == "expert" for proposal in proposals)
    advice = Advice(proposals[2].signal, OFFSETS, WALK, ["one"])
    up, right, take = 1 << 1, 1 << 2, 1 << 3
    steps = {(-0.5, 1.0): up | right, (0.0, 0.5): take, (-0.25, 0.0): take, (0, 0): 0}
    for (dy, dx), good in steps.items():
        assert advice([[dy, dx, 0.0, 0.0]], [0]) == [good]


def test_what_earned_something_is_put_in_sequence_and_made_roles() -> None:
    in_order, best_first, roles = after({2: 0.5, 3: 0.6})
    for proposal, places in ((in_order, "ab"), (best_first, "ba")):
        said = [f"toward {place}" for place in places]
        assert [do for _, do, _ in rules(proposal) if do != "take"] == said
    agents = [(do, whose) for _, do, whose in rules(roles) if do != "take"]
    assert agents == [
        ("toward a", ("agent_0",)),
        ("toward b", ("agent_0",)),
        ("toward b", ("agent_1",)),
        ("toward a", ("agent_1",)),
    ]


def test_a_single_earner_has_no_sequence_and_what_is_unclear_is_none() -> None:
    assert after({2: 0.5, 3: 0.12}) == []


def test_where_none_earns_the_places_themselves_are_tried() -> None:
    said = [rules(proposal) for proposal in after({})]
    assert [one[0][1:] for one in said[:2]] == [("toward a", None), ("toward b", None)]
    assert ("steps_to_a < 0.5", "take", None) in said[4]
    assert {agents for _, _, agents in said[-1]} == {("agent_0",), ("agent_1",)}


def test_it_comes_to_an_end_and_nothing_comes_twice() -> None:
    for earns in (True, False):
        now, advisor = situation(), RuleAdvisor()
        seen: set[str] = set()
        for _ in range(5):
            proposals = advisor.experts(now)
            ids = {proposal.signal.id for proposal in proposals}
            assert len(ids) == len(proposals)
            assert not ids & seen
            seen |= ids
            found = [played(proposal, 0.5 * earns) for proposal in proposals]
            now = replace(now, played=[*now.played, *found])
        assert proposals == []
        assert seen <= {signal.id for signal in tried(now)}


@pytest.mark.parametrize("advisor", [RuleAdvisor(), BlindAdvisor()])
def test_without_actions_or_places_nothing_is_played(advisor: Advisor) -> None:
    assert advisor.experts(situation(None)) == []
    assert RuleAdvisor().experts(situation(ACTIONS)) == []


def test_a_robot_goes_by_its_compass() -> None:
    compass = Compass(
        "drive",
        "left",
        "right",
        {"up": Heading("b_dy", (-1.0, 0.0)), "down": Heading("b_dx", (1.0, 0.0))},
    )
    names = ("drive", "left", "right", "lift")
    actions = Actions(
        tuple(Action(name, k) for k, name in enumerate(names)),
        places={"a": ("a_dy", "a_dx")},
        compass=compass,
    )
    (only,) = RuleAdvisor().experts(situation(actions))
    assert [do for _, do, _ in rules(only)] == ["lift", "toward a"]
    assert only.signal.define == {"steps_to_a": "abs(a_dy)"}, "no move goes sideways"
    Advice(only.signal, OFFSETS, actions, ["one"])


def test_chance_draws_rules_that_can_be_played_once() -> None:
    now = situation()
    proposals = BlindAdvisor(seed=3).experts(now)
    assert len({proposal.signal.id for proposal in proposals}) == len(proposals) == 10
    for proposal in proposals:
        Advice(proposal.signal, OFFSETS, WALK, now.agents)
    again = BlindAdvisor(seed=3).experts(now)
    assert [one.signal for one in again] == [one.signal for one in proposals]
    found = [played(proposals[0], 0.0)]
    assert BlindAdvisor().experts(replace(now, played=found)) == []


def test_the_catalogue_has_what_skeletons_need() -> None:
    env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
    features = lbforaging.features(env, experts=True)
    actions = lbforaging.actions(env)
    now = corridor_situation(features=features, actions=actions)
    proposals = RuleAdvisor().experts(now)
    assert len(proposals) == 6
    for proposal in proposals:
        Advice(proposal.signal, features, actions, now.agents)
    assert proposals[3].signal.define == {
        "steps_to_food0": "abs(food0_dy) / 0.125 + abs(food0_dx) / 0.125"
    }
    assert isinstance(proposals[0].signal, Signal)
