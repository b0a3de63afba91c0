"""Candidates are checked on recorded episodes before any training."""

from __future__ import annotations

import numpy as np
import pytest

from also_wrappers.advisors.base import Proposal
from also_wrappers.signal import Signal, Term
from also_wrappers.signal.model import Kind
from also_wrappers.slots import EpisodeRows
from also_wrappers.testing import corridor_features
from also_wrappers.validation.check import CheckResult, check

AGENTS = ("agent_0", "agent_1")


def episode(seed: int) -> EpisodeRows:
    random = np.random.default_rng(seed)
    rows = random.random((11, 2, 3))
    rows[:, :, 1] = 0.25
    return EpisodeRows(
        rows, np.zeros((10, 2)), np.ones((11, 2), dtype=bool), 0.0, True, True
    )


def proposal(kind: Kind, expression: str, weight: float = 0.5) -> Proposal:
    term = Term(name="t", kind=kind, expression=expression, weight=weight)
    return Proposal(signal=Signal(terms=(term,)))


def checked(candidate: Proposal, tried: tuple[Signal, ...] = ()) -> CheckResult:
    episodes = [episode(seed) for seed in range(3)]
    return check(candidate, corridor_features(), AGENTS, episodes, tried, 1.0)


def test_a_good_candidate_passes() -> None:
    good = proposal("progress", "team_mean(place)")
    assert checked(good) == (good, "")


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (proposal("progress", "plaice"), "did you mean place"),
        (proposal("progress", "move"), "read from the action"),
        (proposal("progress", "1 / (mate_place - 0.25)"), "not finite in 100%"),
        (proposal("progress", "2 * mate_place"), "same value at every recorded step"),
        (proposal("bonus", "delta(nothing)"), "no feature 'nothing'"),
    ],
)
def test_rejections_say_why(candidate: Proposal, reason: str) -> None:
    admitted, remark = checked(candidate)
    assert admitted is None
    assert reason in remark


def test_what_was_tried_is_not_tried_again() -> None:
    old = proposal("progress", "team_mean( place )", 0.52).signal
    admitted, remark = checked(proposal("progress", "team_mean(place)"), (old,))
    assert admitted is None
    assert "tried already" in remark
    other = proposal("progress", "team_mean(place)", 2.0)
    assert checked(other, (old,))[0] == other


def test_a_flood_is_scaled_down() -> None:
    admitted, remark = checked(proposal("bonus", "10 * place", 50.0))
    assert admitted is not None
    assert admitted.signal.terms[0].weight < 0.5
    assert "scaled" in remark
