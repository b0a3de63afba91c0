"""A tiny training on the corridor: what most tests of the loop are played on."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from stable_baselines3 import PPO

from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.gate.gate import Gate
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

#: Trainer steps of the mainline, and of one rollout.
TOTAL = 8192
ROLLOUT = 256
LENIENT = Gate(critical=0.1, max_pairs=3, min_gain=0.0)
HELPFUL = Proposal(
    signal=Signal(
        terms=(Term(name="on", kind="progress", expression="place", weight=3.0),)
    ),
    rationale="the end is where the reward is",
)
HARMFUL = Proposal(
    signal=Signal(
        terms=(Term(name="off", kind="progress", expression="-place", weight=3.0),)
    )
)


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=5, limit=12)), 8)


def make_task() -> Task:
    return Task(
        "Walk to the end together.",
        corridor_features(),
        conditions={"far": "team_min(place) > 0.5"},
        success="base_return >= 1",
    )


def make_model(run: Run, **options: Any) -> PPO:
    settings: dict[str, Any] = {
        "n_steps": 16,
        "batch_size": 256,
        "n_epochs": 4,
        "learning_rate": 3e-3,
        "policy_kwargs": {"net_arch": [16]},
        "seed": 0,
        "device": "cpu",
    }
    return PPO("MlpPolicy", make_venv(run.shape), **(settings | options))


def callback(run: Run, advisor: Any, **options: Any) -> AdaptationCallback:
    settings: dict[str, Any] = {
        "first": 1024,
        "every": 2048,
        "horizon": 1024,
        "budget": 8.0,
        "candidates": 3,
        "refinements": 2,
        "pause_on": "interval",
        "gate": LENIENT,
        "executor": SerialExecutor(),
    }
    return AdaptationCallback(run, make_venv, advisor, **(settings | options))


def events(run_dir: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The whole events of a ledger, or those of a kind; the last line may be cut."""
    path = run_dir / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [event for event in whole if kind in (None, event["event"])]


def check_every_step_is_counted_once(run_dir: Path, mainline: int) -> int:
    """Checks the sums of a finished run, however often it was resumed.

    Args:
        run_dir: Its directory.
        mainline: Trainer steps that were asked for.

    Returns:
        Trainer steps that were trained after the last checkpoint before a stop; they
        are in the total as well, as discarded.
    """
    recorded = events(run_dir)
    assert recorded[-1]["event"] == "run_finished"
    totals = [event["trainer_steps"]["total"] for event in recorded]
    assert totals == sorted(totals), "a step that was counted was forgotten"
    steps = recorded[-1]["trainer_steps"]
    assert steps["mainline"] == mainline
    parts = ("mainline", "branches", "evaluation")
    assert steps["total"] == sum(steps[part] for part in parts)
    # A branch that became the mainline is counted there, every other as discarded.
    branches = sum(event["steps"] for event in recorded if event["event"] == "branch")
    adopted = sum(event.get("adopted_steps", 0) for event in recorded)
    replaced = sum(event.get("lost_steps", 0) for event in recorded)
    for k, (event, later) in enumerate(pairwise(recorded)):
        if event["event"] == "settled" and later["event"] == "run_resumed":
            rounds = [e["round"] for e in recorded[k + 1 :] if e["event"] == "settled"]
            if event["round"] in rounds:  # it was undone by the stop, and made again
                replaced -= event["lost_steps"]
    lost: int = steps["branches"] - (branches - adopted + replaced)
    assert lost >= 0
    return lost
