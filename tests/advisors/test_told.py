"""What a language model is told of a run: whole, counted, and with its context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm import prompts
from also_wrappers.advisors.llm.models.base import tokens_of
from also_wrappers.advisors.llm.samples import sample
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.testing import corridor_situation
from tests.support.answers import EXPERT, WALK
from tests.support.largest import AGENTS, NAMES, situation


def episode(
    returned: float, length: int = 40, agents: int = 2, offset: float = 0.0
) -> EpisodeRows:
    """Random places, and an offset for each agent after the first."""
    rows = np.random.default_rng(length).random((length + 1, agents, 3))
    rows[:, :, 0] += offset * np.arange(agents)
    there = np.ones((length + 1, agents), dtype=bool)
    return EpisodeRows(
        rows, np.zeros((length, agents)), there, returned, returned > 0, True
    )


def long(weight: float) -> Signal:
    """A signal of more than a thousand characters."""
    when = " and ".join(f"place > 0.0{k} * mate_place" for k in range(20))
    rules = (Rule(when=when, do="on"), Rule(when="1", do="toward mate"))
    expert = Expert(rules=rules, pull=weight)
    term = Term(name="t", kind="progress", expression=f"place * {weight}", weight=1.0)
    return Signal(terms=(term,), expert=expert)


def test_the_active_signal_and_the_rounds_results_are_shown_whole() -> None:
    tested = [long(2.0), long(3.0)]
    results = [ArmOutcome(proposal=Proposal(signal=s), outcome="x") for s in tested]
    now = corridor_situation(signal=long(1.0), results=results, actions=WALK)
    text = prompts.refine(now, 2)
    assert len(long(1.0).describe()) > 600
    for signal in (long(1.0), *tested):
        assert signal.expert is not None
        first, second = signal.expert.rules
        assert f"(1) {first.describe()}; (2) {second.describe()}" in text
        assert f"place * {signal.expert.pull}]" in text
    same = long(1.0).with_terms(())
    arm = ArmOutcome(proposal=Proposal(signal=same), outcome="x")
    assert "- an expert: the active one: x" in prompts.refine(
        replace(now, results=[arm]), 2
    )


def test_signals_are_whole_in_the_largest_situation_too() -> None:
    now = situation(experts=True)
    assert now.signal.expert is not None
    results = now.history[0].arms[1:4]
    text = prompts.refine(replace(now, results=results), 2)
    assert f"with my_next = {now.signal.define['my_next']}" in text
    other = results[1].proposal.signal
    assert other.expert is not None
    for rule in (*now.signal.expert.rules, *other.expert.rules):
        assert rule.describe() in text
    for result in results:
        assert f"{result.proposal.signal.terms[0].weight:g} * progress" in text


def test_signals_that_no_request_has_room_for_are_cut() -> None:
    rules = tuple(Rule(when=f"place > {'0' * 800}{k}", do="on") for k in range(20))
    now = corridor_situation(signal=Signal(expert=Expert(rules=rules)), actions=WALK)
    assert tokens_of(prompts.generator(now, 3)) < prompts.BUDGET


def test_the_generator_may_cite_conditions_and_what_the_critic_cited() -> None:
    now = replace(situation(experts=True), signal=Signal())
    rare = "agent_3.action.5.share"
    assert rare not in prompts.citable(now)
    than = "agent_2.action.5.share"
    claim = Claim(key=rare, reads="above", than=than)
    finding = Finding(failure="crowding", severity="minor", claims=(claim,))
    now = replace(now, diagnosis=Diagnosis(findings=(finding,)))
    citable = prompts.citable(now)
    assert {rare, than, "condition.one_waits.reward_rate"} <= set(citable)
    assert len(citable) == len(set(citable))
    assert set(citable) <= set(now.evidence.values)
    assert "condition.both_at_food.rate = " in prompts.generator(now, 3)


def told(**changes: Any) -> Situation:
    return corridor_situation(
        conditions={"near": "team_min(place) > 0.8", "asked": "place < 0.1"},
        values={
            "condition.near.rate": 0.02,
            "condition.near.reward_rate": 0.5,
            "team.episode_length": 20.0,
        },
        gamma=0.99,
        horizon=3000,
        episodes=[episode(1.0), episode(0.0, 30), episode(0.0, 20)],
        **changes,
    )


@pytest.mark.parametrize("write", [prompts.critic, lambda s: prompts.generator(s, 3)])
def test_every_role_is_told_how_branches_are_and_what_conditions_mean(
    write: Any,
) -> None:
    text = write(told())
    assert "discounts by 0.99 a step" in text
    assert "A branch takes 3000 environment steps, about 150 episodes." in text
    assert "- near: team_min(place) > 0.8" in text
    assert "- asked: place < 0.1" in text
    assert "An episode of 40 steps, base return 1:" in text
    assert "An episode of 20 steps, base return 0:" in text
    assert "An episode of 30 steps" not in text


def test_anecdotes_are_marked_by_their_counts() -> None:
    text = prompts.critic(told())
    assert "feature.place.reward_min = 2.5 (by 1 reward(s))" in text
    assert "condition.near.reward_rate = 0.5 (in 2 episodes)" in text


def test_what_an_audition_came_to_reaches_the_model() -> None:
    """Which of the rules held when time ran out, and the rule by its number."""
    reason = (
        "the expert earned 0.26 (error 0.04) in 100 episodes and the policy alone "
        "0.31; in 71% of them time ran out, mostly while rule 2 (toward mate) held; "
        "no turn ever came to rule 3"
    )
    rejection = Rejection(proposal=Proposal(signal=EXPERT), reason=reason)
    now = corridor_situation(actions=WALK, rejected=[rejection])
    text = prompts.generator(now, 3)
    assert reason in text
    assert "an expert: (1) on when my_late, with my_far = 1 - place; my_late =" in text


def test_agents_that_can_be_told_apart_are_said_to_be() -> None:
    same, apart = episode(0.0), episode(0.0, offset=5.0)
    now = corridor_situation(actions=WALK, episodes=[apart])
    assert "Agents can be told apart by place." in prompts.generator(now, 1)
    now = corridor_situation(actions=WALK, episodes=[same])
    assert "No feature tells which agent it is" in prompts.generator(now, 1)
    assert "which agent it is" not in prompts.generator(
        corridor_situation(actions=WALK), 1
    )


def test_samples_stay_within_their_room() -> None:
    episodes = [episode(1.0, agents=4), episode(0.0, 25, agents=4)]
    for room in (0, 100, 300, 600, 900, 5000):
        lines = sample(episodes, room)
        assert sum(len(line) + 1 for line in lines) <= room
    assert lines[0] == "An episode of 40 steps, base return 1:"
    steps = [int(line.partition(":")[0]) for line in lines[1:9]]
    assert (steps[0], steps[-1], len(steps)) == (0, 40, 8)
    assert sample([], 900) == []
    cut = replace(episodes[0], complete=False)
    assert sample([cut], 900) == []


def test_a_sample_shows_the_first_reward() -> None:
    lucky = episode(0.5, 30)
    lucky.rewards[10] = [1.0, 0.0]
    (line,) = [line for line in sample([lucky], 900) if "reward" in line]
    assert line.startswith("11: ")
    assert line.endswith("(reward 0.5)")


def test_agents_that_are_gone_are_left_out_of_samples() -> None:
    one = episode(1.0, 4)
    one.alive[2:, 1] = False
    assert sample([one], 900)[-1].endswith("| -")
    assert len(AGENTS) < len(NAMES)
