"""A particle environment of PettingZoo, adapted to the end with a swap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")
pytest.importorskip("mpe2")

from benchmarl.algorithms import MappoConfig, VdnConfig
from mpe2 import simple_spread_v3

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.catalog import mpe2
from also_wrappers.gate.gate import Gate
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.trainers.benchmarl import (
    AdaptationCallback,
    ParallelTask,
    shaped_task,
)
from tests.support.benchmarl import make_experiment
from tests.support.corridor import check_every_step_is_counted_once, events

NEAR = tuple(
    Term(
        name=f"near{k}",
        kind="progress",
        expression=f"-landmark{k}_distance",
        weight=2.0,
        agents=(f"agent_{k}",),
    )
    for k in range(2)
)
GO = Expert(
    rules=tuple(
        Rule(when="1", do=f"toward landmark{k}", agents=(f"agent_{k}",))
        for k in range(2)
    )
)


def make_env() -> Any:
    return simple_spread_v3.parallel_env(N=2, max_cycles=16)


@pytest.mark.parametrize(
    ("algorithm", "signal"),
    [(MappoConfig, Signal(expert=GO)), (VdnConfig, Signal(terms=NEAR))],
    ids=["mappo with an expert", "vdn with terms"],
)
def test_a_swap_and_the_end(algorithm: Any, signal: Signal, tmp_path: Path) -> None:
    env = make_env()
    task = Task(
        "Each agent covers a landmark.",
        mpe2.spread_features(env, experts=True),
        actions=mpe2.spread_actions(env),
    )
    run = Run(task, tmp_path / "run")
    callback = AdaptationCallback(
        run,
        RecordedAdvisor([[Proposal(signal=signal)]]),
        first=512,
        every=1024,
        horizon=512,
        budget=8.0,
        pause_on="interval",
        gate=Gate(critical=-3.0, max_pairs=2, min_gain=-1.0),
        executor=SerialExecutor(),
        verbose=0,
    )
    plain = ParallelTask(make_env, max_steps=16, name="spread")
    replays = not algorithm.on_policy()
    experiment = make_experiment(
        tmp_path,
        shaped_task(plain, run.shape, replays),
        algorithm,
        [callback],
        max_n_frames=1536,
        on_policy_n_envs_per_worker=8,
        on_policy_collected_frames_per_batch=256,
        on_policy_minibatch_size=64,
        off_policy_n_envs_per_worker=8,
        off_policy_collected_frames_per_batch=256,
        off_policy_n_optimizer_steps=16,
        off_policy_memory_size=2048,
    )
    experiment.run()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == signal
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    check_every_step_is_counted_once(run.dir, 1536)
    if signal.expert is not None:
        (audition,) = events(run.dir, "audition")
        assert audition["passed"]
        assert audition["earned"] > audition["policy"]
