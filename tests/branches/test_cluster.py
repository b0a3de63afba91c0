"""The schedule of a cluster on paper agrees with what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.cluster import ORDER, RESULT, Plan, simulate

#: Two nodes on which nothing fails, and nothing but training takes time.
EXACT = Plan(
    branches=8,
    seconds=60.0,
    spread=0.0,
    nodes=2,
    processors=2,
    snapshot=0.0,
    start=0.0,
    overhead=0.0,
    deaths=0.0,
    node_deaths=0.0,
)


def test_branches_are_trained_as_many_at_a_time_as_allowed() -> None:
    for in_flight, waves in ((0, 2), (1, 8), (2, 4), (3, 3)):
        out = simulate(replace(EXACT, in_flight=in_flight))
        assert out.makespan == pytest.approx(60.0 * waves)
        assert out.flying == (in_flight or 4)
        assert out.useful == pytest.approx(480.0)
        assert out.failed.total() == 0


def test_workers_start_once_and_again_after_so_many_branches() -> None:
    out = simulate(replace(EXACT, start=10.0))
    assert out.makespan == pytest.approx(10.0 + 120.0)
    alone = Plan(**{**vars(EXACT), "branches": 101, "in_flight": 1, "start": 10.0})
    assert simulate(alone).makespan == pytest.approx(101 * 60.0 + 3 * 10.0)


def test_a_snapshot_is_sent_to_each_node_once_and_every_end_comes_back() -> None:
    out = simulate(replace(EXACT, snapshot=1e9, network=1e9, kept=1.0, branches=100))
    assert out.sent == pytest.approx(2e9 + 100 * ORDER)
    assert out.received == pytest.approx(100e9 + 100 * RESULT)
    assert out.driver == pytest.approx(100.0)
    assert out.memory > 4e9


def test_what_fails_costs_its_branch_and_a_hanging_one_its_time() -> None:
    all_die = simulate(replace(EXACT, deaths=1.0))
    assert all_die.failed == {"worker died": 8}
    assert all_die.useful == 0.0
    hung = simulate(replace(EXACT, hangs=1.0, timeout=100.0))
    assert hung.failed == {"timed out": 8}
    assert hung.makespan == pytest.approx(200.0)


def test_a_node_that_dies_takes_its_branches_with_it() -> None:
    out = simulate(replace(EXACT, branches=200, node_deaths=1.0, nodes=50, seed=1))
    assert out.failed["node died"] > 0
    assert out.failed.total() <= 2 * 50
    assert out.useful == pytest.approx(60.0 * (200 - out.failed.total()))
    with pytest.raises(RuntimeError, match="all nodes died"):
        simulate(replace(EXACT, branches=1000, node_deaths=100.0))
