"""Point scores, for comparison."""

from __future__ import annotations

import math

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Decision, Request, Trial
from also_wrappers.gate.score import Points, ScoreGate

FLAT = (0.1,) * 6
RISING = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
SPIKE = (0.1, 0.1, 0.9, 0.1, 0.1, 0.1)


def trial(arm: int, points: tuple[float, ...], ok: bool = True) -> Trial:
    return Trial(Request(arm, "screen", 0), points[-1], 0.01, ok, points)


def test_a_curve_is_reduced_by_the_published_weights() -> None:
    found = Points.of(RISING)
    assert found.last == pytest.approx(0.3)
    assert found.area == pytest.approx(0.25)
    assert (found.final, found.best) == (0.5, 0.5)
    assert found.spike == pytest.approx(0.2)
    assert found.spread == pytest.approx(math.sqrt(0.02))
    expected = 0.35 * 0.3 + 0.35 * 0.25 + 0.2 * 0.5 + 0.1 * 0.5
    assert found.score == pytest.approx(expected - 0.1 * (0.2 + math.sqrt(0.02)))


@pytest.mark.parametrize(
    ("candidate", "soft", "hard"),
    [
        (FLAT, None, None),
        (RISING, 1, None),  # a rising curve spreads
        (SPIKE, 1, None),
        ((0.1, 0.2, 0.2, 0.2, 0.2, 0.2), 1, 1),
        ((0.0,) * 6, None, None),
    ],
)
def test_what_is_accepted(
    candidate: tuple[float, ...], soft: int | None, hard: int | None
) -> None:
    trials = [trial(0, FLAT), trial(1, candidate)]
    fresh = Trial(Request(1, "confirm", 1), 0.2, 0.01)
    for gate, expected in ((ScoreGate(), soft), (ScoreGate(hard=True), hard)):
        step = gate.next(2, trials)
        if expected is None:
            assert isinstance(step, Decision)
            assert step.winner is None
            continue
        assert step == [fresh.request]  # what becomes the mainline is on a fresh seed
        decided = gate.next(2, [*trials, fresh])
        assert isinstance(decided, Decision)
        assert decided.winner == expected


def test_failures_and_bad_numbers() -> None:
    gate = ScoreGate()
    broken = [trial(0, FLAT, ok=False), trial(1, RISING)]
    assert gate.next(2, broken) == Decision("undecided", "the control branch failed")
    broken = [trial(0, FLAT), trial(1, RISING, ok=False)]
    decided = gate.next(2, broken)
    assert isinstance(decided, Decision)
    assert decided.winner is None
    with pytest.raises(ConfigurationError, match="must not be negative"):
        ScoreGate(margin=-0.1)
