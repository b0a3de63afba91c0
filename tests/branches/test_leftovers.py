"""No branch keeps the training waiting, and none leaves a process or a folder."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.branches.branch import describe_error
from also_wrappers.branches.executors import ProcessExecutor, check_sendable
from also_wrappers.branches.scratch import scratch, sweep
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Feature, FeatureMap
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.clinging import Clings, Stuck, orders_of, processes
from tests.support.processes import alive, hear_interrupts
from tests.support.workers import Tells, orders, pids

ROOT = Path(__file__).parents[2]


def wait_for(condition: Any, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


def test_a_factory_that_hangs_costs_its_branches_and_nothing_else() -> None:
    executor = ProcessExecutor(1, timeout=10.0)
    list(executor.run(orders(1)))  # the imports of the first worker are another matter
    executor.close()
    began = time.monotonic()
    executor.warm(Stuck())
    results = list(executor.run(orders_of(Stuck(), [1, 2])))
    (fine,) = executor.run(orders(1))
    executor.close()
    assert time.monotonic() - began < 60.0
    assert all("within 10 seconds" in result.error for result in results)
    assert pids([fine])


@pytest.mark.parametrize(
    ("seed", "error"), [(777, "within 10 seconds"), (666, "exit code 7"), (1, "enough")]
)
def test_processes_of_environments_end_with_their_worker(
    seed: int, error: str, tmp_path: Path
) -> None:
    executor = ProcessExecutor(1, timeout=10.0)
    list(executor.run(orders(1)))
    began = time.monotonic()
    (result,) = executor.run(orders_of(Clings(tmp_path), [seed]))
    assert error in result.error
    assert time.monotonic() - began < 20.0
    executor.close()
    started = processes(tmp_path)
    assert len(started) == 2
    assert wait_for(lambda: not any(alive(process) for process in started))


SCRIPT = """
    import sys
    from pathlib import Path
    from also_wrappers.branches.executors import ProcessExecutor
    from tests.support.clinging import Clings, orders_of
    executor = ProcessExecutor(2)
    seeds = [777, 777] if sys.argv[2] != "ends" else [1, 1]
    list(executor.run(orders_of(Clings(Path(sys.argv[1])), seeds)))
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short path: sockets of workers, whose paths are short, are in
    there."""
    with tempfile.TemporaryDirectory(prefix="t") as name:
        yield Path(name)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT", "ends"])
def test_nothing_outlives_the_training(
    how: str, tmp_path: Path, temporary: Path
) -> None:
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(numbers), how],
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    assert wait_for(lambda: len(processes(numbers)) == 4 or process.poll() is not None)
    if how != "ends":
        # As the terminal does: to all that are in the foreground.
        os.killpg(process.pid, signal.Signals[how])
    process.wait(20)
    started = processes(numbers)
    assert len(started) == 4
    assert wait_for(lambda: not any(alive(number) for number in started))
    left = [path for path in temporary.iterdir() if path.name.startswith("also-")]
    assert bool(left) == (how in ("SIGKILL", "SIGTERM"))
    clean = "from also_wrappers.branches.scratch import scratch\nwith scratch(): pass"
    subprocess.run(
        [sys.executable, "-c", clean],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
    )
    names = [path.name for path in temporary.iterdir()]
    assert [name for name in names if name.startswith(("also-", "SB3-"))] == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_what_an_ended_process_left_is_swept_though_nobody_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert wait_for(lambda: not alive(ended.pid))
    os.kill(ended.pid, 0)  # its number is still taken
    (tmp_path / f"also-branch-{platform.node()}-{ended.pid}-a").mkdir()
    sweep()
    assert list(tmp_path.iterdir()) == []
    ended.wait()


def test_only_what_a_process_of_this_machine_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here = f"also-branch-{platform.node()}-"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stays = ["also-branch-elsewhere-1", f"{here}{os.getpid()}-b", "other", f"{here}x"]
    for name in (*stays, f"{here}{ended.pid}-a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    sweep()
    assert {path.name for path in tmp_path.iterdir()} == set(stays)
    with scratch() as folder:
        assert folder.parent == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == set(stays)


def test_a_branch_that_is_given_up_leaves_no_folder() -> None:
    executor = ProcessExecutor(1, timeout=10.0)
    results = list(executor.run(orders(1, 777)))
    assert len(results) == 2
    # Tests beside this one have branches of their own in the same temporary folder.
    (worker,) = pids(results)
    mine = f"also-branch-{platform.node()}-{worker}-*"
    assert list(Path(tempfile.gettempdir()).glob(mine)) == []
    executor.close()


def test_an_error_of_a_megabyte_is_told_in_short() -> None:
    error = describe_error(raised(ValueError("x" * 1_000_000)))
    assert error.startswith("ValueError: xxx")
    assert "(999,500 more characters) (test_leftovers.py:" in error
    assert len(error) < 700
    assert len(str(ConfigurationError("y" * 1_000_000))) < 2100


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


class Comes:
    """Can be pickled, and not the other way round."""

    def __reduce__(self) -> Any:
        return _refuse, ()

    def __call__(self, view: Any) -> float:
        return 0.0


def _refuse() -> None:
    raise OSError("nobody can read this")


def test_a_task_that_cannot_be_sent_is_said_with_its_part() -> None:
    check_sendable(Tells(), Task("Walk.", corridor_features()))
    lock = threading.Lock()

    def reads_a_lock(view: Any) -> float:
        return float(lock.locked())

    for function in (reads_a_lock, Comes()):
        features = FeatureMap(Feature("locked", function))
        with pytest.raises(ConfigurationError, match="the task's features cannot be"):
            check_sendable(Tells(), Task("Walk.", features))
    holder: Any = Tells()
    holder.lock = lock
    with pytest.raises(ConfigurationError, match="make_venv cannot be sent"):
        check_sendable(holder, Task("Walk.", corridor_features()))
