"""Players of auditions: which of many is tried."""

from __future__ import annotations

import pytest

from also_wrappers.loop.plays import best_of
from also_wrappers.proposals.outcomes import Played
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Expert, Rule, Signal


def played(
    earned: float, error: float, coverage: float, distance: float = 0.5, **more: float
) -> Played:
    rules = (Rule(when=f"{earned} + {coverage} + {distance}", do="on"),)
    proposal = Proposal(signal=Signal(expert=Expert(rules=rules)))
    numbers = {
        "earned": earned,
        "error": error,
        "coverage": coverage,
        "distance": distance,
    }
    return Played(proposal=proposal, **({"rate": 0.0, "policy": 0.0} | numbers | more))


@pytest.mark.parametrize(
    ("experts", "best"),
    [
        ([(0.5, 0.1, 0.3), (0.45, 0.1, 0.9)], 1),  # alike, and it says more
        ([(0.5, 0.1, 0.3), (0.35, 0.1, 0.9)], 0),
        # Luck of one episode is not like nothing.
        ([(0.031, 0.031, 0.3), (0.0, 0.0, 0.9)], 0),
        ([(-5.0, 1.0, 0.3), (-5.5, 1.0, 0.4), (-9.5, 1.0, 0.9)], 1),
        # Alike, and they say about as much: the nearest to the policy.
        ([(0.5, 0.1, 0.9, 0.7), (0.45, 0.1, 0.85, 0.4)], 1),
        ([(0.5, 0.1, 0.9, 0.7), (0.45, 0.1, 0.6, 0.1)], 0),
        ([(0.5, 0.1, 0.9, 0.7), (0.3, 0.1, 0.9, 0.1)], 0),
    ],
)
def test_of_experts_that_earn_alike_the_one_is_tried_that_says_more_and_is_nearer(
    experts: list[tuple[float, ...]], best: int
) -> None:
    policy = -10.0 if experts[0][0] < 0.0 else 0.0
    many = [played(*numbers, policy=policy) for numbers in experts]
    assert best_of(many) is many[best]


def test_where_none_earns_more_conditions_speak_or_nobody() -> None:
    assert best_of([]) is None
    assert best_of([played(0.0, 0.0, 1.0), played(0.0, 0.0, 0.5)]) is None
    assert best_of([played(0.2, 0.1, 1.0, policy=0.3, rate=0.9)]) is None
    seen = played(0.0, 0.0, 0.5, rate=0.2)
    assert best_of([played(0.0, 0.0, 1.0, rate=0.1), seen]) is seen
