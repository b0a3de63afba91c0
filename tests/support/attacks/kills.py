"""Kills a tiny run at random moments, and has it go on until it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from also_wrappers.gate import Rule
from tests.support.attacks.tally import Attempt, Tally, attempt_until
from tests.support.corridor import events
from tests.support.processes import hear_interrupts, marked_processes
from tests.support.stopped import Promotes, Stopped, TakesBack, play
from tests.support.walker import ROLLOUT, Work

__all__ = ["ATTEMPTS", "attack"]

_ROOT = Path(__file__).parents[3]
_KILLS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
GATES: dict[str, Rule] = {
    "promotes": Promotes(),
    "takes back": Promotes(TakesBack()),
    "explores": Promotes(exploratory=True),
}
#: Branches run in worker processes; a walker's work is counted from all of them.
_SCRIPT = """
import sys
from pathlib import Path
from also_wrappers.branches.executors import ProcessExecutor
from tests.support.attacks.kills import GATES, FileWork
from tests.support.stopped import play

folder = Path(sys.argv[1])
print("begins", flush=True)
play(folder, FileWork(folder.parent / "work"), GATES[sys.argv[2]], ProcessExecutor(2))
"""


class FileWork(Work):
    """Counts trainer steps of several processes, and of those that were killed.

    Args:
        path: A file with one byte for each rollout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getattribute__(self, name: str) -> Any:
        """Reads the steps from the file."""
        if name != "steps":
            return super().__getattribute__(name)
        return self.path.stat().st_size * ROLLOUT if self.path.exists() else 0

    def __setattr__(self, name: str, value: Any) -> None:
        """Appends to the file for the steps of one more rollout."""
        if name != "steps":
            super().__setattr__(name, value)
            return
        with self.path.open("ab", buffering=0) as file:
            file.write(b".")


def _forked(folder: Path, gate: str) -> int:
    """Plays the run in a copy of this process, and branches with it."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        hear_interrupts()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        play(folder, FileWork(folder.parent / "work"), GATES[gate])
        code = 0
    except KeyboardInterrupt:
        pass
    except BaseException as error:
        (folder.parent / "error").write_text(repr(error))
    finally:
        os._exit(code)


def _in_this_process(randomness: random.Random) -> None:
    """Kills the process that trains and runs the branches."""
    with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
        folder = Path(temporary) / "run"
        gate = randomness.choice([*GATES])
        work = FileWork(Path(temporary) / "work")
        for left in range(randomness.randrange(1, 6), -1, -1):
            worked, stopped = work.steps, Stopped(folder)
            child = _forked(folder, gate)
            if left:
                time.sleep(randomness.uniform(0.0, 0.5))
                os.kill(child, randomness.choice(_KILLS))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            error = Path(temporary) / "error"
            assert not error.exists(), error.read_text()
            stopped.check_ledger()
            if code == 0 or _is_finished(folder):
                break
        stopped.check(worked, work.steps - worked)


def _with_workers(randomness: random.Random) -> None:
    """Kills a process whose branches run in workers; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
        folder = Path(temporary) / "run"
        scratch = Path(temporary) / "scratch"
        scratch.mkdir()
        gate = randomness.choice([*GATES])
        work = FileWork(Path(temporary) / "work")
        for left in range(randomness.randrange(1, 3), -1, -1):
            worked, stopped = work.steps, Stopped(folder)
            process = subprocess.Popen(
                [sys.executable, "-c", _SCRIPT, str(folder), gate],
                cwd=_ROOT,
                env=os.environ | {"ATTACKED": str(folder), "TMPDIR": str(scratch)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=hear_interrupts,
                start_new_session=True,
            )
            assert process.stdout is not None
            how = randomness.choice(_KILLS)
            delay = randomness.uniform(0.0, 4.0)
            if left:
                process.stdout.readline()
                time.sleep(delay)
                if how == signal.SIGINT:  # a terminal sends it to all of them
                    os.killpg(process.pid, how)
                else:
                    process.send_signal(how)
            _, said = process.communicate()
            _check_nothing_runs(folder)
            stopped.check_ledger()
            if process.returncode == 0 or _is_finished(folder):
                break
            expected = (-how, 1) if how == signal.SIGINT else (-how,)
            assert left, said.decode()[-2000:]
            assert process.returncode in expected, said.decode()[-2000:]
            assert b"Error" not in said.replace(b"BrokenPipeError", b""), said.decode()
        stopped.check(worked, work.steps - worked)
        folders = [path for path in scratch.iterdir() if path.name.startswith("also-")]
        assert folders == [], "temporary folders are left"


def _is_finished(folder: Path) -> bool:
    """Whether a kill came after the end of the run, which nobody can resume."""
    return [event["event"] for event in events(folder)][-1:] == ["run_finished"]


def _check_nothing_runs(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while marked_processes(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked_processes(folder) == [], "worker processes are left"


ATTEMPTS: dict[str, Attempt] = {
    "kills: in this process": _in_this_process,
    "kills: with workers": _with_workers,
}


def attack(randomness: random.Random, until: float) -> Tally:
    """Kills runs, which go on, until a time."""
    return attempt_until(ATTEMPTS, randomness, until)
