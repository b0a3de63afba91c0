"""One process at a time records into a directory, and a directory is a run's own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.cli.app import app
from also_wrappers.exceptions import ConfigurationError, StorageError
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report import write_report
from also_wrappers.run import lock
from also_wrappers.run.lock import Lock
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.ledgers import started
from tests.support.workers import orders

TASK = Task("x", corridor_features())

#: Begins a run in a process of its own, says so, and waits.
HOLDS = """
import sys, time
from also_wrappers import Run, Task
from also_wrappers.testing import corridor_features
from tests.support.ledgers import started
run = Run(Task("x", corridor_features()), sys.argv[1])
run.ledger.write(started())
if "fork" in sys.argv:
    import os
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
else:
    print("open", flush=True)
time.sleep(600)
"""


def hold(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Begins a run in another process; returns the process and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that records into ``run``."""
    process, _ = hold(tmp_path / "run")
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_and_told_who_records(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}
    for resume in (False, True):
        with pytest.raises(ConfigurationError) as caught:
            Run(TASK, tmp_path / "run", resume=resume)
        sentence = str(caught.value)
        assert sentence.startswith(f"{tmp_path / 'run'} is written by process ")
        assert f"process {other.pid} on " in sentence
        assert f"since {time.strftime('%Y-')}" in sentence
        assert "\n" not in sentence
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")} == before


def test_a_process_that_was_killed_has_no_lock(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    run = Run(TASK, tmp_path / "run", resume=True)
    assert len(run.events()) == 1
    run.close()


def test_readers_are_never_kept_from_a_run(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    assert other.poll() is None
    folder = tmp_path / "run"
    assert len(list(read_ledger(folder / "ledger.jsonl"))) == 1
    assert write_report(folder).exists()
    shown = CliRunner().invoke(app, ["show", str(folder)], standalone_mode=False)
    assert shown.exception is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """As environments do that run in processes, and outlive who was killed."""
    process, child = hold(tmp_path / "run", "fork")
    process.kill()
    process.wait()
    try:
        os.kill(int(child), 0)  # it lives
        Run(TASK, tmp_path / "run", resume=True).close()
    finally:
        os.kill(int(child), signal.SIGKILL)


def _closes(run: Run, pipe: Connection) -> None:
    run.close()
    pipe.send("closed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_process_that_closes_the_run_leaves_the_lock_alone(
    tmp_path: Path,
) -> None:
    run = Run(TASK, tmp_path / "run")
    ours, theirs = multiprocessing.Pipe()
    context: Any = multiprocessing.get_context("fork")
    process = context.Process(target=_closes, args=(run, theirs))
    process.start()
    assert ours.recv() == "closed"
    process.join()
    with pytest.raises(ConfigurationError, match=f"process {os.getpid()} on"):
        Lock(tmp_path / "run" / "run.lock")
    run.close()


def test_workers_neither_have_the_lock_nor_keep_it(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    run.ledger.write(started())
    executor = ProcessExecutor(workers=1)
    list(executor.run(orders(1)))
    run.close()
    assert executor._pool, "the worker stays for the next branches"
    Run(TASK, tmp_path / "run", resume=True).close()
    executor.close()


def test_a_later_run_of_a_process_takes_the_place_of_an_earlier(tmp_path: Path) -> None:
    """As where a cell of a notebook is run once more after it was interrupted."""
    first = Run(TASK, tmp_path / "run")
    first.ledger.write(started())
    second = Run(TASK, os.path.relpath(tmp_path / "run"), resume=True)
    with pytest.raises(ConfigurationError, match="goes on with it; make a new Run"):
        first.ledger.write(started())
    second.ledger.write(started())
    first.close()  # gives back nothing that is another's
    with pytest.raises(ConfigurationError, match=f"process {os.getpid()} on"):
        Lock(tmp_path / "run" / "run.lock")
    assert len(second.events()) == 2
    second.close()


def test_a_run_that_was_refused_has_no_lock(tmp_path: Path) -> None:
    run = Run(TASK, tmp_path / "run")
    run.ledger.write(started())
    run.close()
    with pytest.raises(ConfigurationError, match="already holds a run"):
        Run(TASK, tmp_path / "run")
    Run(TASK, tmp_path / "run", resume=True).close()


def test_of_many_that_begin_at_once_one_has_the_lock(tmp_path: Path) -> None:
    locks: list[Lock] = []
    refused: list[str] = []

    def begin() -> None:
        try:
            locks.append(Lock(tmp_path / "run.lock"))
        except ConfigurationError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(locks), len(refused)) == (1, 7)
    assert all("is written by" in sentence for sentence in refused)
    locks[0].release()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pid": 1}'])
def test_a_lock_file_that_says_nothing_still_locks(
    tmp_path: Path, content: str
) -> None:
    held = Lock(tmp_path / "run.lock")
    (tmp_path / "run.lock").write_text(content)
    with pytest.raises(ConfigurationError, match="is written by another process;"):
        Lock(tmp_path / "run.lock")
    held.release()


def test_a_disk_without_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "_lock", refuse)
    with pytest.warns(RuntimeWarning, match="cannot be locked"):
        Run(TASK, tmp_path / "run").close()


def test_a_lock_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(StorageError, match="cannot be written: Is a directory; give"):
        Run(TASK, tmp_path)


@pytest.mark.parametrize("name", ["main.py", ".bashrc", "checkpoints", "ledger.json"])
def test_a_directory_that_holds_something_else_is_left_alone(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    for resume in (False, True):
        with pytest.raises(
            ConfigurationError, match=f"else than a run, such as {name}"
        ):
            Run(TASK, tmp_path, resume=resume)
    assert [path.name for path in tmp_path.rglob("*")] == [name]


def test_nothing_is_made_where_no_run_is_to_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no run to resume"):
        Run(TASK, tmp_path / "run", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_as_it_began_can_be_begun_again(tmp_path: Path) -> None:
    Lock(tmp_path / "run.lock").release()
    Run(TASK, tmp_path).close()
    assert json.loads((tmp_path / "run.json").read_text())["features"]
