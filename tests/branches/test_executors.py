"""Workers: they stay, they are replaced, and none is left behind."""

from __future__ import annotations

import os
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

from also_wrappers.branches.executors import ProcessExecutor, SerialExecutor
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
    executor = ProcessExecutor(2, timeout=3.0)
    results = {r.seed: r for r in executor.run(orders(1, 666, 2, 777, 3))}
    assert "exit code 7" in results[666].error
    assert "within 3 seconds" in results[777].error
    assert len(pids([results[seed] for seed in (1, 2, 3)])) >= 1
    assert all("pid" in results[seed].error for seed in (1, 2, 3))
    executor.close()


class Weighs(Tells):
    """Tells what it was handed."""

    def __call__(
        self,
        snapshot: bytes,
        shape: Any,
        seed: int,
        steps: int,
        new_signal: bool = False,
    ) -> Any:
        if seed == 666:
            os._exit(7)
        raise ValueError(f"{len(snapshot)} bytes of {snapshot[:1].decode()}")


def test_a_snapshot_is_sent_once_to_each_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[int] = []
    send = Connection.send

    def weigh(pipe: Any, found: Any) -> None:
        sent.append(len(found[1] or b""))
        send(pipe, found)

    monkeypatch.setattr(Connection, "send", weigh)
    one, other = b"a" * 1_000_000, b"b" * 2_000_000
    executor = ProcessExecutor(2)
    batches = [orders(*range(8)), orders(1, 2), orders(3, 666, 4, 5)]
    batches = [
        [replace(o, fork=Weighs(), snapshot=held) for o in batch]
        for batch, held in zip(batches, (one, other, other), strict=True)
    ]
    told = [list(executor.run(batch)) for batch in batches]
    executor.close()
    assert all("1000000 bytes of a" in r.error for r in told[0])
    assert all("2000000 bytes of b" in r.error for r in told[1])
    assert ["2000000 bytes of b" in r.error for r in told[2]].count(True) == 3
    # Both workers got the first; then the other, and so did the one that replaced the
    # worker that died.
    assert sum(sent) <= 2 * len(one) + 3 * len(other)
    assert sent.count(0) >= 9


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
            told = result.error.partition("drew ")[2].partition(")")[0]
            drawn[
                result.seed or int(orders(2, 1, 1, 2)[result.request.index].seed)
            ].add(told)
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
