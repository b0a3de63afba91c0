"""Workers: they stay, they are replaced, and none is left behind."""

from __future__ import annotations

import os
import pickle
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

from also_wrappers.branches.executors import ProcessExecutor
from tests.support.processes import hear_interrupts
from tests.support.workers import Leaves, Tells, orders, pids


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
