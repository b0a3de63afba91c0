"""What tells agents apart in recorded episodes."""

from __future__ import annotations

import numpy as np

from also_wrappers.evidence.episodes import EpisodeRows, telling_apart

NAMES = ["place", "b", "c"]


def episode(offset: float, *, turned: bool = False) -> EpisodeRows:
    """Random features of two agents, and an offset between their places."""
    rows = np.random.default_rng(0).random((21, 2, 3))
    rows[:, 1, 0] += offset
    there = np.ones((21, 2), dtype=bool)
    rows = rows[:, ::-1] if turned else rows
    return EpisodeRows(rows, np.zeros((20, 2)), there, 0.0, False, True)


def test_a_feature_tells_apart_whose_values_are_never_in_a_common_range() -> None:
    assert telling_apart([], NAMES) == []
    assert telling_apart([episode(0.0), episode(0.0)], NAMES) == []
    assert telling_apart([episode(5.0), episode(5.0)], NAMES) == ["place"]


def test_what_tells_apart_within_an_episode_alone_does_not() -> None:
    assert telling_apart([episode(5.0), episode(5.0, turned=True)], NAMES) == []


def test_who_is_gone_has_no_values() -> None:
    there = np.ones((21, 2), dtype=bool)
    there[3:, 0] = False
    gone = episode(5.0)
    gone.rows[3:, 0] = 99.0
    gone = EpisodeRows(gone.rows, gone.rewards, there, 0.0, False, True)
    assert telling_apart([gone], NAMES) == ["place"]
