"""Candidates are checked on recorded episodes before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from also_wrappers.checks.check import Checks
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import (
    Action,
    Actions,
    Expert,
    Rule,
    Signal,
    Term,
    parse,
    shaper,
)
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.language.parser import Node
from also_wrappers.testing import corridor_features

AGENTS = ("agent_0", "agent_1")
STEPS = 10


def episode(
    seed: int, place: float = 0.5, terminated: bool = True, length: int = STEPS
) -> EpisodeRows:
    """Random places that end around ``place``, which is also the base return."""
    random = np.random.default_rng(seed)
    rows = random.random((length + 1, 2, 3))
    rows[:, :, 1] = 0.25
    rows[-1, :, 0] = place
    rewards = np.zeros((length, 2))
    rewards[-1] = place
    return EpisodeRows(
        rows, rewards, np.ones((length + 1, 2), dtype=bool), place, terminated, True
    )


def proposal(kind: KindName, expression: str, weight: float = 0.5) -> Proposal:
    term = Term(name="t", kind=kind, expression=expression, weight=weight)
    return Proposal(signal=Signal(terms=(term,)))


def checked(
    candidate: Proposal,
    tried: Sequence[Signal] = (),
    episodes: Sequence[EpisodeRows] | None = None,
) -> tuple[Proposal | None, str]:
    rows = [episode(seed) for seed in range(3)] if episodes is None else episodes
    checks = Checks(corridor_features(), AGENTS, rows, scale=1.0, gamma=0.99)
    return checks.check(candidate, tried)


def test_a_learner_with_a_replay_buffer_is_offered_no_signal_that_fades() -> None:
    fading = Signal(terms=proposal("progress", "place").signal.terms, fade=0.5)
    checks = Checks(corridor_features(), AGENTS, [], 1.0, 0.99, may_fade=False)
    admitted, remark = checks.check(Proposal(signal=fading), [])
    assert admitted is None
    assert "leave the fade out" in remark
    assert checked(Proposal(signal=fading))[0] is not None


def refused(
    candidate: Proposal,
    tried: Sequence[Signal] = (),
    episodes: Sequence[EpisodeRows] | None = None,
) -> str:
    admitted, remark = checked(candidate, tried, episodes)
    assert admitted is None
    return remark


@pytest.mark.parametrize(
    "good",
    [
        proposal("progress", "team_mean(place)"),
        proposal("potential", "-abs(place - mate_place)"),
        proposal("bonus", "place", 0.01),
        proposal("bonus", "delta(place)", 0.5),
        Proposal(signal=Signal()),
    ],
    ids=lambda p: p.signal.describe(),
)
def test_a_good_candidate_passes(good: Proposal) -> None:
    assert checked(good) == (good, "")
    assert checked(good, episodes=[]) == (good, "")


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (proposal("progress", "plaice"), "did you mean place"),
        (proposal("progress", "move"), "read from the action"),
        (proposal("progress", "1 / (mate_place - 0.25)"), "not finite in 100%"),
        (proposal("progress", "0 * mate_place"), "same value wherever features are"),
        (proposal("bonus", "delta(nothing)"), "no feature 'nothing'"),
        (proposal("progress", "place", 1e-5), "too little to be noticed"),
        (proposal("bonus", "place > 0.5", 0.3), "stand still in the best place"),
    ],
)
def test_rejections_say_why(candidate: Proposal, reason: str) -> None:
    assert reason in refused(candidate)


def test_what_was_tried_is_not_tried_again() -> None:
    old = proposal("progress", "team_mean( place )", 0.52).signal
    same = proposal("progress", "team_mean(place)")
    assert "tried already" in refused(same, [old])
    other = proposal("progress", "team_mean(place)", 2.0)
    assert checked(other, [old])[0] == other
    assert "tried already" in refused(Proposal(signal=Signal()), [Signal()])


@pytest.mark.parametrize(
    "expression",
    ["1 + team_mean(place)", "0.5 * team_sum(place)", "-team_mean(1 - place)"],
)
def test_the_same_in_other_words_is_not_tried_again(expression: str) -> None:
    old = proposal("progress", "team_mean(place)").signal
    unreadable = proposal("progress", "plaice").signal
    remark = refused(proposal("progress", expression), [unreadable, old])
    assert "tried already: 0.5 * progress[team_mean(place)]" in remark


def test_another_kind_or_schedule_is_something_else() -> None:
    old = proposal("progress", "team_mean(place)").signal
    strict = proposal("potential", "team_mean(place)")
    assert checked(strict, [old])[0] == strict
    fading = Proposal(signal=old.model_copy(update={"fade": 0.2}))
    assert checked(fading, [old])[0] == fading
    assert "tried already" in refused(fading, [fading.signal])


def test_every_expression_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many episodes and checks there are, and weights that are scaled down."""
    parsed = []

    def counting(text: str, *arguments: Any, **settings: Any) -> Node:
        parsed.append(text)
        return parse(text, *arguments, **settings)

    monkeypatch.setattr(shaper, "parse", counting)
    terms = (
        Term(name="a", kind="progress", expression="10 * place", weight=50.0),
        Term(name="b", kind="bonus", expression="delta(place)", weight=0.5),
    )
    kinds = [
        Term(name="a", kind="progress", expression="mate_place", weight=0.1),
        Term(name="b", kind="bonus", expression="place * mate_place", weight=0.1),
    ]
    tried = [
        Signal(terms=(kinds[0].model_copy(update={"weight": k + 1.0}), kinds[1]))
        for k in range(3)
    ]
    graded = [episode(seed, place=seed / 20) for seed in range(20)]
    admitted, remark = checked(Proposal(signal=Signal(terms=terms)), tried, graded)
    assert admitted is not None
    assert "scaled" in remark
    every = [*terms, *[term for signal in tried for term in signal.terms]]
    assert Counter(parsed) == Counter(term.expression for term in every)


