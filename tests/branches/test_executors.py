"""Workers: they stay, they are replaced, and none is left behind."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor
from also_wrappers.testing import Corridor
from also_wrappers.trainer import ForkOutcome
from tests.support.processes import hear_interrupts
from tests.support.workers import Tells, orders, pids


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_workers_stay_between_runs_and_end_with_close() -> None:
    executor = ProcessExecutor(2)
    executor.warm(Tells())
    first = pids(list(executor.run(orders(*range(8)))))
    again = pids(list(executor.run(orders(*range(8)))))
    assert len(first | again) == 2
    executor.close()
    assert all(gone(process) for process in first)
    later = pids(list(executor.run(orders(1))))
    assert later
    assert not later & first
    executor.close()


def test_workers_are_replaced_after_so_many_branches() -> None:
    executor = ProcessExecutor(1, recycle=2)
    found = [pids([r]).pop() for r in executor.run(orders(*range(5)))]
    executor.close()
    assert len(set(found)) == 3
    assert found[0] == found[1]


def test_a_worker_that_was_killed_while_idle_is_replaced() -> None:
    executor = ProcessExecutor(1)
    (first,) = pids(list(executor.run(orders(1))))
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    (second,) = pids(list(executor.run(orders(1))))
    assert first != second
    executor.close()


def test_a_worker_that_dies_or_hangs_costs_its_branch() -> None:
    executor = ProcessExecutor(2, timeout=8.0)
    results = {r.seed: r for r in executor.run(orders(1, 666, 2, 777, 3))}
    assert "exit code 7" in results[666].error
    assert "within 8 seconds" in results[777].error
    assert len(pids([results[seed] for seed in (1, 2, 3)])) >= 1
    assert all("pid" in results[seed].error for seed in (1, 2, 3))
    executor.close()


class Leaves(Tells):
    """A fork that writes its end, and then ends as its seed says."""

    def __call__(
        self,
        start: Path,
        shape: Any,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> Any:
        env = shape(Corridor(length=3, limit=6))
        played = 0
        while played < steps and seed != 4:
            env.reset(seed=seed)
            while env.agents:
                env.step(dict.fromkeys(env.agents, 2))
                played += 1
        if end is not None:
            end.write_bytes(start.read_bytes() + f" and {seed}".encode())
        if seed == 666:
            os._exit(7)
        if seed == 777:
            time.sleep(600)
        if seed == 3:
            raise ValueError("no such weather")
        return ForkOutcome(played, played)


@pytest.mark.parametrize("where", ["processes", "here"])
def test_only_a_branch_that_succeeds_leaves_its_end(where: str, tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.write_text("start")
    seeds = [1, 2, 3, 4]
    executor: Executor = SerialExecutor()
    if where == "processes":
        executor = ProcessExecutor(2, timeout=8.0)
        seeds += [666, 777]
    wanted = [
        replace(order, fork=Leaves(), snapshot=start, end=tmp_path / f"{order.seed}")
        for order in orders(*seeds)
    ]
    wanted[1] = replace(wanted[1], end=None)
    for order in wanted[2:]:  # what an earlier attempt has left does not count
        assert order.end is not None
        order.end.write_text("old")
    results = {result.seed: result for result in executor.run(wanted)}
    executor.close()
    assert [seed for seed in seeds if results[seed].ok] == [1, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"start", "1"}
    assert results[1].snapshot == tmp_path / "1"
    assert (tmp_path / "1").read_text() == "start and 1"
    assert all(results[seed].snapshot is None for seed in seeds[1:])
    assert "no such weather (test_executors.py:" in results[3].error
    assert results[4].error.startswith("no episode ended in the last half")
    assert results[4].seconds > 0.0


def test_a_snapshot_is_not_sent_to_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[int] = []
    send = Connection.send

    def weigh(pipe: Any, message: Any) -> None:
        sent.append(len(pickle.dumps(message)))
        send(pipe, message)

    monkeypatch.setattr(Connection, "send", weigh)
    start = tmp_path / "start"
    start.write_bytes(b"a" * 1_000_000)
    executor = ProcessExecutor(2)
    wanted = [
        replace(order, fork=Leaves(), snapshot=start, end=tmp_path / f"{order.seed}")
        for order in orders(1, 2)
    ]
    results = list(executor.run(wanted))
    executor.close()
    assert {result.snapshot for result in results} == {tmp_path / "1", tmp_path / "2"}
    assert len(pickle.dumps(results)) < 10_000
    assert len(sent) == 2
    assert max(sent) < 10_000


def test_paths_of_an_order_may_be_relative(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("start").write_text("start")
    (order,) = orders(1)
    order = replace(order, fork=Leaves(), end=Path("end"))
    executor = ProcessExecutor(1)
    (result,) = executor.run([order])
    executor.close()
    assert result.error == ""
    assert (tmp_path / "end").read_text() == "start and 1"


def test_an_order_that_cannot_be_read_is_a_branch_that_failed() -> None:
    executor = ProcessExecutor(1)
    (order,) = orders(1)
    bad: Any = Unreadable()
    (result,) = executor.run([replace(order, fork=bad)])
    (fine,) = executor.run([order])
    executor.close()
    assert "OSError: nobody can read this (test_executors.py:" in result.error
    assert "pid" in fine.error


class Unreadable:
    """Can be pickled, and not the other way round."""

    preload = ()

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise OSError("nobody can read this")


def test_who_stops_listening_ends_what_is_running() -> None:
    executor = ProcessExecutor(2)
    running: Any = executor.run(orders(1, 777))
    next(running)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 5.0
    assert list(executor.run(orders(1)))
    executor.close()


def test_a_branch_does_not_depend_on_what_its_process_did_before() -> None:
    executor = ProcessExecutor(1)
    drawn: dict[int, set[str]] = {1: set(), 2: set()}
    random.seed(5)
    before = random.getstate()
    for where in (executor, SerialExecutor(), executor):
        for result in where.run(orders(2, 1, 1, 2)):
            drawn[result.seed].add(result.error.partition("drew ")[2].partition(")")[0])
    executor.close()
    assert {seed: len(values) for seed, values in drawn.items()} == {1: 1, 2: 1}
    assert drawn[1] != drawn[2]
    assert random.getstate() == before


SCRIPT = """
    import sys, time
    from also_wrappers.branches.executors import ProcessExecutor
    from tests.support.workers import orders, pids
    executor = ProcessExecutor(2)
    print(*pids(list(executor.run(orders(1, 2, 3, 4)))), flush=True)
    if sys.argv[1] == "busy":
        print("busy", flush=True)
        list(executor.run(orders(777, 777)))
    time.sleep(600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(state: str, how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), state],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=hear_interrupts,
    )
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    assert workers
    if state == "busy":
        process.stdout.readline()
        time.sleep(0.3)
    process.send_signal(how)
    process.wait(20)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not all(gone(w) for w in workers):
        time.sleep(0.1)
    assert all(gone(worker) for worker in workers)
