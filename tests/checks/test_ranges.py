"""Intervals hold every value that an expression has."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.checks.ranges import interval, ranges
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.signal import Feature, FeatureMap, parse
from also_wrappers.signal.language.arrays import evaluate_binary
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import Node
from tests.support.language import NAMES, nodes

ENDS = st.tuples(st.integers(-5, 5), st.integers(-5, 5)).map(sorted)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(nodes(delta=True), st.lists(ENDS, min_size=3, max_size=3), st.integers(0, 99))
def test_no_value_lies_outside_of_an_interval(
    node: Node, ends: list[list[int]], seed: int
) -> None:
    tree = binary(node)
    features = [(float(low), float(high)) for low, high in ends]
    low, high = interval(tree, features, agents=3)
    random = np.random.default_rng(seed)
    lows, highs = np.transpose(features)
    # Ends are where most comparisons turn.
    share = random.choice([0.0, 1.0, 0.5, random.random()], size=(2, 50, 3, 3))
    rows = lows + share * (highs - lows)
    alive = np.ones((50, 3), dtype=bool)
    values = evaluate_binary(tree, rows[0], rows[1], alive)
    values = values[np.isfinite(values)]
    slack = 1e-9 * max(1.0, np.abs(values).max(initial=0.0))
    assert ((values >= low - slack) & (values <= high + slack)).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 * distance + 3", (3.0, 3.0)),
        ("team_sum(left) > 3.5", (0.0, 0.0)),
        ("left < 0.5", (0.0, 1.0)),
        ("left >= 0", (1.0, 1.0)),
        ("where(left >= 0, distance, speed)", (0.0, 1.0)),
        ("(distance - 0.5) ** 2", (0.0, 0.25)),
        ("1 / distance", (-math.inf, math.inf)),
        ("sqrt(speed)", (-math.inf, math.inf)),
        ("clip(speed, -2, 2)", (-2.0, 2.0)),
        ("team_std(distance)", (0.0, 0.5)),
        ("not left > 4", (1.0, 1.0)),
    ],
)
def test_intervals_are_as_tight_as_ranges_allow(
    text: str, expected: tuple[float, float]
) -> None:
    features = [(0.0, 1.0), (0.0, 1.0), (-math.inf, math.inf)]
    assert interval(binary(parse(text, NAMES)), features, agents=3) == expected


def test_ranges_are_as_declared_and_hold_what_was_recorded() -> None:
    features = FeatureMap(
        Feature("declared", "obs[0]", "", 0.0, 1.0),
        Feature("open", "obs[1]"),
        Feature("still", "obs[2]"),
        Feature("half", "obs[3]", "", 0.0),
    )
    rows = np.zeros((3, 1, 4))
    rows[:, 0, 0] = [0.5, 0.6, 2.0]
    rows[:, 0, 1] = [0.5, 0.6, math.nan]
    rows[:, 0, 2] = 7.0
    rows[:, 0, 3] = [0.1, 0.2, 0.3]
    there = np.ones((3, 1), dtype=bool)
    episode = EpisodeRows(rows, np.zeros((2, 1)), there, 0.0, True, True)
    expected = [(0.0, 2.0), (-math.inf, math.inf), (7.0, 7.0), (0.0, math.inf)]
    assert ranges(features, [episode]) == expected
    gone = replace(episode, alive=there & False)
    assert ranges(features, [gone]) == ranges(features, [])