def test_a_flood_is_scaled_down() -> None:
    admitted, remark = checked(proposal("progress", "10 * place", 50.0))
    assert admitted is not None
    assert admitted.signal.terms[0].weight < 5.0
    assert "scaled" in remark


MILESTONE = proposal("progress", "team_mean(mate_place) > 0.9", 1.0)


def test_what_has_not_happened_yet_is_not_taken_for_constant() -> None:
    """In all recorded episodes one feature has one value, and may have others."""
    assert checked(MILESTONE) == (MILESTONE, "")
    # So far nothing tells one milestone from another but the text.
    other = proposal("progress", "team_mean(mate_place) > 0.8", 1.0)
    assert checked(other, [MILESTONE.signal]) == (other, "")
    assert "tried already" in refused(other, [other.signal])
    never = proposal("progress", "team_mean(mate_place) > 1.5")
    assert "same value wherever" in refused(never)


def test_a_milestone_pays_as_if_it_happened_once() -> None:
    tiny = proposal("progress", "mate_place > 0.9", 1e-4)
    assert "would pay 0.0001 an episode" in refused(tiny)
    admitted, remark = checked(proposal("progress", "mate_place > 0.9", 40.0))
    assert admitted is not None
    assert "scaled by 0.25, because it would have paid 40" in remark
    assert admitted.signal.terms[0].weight == 10.0


def test_going_back_and_forth_floods_nothing() -> None:
    """A hundred steps of a whole approach and back sum up to much and net to little."""
    swing = episode(0, length=100)
    swing.rows[:, :, 0] = np.arange(101)[:, None] % 2
    whole = proposal("progress", "place", 2.0)
    assert checked(whole, episodes=[swing]) == (whole, "")
    steady = proposal("progress", "place", 20.0)
    admitted, remark = checked(steady, episodes=[swing])
    assert admitted is not None
    assert "it would have paid 20 an episode" in remark


def test_pay_for_standing_still_depends_on_how_long_one_may_stand() -> None:
    bonus = proposal("bonus", "place > 0.5", 0.05)
    assert checked(bonus)[0] == bonus
    long = [episode(seed, length=100) for seed in range(3)]
    assert "agents would stay" in refused(bonus, episodes=long)
    # What standing still costs elsewhere in the signal counts.
    cost = Term(name="cost", kind="bonus", expression="place * 0 - 1", weight=0.045)
    both = Signal(terms=(*bonus.signal.terms, cost.model_copy(update={"bound": 1.0})))
    assert "same value wherever" in refused(Proposal(signal=both), episodes=long)


def test_pay_for_dying_is_refused() -> None:
    dead = [episode(seed, place=0.0, length=3 + seed) for seed in range(4)]
    alive = [episode(seed, place=0.5, terminated=False) for seed in range(4)]
    cost = proposal("bonus", "-(1 - 0.1 * place)", 0.12)
    assert "would end their" in refused(cost, episodes=[*dead, *alive])
    # Where no episode ends badly, a cost of time is a usual thing.
    assert checked(cost, episodes=alive)[0] == cost
    jump = proposal("progress", "place < 0.01", 1.0)
    assert "gains" in refused(jump, episodes=[*dead, *alive])


def test_worse_must_not_rank_above_better() -> None:
    graded = [episode(seed, place=seed / 20) for seed in range(20)]
    assert "ranks worse episodes" in refused(
        proposal("progress", "-place"), episodes=graded
    )
    right = proposal("progress", "place")
    assert checked(right, episodes=graded)[0] == right
    # Where all returns are alike there is nothing to rank.
    alike = [episode(seed) for seed in range(20)]
    wrong = proposal("progress", "-place")
    assert checked(wrong, episodes=alike)[0] == wrong


def test_terms_beside_an_expert_are_checked_and_the_expert_too() -> None:
    stay = Rule(when="place > far", do="stay")
    expert = Expert(rules=(stay, Rule(when="1", do="on")))
    term = Term(name="t", kind="progress", expression="place - far", weight=0.5)
    both = Signal(terms=(term,), define={"far": "0.9"}, expert=expert)
    alone = Signal(define={"far": "0.9"}, expert=expert)
    assert checked(Proposal(signal=alone))[1].startswith("it has an expert")
    actions = Actions((Action("stay", 0), Action("on", 2)))
    rows = [episode(seed) for seed in range(3)]
    checks = Checks(corridor_features(), AGENTS, rows, 1.0, 0.99, actions=actions)
    for signal in (both, alone):
        assert checks.check(Proposal(signal=signal), []) == (
            Proposal(signal=signal),
            "",
        )
        assert checks.check(Proposal(signal=signal), [signal])[0] is None
    terms = Signal(terms=(term,), define={"far": "0.9"})
    assert checks.check(Proposal(signal=both), [terms, alone])[0] is not None
    flooding = both.with_terms((term.model_copy(update={"weight": 90.0}),))
    admitted, remark = checks.check(Proposal(signal=flooding), [])
    assert admitted is not None
    assert "scaled" in remark
    assert admitted.signal.expert == expert
    wrong = alone.model_copy(update={"expert": Expert(rules=(Rule(when="1", do="x"),))})
    assert checks.check(Proposal(signal=wrong), [])[1] == (
        "rule 1 says 'x'; it may say stay, on"
    )
