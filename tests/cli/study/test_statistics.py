"""The statistics of a study, beside what rliable 1.2.0 says of the same scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.cli.study.statistics import (
    bootstrap,
    interquartile_mean,
    probability_of_improvement,
    profile,
)

FIRST = {
    "a": [0.1, 0.2, 0.15, 0.4, 0.05],
    "b": [0.9, 0.8, 0.95, 0.7, 0.99],
    "c": [0.3, 0.35, 0.1, 0.5, 0.2],
}
SECOND = {
    "a": [0.12, 0.1, 0.15, 0.2, 0.0],
    "b": [0.5, 0.6, 0.4, 0.97, 0.3],
    "c": [0.3, 0.3, 0.2, 0.6, 0.25],
}
NUMBERS = st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=8)


def test_the_interquartile_mean_is_that_of_rliable() -> None:
    assert interquartile_mean(FIRST) == pytest.approx(0.4)
    assert interquartile_mean(SECOND) == pytest.approx(0.2888888889)


def test_the_probability_of_improvement_is_that_of_rliable() -> None:
    assert probability_of_improvement(FIRST, SECOND) == pytest.approx(0.64)


def test_the_profile_is_that_of_rliable() -> None:
    shares = profile(FIRST, [0.0, 0.2, 0.5, 0.9])
    assert shares == pytest.approx([1.0, 0.6, 1 / 3, 2 / 15])


def test_intervals_are_those_of_rliable() -> None:
    estimate, low, high = bootstrap(interquartile_mean, FIRST)
    assert estimate == pytest.approx(0.4)
    assert (low, high) == pytest.approx((0.322, 0.489), abs=0.01)
    _, low, high = bootstrap(probability_of_improvement, FIRST, SECOND)
    assert (low, high) == pytest.approx((0.44, 0.833), abs=0.02)


def test_a_task_that_one_arm_lacks_is_left_out_of_the_probability() -> None:
    more = {**FIRST, "d": [0.0]}
    assert probability_of_improvement(more, SECOND) == pytest.approx(0.64)
    with pytest.raises(ValueError, match="no task in common"):
        probability_of_improvement({"d": [0.0]}, SECOND)


@given(NUMBERS, NUMBERS)
def test_one_of_two_arms_beats_the_other_as_often_as_it_is_not_beaten(
    one: list[float], other: list[float]
) -> None:
    forth = probability_of_improvement({"a": one}, {"a": other})
    back = probability_of_improvement({"a": other}, {"a": one})
    assert forth + back == pytest.approx(1.0)
    wins = np.subtract.outer(one, other)
    assert forth == pytest.approx(np.mean((wins > 0) + 0.5 * (wins == 0)))


@settings(max_examples=20)
@given(NUMBERS)
def test_intervals_lie_within_the_scores_and_repeat_themselves(
    scores: list[float],
) -> None:
    interval = bootstrap(interquartile_mean, {"a": scores})
    assert interval == bootstrap(interquartile_mean, {"a": scores})
    slack = 1e-9
    assert min(scores) - slack <= interval.low <= interval.high <= max(scores) + slack
