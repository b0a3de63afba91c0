"""Weighed episodes tell what an evaluation of the same policy tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from also_wrappers.evidence.episodes import EPISODE, Episodes, weigh
from tests.support.watched import (
    LIMIT,
    Draw,
    short_or_fails,
    starts_of,
    succeeds_at_any_time,
    watch,
)

_COPIES = 16
_POLICIES = [short_or_fails(0.3), short_or_fails(0.5), succeeds_at_any_time]


def truth(draw: Draw) -> float:
    random = np.random.default_rng(1)
    return float(np.mean([draw(random)[1] for _ in range(100_000)]))


def means(
    draw: Draw, begin: int, end: int, times: int = 300
) -> npt.NDArray[np.float64]:
    """Plain and weighed means over a window, of many trainings."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(times):
        played = watch(draw, _COPIES, end, random)
        inside = played[played["end"] > begin]
        weights = weigh(inside, starts_of(played, _COPIES), begin, end)
        returns = inside["base_return"]
        found.append((returns.mean(), np.average(returns, weights=weights)))
    return np.array(found)


@pytest.mark.parametrize("draw", _POLICIES)
def test_short_episodes_are_not_counted_too_often(draw: Draw) -> None:
    plain, weighed = means(draw, 0, 2 * LIMIT).T
    expected = truth(draw)
    assert plain.mean() - expected > 0.045
    assert abs(weighed.mean() - expected) < 0.015
    assert np.abs(weighed - expected).mean() < 0.95 * np.abs(plain - expected).mean()


@pytest.mark.parametrize("draw", _POLICIES)
@pytest.mark.parametrize("window", [(0, 5), (0, 10), (1, 2), (2, 5), (5, 10)])
def test_weights_cost_no_certainty_where_they_are_not_needed(
    draw: Draw, window: tuple[int, int]
) -> None:
    plain, weighed = means(draw, *(limits * LIMIT for limits in window)).T
    expected = truth(draw)
    assert abs(weighed.mean() - expected) < 0.015
    assert weighed.std() < 1.12 * plain.std()
    wrong = np.sqrt(np.square(np.array([plain, weighed]) - expected).mean(axis=1))
    assert wrong[1] < 1.05 * wrong[0]


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=4, unique=True)


@given(length=st.integers(1, 60), copies=st.integers(1, 8), data=st.data())
def test_episodes_of_one_length_weigh_exactly_one(
    length: int, copies: int, data: st.DataObject
) -> None:
    end = data.draw(st.integers(length, 20 * length))
    begin = data.draw(st.floats(0.0, end - end % length - 1))
    played = watch(lambda _: (length, 1.0), copies, end, np.random.default_rng(0))
    inside = played[played["end"] > begin]
    assert len(inside)
    weights = weigh(inside, starts_of(played, copies), begin, end)
    assert (weights == 1.0).all()
    returns = np.random.default_rng(length).normal(size=len(inside))
    assert np.average(returns, weights=weights) == returns.mean()


@given(lengths=lengths, begin=st.integers(0, 100), more=st.integers(0, 100))
def test_lengths_that_start_equally_often_weigh_equally(
    lengths: list[int], begin: int, more: int
) -> None:
    """From every step that episodes start at, one of each length starts."""
    end = begin + 30 + more
    begun = np.repeat(np.arange(0, end, 7), len(lengths))
    episodes = np.zeros(len(begun), EPISODE)
    episodes["length"] = np.tile(lengths, len(begun) // len(lengths))
    episodes["end"] = begun + episodes["length"]
    inside = episodes[(episodes["end"] > begin) & (episodes["end"] <= end)]
    weights = weigh(inside, begun, begin, end)
    shares = [weights[inside["length"] == length].sum() for length in lengths]
    assert np.allclose(shares, shares[0])


@given(seed=st.integers(0, 1000), by=st.integers(-50, 10_000), begin=st.integers(0, 80))
def test_weights_depend_neither_on_the_clock_nor_on_the_order(
    seed: int, by: int, begin: int
) -> None:
    random = np.random.default_rng(seed)
    played = watch(short_or_fails(0.7), 4, 2 * LIMIT, random)
    inside = played[played["end"] > begin]
    assume(len(inside))  # a window holds an episode at least
    starts = starts_of(played, 4)
    weights = weigh(inside, starts, begin, 2 * LIMIT)
    assert (weights > 0.0).all()
    assert weights.max() == 1.0
    later = inside.copy()
    later["end"] += by
    shifted = weigh(later, starts + by, begin + by, 2 * LIMIT + by)
    assert np.array_equal(shifted, weights)
    order = random.permutation(len(inside))
    mixed: Episodes = inside[order]
    again = weigh(mixed, random.permutation(starts), begin, 2 * LIMIT)
    assert np.array_equal(again, weights[order])


@given(longest=st.integers(1, 60), begin=st.integers(60, 150))
def test_starts_long_before_the_window_do_not_matter(longest: int, begin: int) -> None:
    random = np.random.default_rng(longest)
    played = watch(lambda r: (int(r.integers(1, longest + 1)), 0.0), 3, 200, random)
    starts = starts_of(played, 3)
    inside = played[played["end"] > begin]
    recent = starts[starts > begin - longest]
    weights = weigh(inside, starts, begin, 200)
    assert np.array_equal(weigh(inside, recent, begin, 200), weights)


def test_an_episode_that_misses_its_own_stretch_weighs_something() -> None:
    """As where copies do not step together, or an episode was left before its end."""
    episodes = np.zeros(2, EPISODE)
    episodes["length"], episodes["end"] = [3, 90], [100, 95]
    weights = weigh(episodes, np.array([97]), 90, 100)
    assert weights.tolist() == [1.0, 1.0]
