"""A run whose process is killed by the operating system goes on.

That no write is the wrong one to be stopped at, ``test_crashes`` shows; here are the
things that only a real kill has: worker processes, files that are mapped into memory,
buffers that nobody flushes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.processes import marked_processes

KILLS = 3
TOTAL = 6144

#: Pauses often, so that kills fall into rounds, swaps, checkpoints and the ledger.
SCRIPT = f"""
import sys
from pathlib import Path
from tests.support.corridor import callback, make_model, make_task
from also_wrappers.advisors import RuleAdvisor
from also_wrappers.run import Run
from also_wrappers.branches.executors import ProcessExecutor

folder = Path(sys.argv[1])
ledger = folder / "ledger.jsonl"
resume = ledger.exists() and ledger.stat().st_size > 0
run = Run(make_task(), folder, resume=resume)
model = make_model(run)
learning = callback(
    run, RuleAdvisor(), every=512, horizon=512, budget=4.0, verbose=0, fade_out=0.05,
    executor=ProcessExecutor(2),
)
model.learn({TOTAL}, callback=learning)
run.close()
print("ended at", model.num_timesteps)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_three_times_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    chance = random.Random(1)
    recorded: list[dict[str, Any]] = []
    for kill in range(KILLS + 1):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder)],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"ALSO_WRAPPERS_TEST": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if kill < KILLS:
            # In the middle of a round, mostly, and at any moment after an event.
            wanted = len(recorded) + chance.randint(2, 15)
            while len(events(folder)) < wanted and process.poll() is None:
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.5))
            process.kill()
        out, err = process.communicate()
        after = events(folder)
        assert after[: len(recorded)] == recorded, f"kill {kill + 1} lost an event"
        recorded = after
        if kill < KILLS:
            assert process.returncode == -signal.SIGKILL, err
            print(f"killed after: {recorded[-1]['event']}")
            deadline = time.monotonic() + 60
            while marked_processes(folder) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert marked_processes(folder) == []
    assert process.returncode == 0, err
    assert f"ended at {TOTAL}" in out
    assert check_every_step_is_counted_once(folder, TOTAL) <= KILLS * 3 * 1024
    # Of one rehearsal, however often the run was resumed.
    assert recorded[-1]["trainer_steps"]["evaluation"] == 256
