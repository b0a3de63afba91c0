"""Experts that are certainly useless are refused, with the number of the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from also_wrappers.catalog import lbforaging, rware
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.testing import corridor_features
from tests.support.answers import WALK
from tests.support.experts import recorded

AGENTS = ("agent_0", "agent_1")


def episodes(count: int) -> list[EpisodeRows]:
    """Places below a half, thirty steps an episode."""
    random = np.random.default_rng(0)
    there = np.ones((31, 2), dtype=bool)
    return [
        EpisodeRows(
            random.random((31, 2, 3)) / 2, np.zeros((30, 2)), there, 0.0, False, True
        )
        for _ in range(count)
    ]


def refusal(*rules: Rule, rows: Sequence[EpisodeRows] = ()) -> str:
    checks = Checks(corridor_features(), AGENTS, rows, 1.0, 0.99, actions=WALK)
    admitted, remark = checks.check(
        Proposal(signal=Signal(expert=Expert(rules=rules))), []
    )
    assert (admitted is None) == bool(remark)
    return remark


ALWAYS = Rule(when="1", do="on")
LATE = Rule(when="place > 0.9", do="stay")


def test_a_rule_behind_one_that_always_counts_is_refused_by_number() -> None:
    assert refusal(LATE, ALWAYS) == ""
    assert refusal(ALWAYS, LATE).startswith(
        "rule 2 can never count, because rule 1 before it always holds"
    )
    disguised = Rule(when="place >= 0 or mate_place > 0.5", do="back")
    assert "rule 2 can never count" in refusal(disguised, LATE)


def test_a_rule_that_may_lead_nowhere_leaves_room_behind_it() -> None:
    assert refusal(Rule(when="1", do="toward mate"), LATE) == ""


def test_roles_shut_out_their_own_agents_only() -> None:
    own = [Rule(when="1", do="on", agents=(agent,)) for agent in AGENTS]
    assert refusal(own[0], LATE) == ""
    assert refusal(*own) == ""
    assert "rule 2 can never" in refusal(
        own[0], LATE.model_copy(update={"agents": (AGENTS[0],)})
    )
    assert "rule 3 can never count, because rule 2" in refusal(*own, LATE)


def test_roles_are_remarked_where_nothing_tells_agents_apart() -> None:
    role = Rule(when="place < 0.4", do="on", agents=AGENTS[:1])
    everyone = role.model_copy(update={"agents": None})
    same, apart = episodes(3), episodes(3)
    for episode in apart:
        episode.rows[:, 1] += 0.5
    remarks = {}
    for name, rule, rows in (
        ("alike", role, same),
        ("apart", role, apart),
        ("nobody knows", role, []),
        ("all", everyone, same),
    ):
        checks = Checks(corridor_features(), AGENTS, rows, 1.0, 0.99, actions=WALK)
        signal = Signal(expert=Expert(rules=(rule,)))
        admitted, remarks[name] = checks.check(Proposal(signal=signal), [])
        assert admitted is not None
    assert remarks.pop("alike").startswith("no recorded feature tells agents apart")
    assert set(remarks.values()) == {""}


def test_a_rule_that_no_state_can_meet_is_refused() -> None:
    assert refusal(LATE, Rule(when="place > 1.5", do="on")) == (
        "rule 2 never holds: 'place > 1.5' is at most 0 while features are in their "
        "ranges; leave the rule out or mend it"
    )


def test_what_was_recorded_refuses_only_an_expert_that_is_silent_throughout() -> None:
    assert refusal(LATE, rows=episodes(3)) == ""  # few steps say little
    assert refusal(LATE, rows=episodes(10)).startswith(
        "the expert is silent at all 600 recorded steps of agents"
    )
    # A rule for a late state is left to the audition, beside one that speaks.
    assert refusal(LATE, Rule(when="place > 0.4", do="on"), rows=episodes(10)) == ""


@pytest.mark.parametrize(
    ("name", "catalog", "env_id"),
    [
        ("foraging_8x8", lbforaging, "Foraging-8x8-2p-2f-coop-v3"),
        ("foraging_10x10", lbforaging, "Foraging-10x10-3p-3f-coop-v3"),
        ("warehouse", rware, "rware-tiny-2ag-v2"),
    ],
)
def test_experts_that_earn_something_pass(name: str, catalog: Any, env_id: str) -> None:
    env = catalog.parallel_env(env_id)
    features = catalog.features(env, experts=True)
    actions = catalog.actions(env)
    checks = Checks(features, env.possible_agents, [], 1.0, 0.99, actions=actions)
    assert checks.check(Proposal(signal=recorded(name)), [])[1] == ""
