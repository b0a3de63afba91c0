"""What every executor does with an order, wherever the branch runs."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor
from also_wrappers.branches.ray import RayExecutor
from also_wrappers.exceptions import ConfigurationError
from tests.support.workers import Leaves, Unreadable, orders


@pytest.fixture(params=["here", "processes", "ray"])
def executor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Executor]:
    """An executor, in a working directory that has the snapshot ``start``."""
    executor: Executor
    if request.param == "here":
        executor = SerialExecutor()
    elif request.param == "processes":
        executor = ProcessExecutor(2, timeout=8.0)
    else:
        request.getfixturevalue("running_ray")
        executor = RayExecutor(timeout=30.0)  # its workers import once more
        executor.warm(Leaves())
    monkeypatch.chdir(tmp_path)
    Path("start").write_text("start")
    yield executor
    executor.close()


def test_only_a_branch_that_succeeds_leaves_its_end(
    executor: Executor, tmp_path: Path
) -> None:
    list(executor.run(orders(1)))  # the imports of the first worker are another matter
    seeds = [1, 2, 3, 4]
    if executor.beside:
        seeds += [666, 777]
    wanted = [
        replace(order, fork=Leaves(), end=tmp_path / f"{order.seed}")
        for order in orders(*seeds)
    ]
    wanted[1] = replace(wanted[1], end=None)
    for order in wanted[2:]:  # what an earlier attempt has left does not count
        assert order.end is not None
        order.end.write_text("old")
    results = {result.seed: result for result in executor.run(wanted)}
    assert [seed for seed in seeds if results[seed].ok] == [1, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"start", "1"}
    assert results[1].snapshot == tmp_path / "1"
    assert (tmp_path / "1").read_text() == "start and 1"
    assert all(results[seed].snapshot is None for seed in seeds[1:])
    assert "no such weather (workers.py:" in results[3].error
    assert results[4].error.startswith("no episode ended in the last half")
    assert results[4].seconds > 0.0
    if executor.beside:
        assert "died" in results[666].error
        assert "gave no result within" in results[777].error


def test_paths_of_an_order_may_be_relative(executor: Executor) -> None:
    (order,) = orders(1)
    (result,) = executor.run([replace(order, fork=Leaves(), end=Path("end"))])
    assert result.error == ""
    assert Path("end").read_text() == "start and 1"


def test_a_snapshot_that_is_not_there_is_a_branch_that_failed(
    executor: Executor,
) -> None:
    (order,) = orders(1)
    order = replace(order, fork=Leaves(), end=Path("end"))
    lost = replace(order, snapshot=Path("lost"), end=Path("other"))
    for wanted in ([lost], [lost, order]):
        results = list(executor.run(wanted))
        (failed,) = (result for result in results if not result.ok)
        assert "FileNotFoundError" in failed.error
        assert len(results) == len(wanted)


def test_an_order_that_cannot_be_read_is_a_branch_that_failed(
    executor: Executor,
) -> None:
    if isinstance(executor, SerialExecutor):
        pytest.skip("it sends no orders")
    (order,) = orders(1)
    bad: Any = Unreadable()
    (result,) = executor.run([replace(order, fork=bad)])
    (fine,) = executor.run([order])
    assert "OSError: nobody can read this (workers.py:" in result.error
    assert "pid" in fine.error


def test_who_stops_listening_ends_what_is_running(executor: Executor) -> None:
    running: Any = executor.run(orders(1, 777))
    next(running)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 5.0
    assert list(executor.run(orders(1)))


def test_a_branch_does_not_depend_on_what_its_process_did_before(
    executor: Executor,
) -> None:
    drawn: dict[int, set[str]] = {1: set(), 2: set()}
    random.seed(5)
    before = random.getstate()
    for where in (executor, SerialExecutor(), executor):
        for result in where.run(orders(2, 1, 1, 2)):
            drawn[result.seed].add(result.error.partition("drew ")[2].partition(")")[0])
    assert {seed: len(values) for seed, values in drawn.items()} == {1: 1, 2: 1}
    assert drawn[1] != drawn[2]
    assert random.getstate() == before


def test_a_missing_ray_is_said_before_any_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'also-wrappers\[ray\]'"):
        RayExecutor()


def test_at_least_one_branch_is_in_flight() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigurationError, match="at least 1 branch"):
        RayExecutor(in_flight=0)
