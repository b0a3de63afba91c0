"""A run that is killed at any moment goes on and counts every step once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

KILLS = 30
TOTAL = 49_152

#: Pauses often, so that kills fall into rounds, swaps, checkpoints and the ledger.
SCRIPT = f"""
import sys
from pathlib import Path
from tests.support.corridor import (
    HELPFUL, LENIENT, callback, make_model, make_task
)
from also_wrappers.advisors import RuleAdvisor
from also_wrappers.run import Run
from also_wrappers.branches.executors import ProcessExecutor

folder = Path(sys.argv[1])
resume = (folder / "ledger.jsonl").exists() and bool(
    (folder / "ledger.jsonl").stat().st_size
)
run = Run(make_task(), folder, resume=resume)
model = make_model(run)
learning = callback(
    run, RuleAdvisor(), every=4096, budget=9.0, verbose=0, fade_out=0.05,
    executor=ProcessExecutor(2),
)
model.learn({TOTAL}, callback=learning)
run.close()
print("ended at", model.num_timesteps)
"""


def whole(folder: Path) -> list[dict[str, Any]]:
    """The whole events of a ledger."""
    path = folder / "ledger.jsonl"
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


@pytest.mark.slow
def test_thirty_kills(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    chance = random.Random(1)
    root = Path(__file__).parents[2]
    seen: list[dict[str, Any]] = []
    last: list[str] = []
    kills = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder)],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if kills < KILLS:
            # Once something was written since the last kill, at any moment after.
            deadline = time.monotonic() + 60
            while len(whole(folder)) <= len(seen) and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(chance.choice([0.0, 0.05, 0.3, 1.0, 2.5]) * chance.random())
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
        out, err = process.communicate(timeout=300)
        events = whole(folder)
        assert events[: len(seen)] == seen, f"kill {kills} lost an event"
        if process.returncode != -signal.SIGKILL:
            break
        last.append(events[-1]["event"])
        seen = events
    assert process.returncode == 0, err
    assert f"ended at {TOTAL}" in out
    print(f"{kills} kills, after: {', '.join(last)}")
    assert kills >= KILLS // 2
    events = whole(folder)
    assert events[-1]["event"] == "run_finished"
    steps = events[-1]["trainer_steps"]
    assert steps["mainline"] == TOTAL
    totals = [event["trainer_steps"]["total"] for event in events]
    assert totals == sorted(totals)
    # Every step of a branch is in the total once, in the lineage or discarded; what was
    # trained on after the last checkpoint before a kill is in it as well.
    branches = sum(event["steps"] for event in events if event["event"] == "branch")
    adopted = sum(event.get("adopted_steps", 0) for event in events)
    lost = steps["branches"] - (branches - adopted)
    assert lost >= 0
    assert lost <= kills * 3 * 4096
    assert steps["evaluation"] == 256  # of one rehearsal, however often it was resumed
    assert steps["total"] == TOTAL + steps["branches"] + steps["evaluation"]
