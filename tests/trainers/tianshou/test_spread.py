"""A particle environment of PettingZoo, adapted to the end with a swap.

The gate lets nearly everything pass: this shows that all parts work together, and no
gain.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tianshou")
pytest.importorskip("mpe2")

from mpe2 import simple_spread_v3
from tianshou.algorithm import PPO

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.catalog import mpe2
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.trainers.tianshou import AdaptedTrainer, ParallelVectorEnv
from examples.study.arms import AtOnce
from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.tianshou import make_discrete, make_params

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


def make_venv(shape: Callable[[Any], Any]) -> ParallelVectorEnv:
    return ParallelVectorEnv([lambda: shape(make_env())] * 8)


@pytest.mark.parametrize(
    ("kind", "signal"),
    [(PPO, Signal(expert=GO)), (PPO, Signal(terms=NEAR))],
    ids=["an expert", "terms"],
)
def test_a_swap_and_the_end(kind: Any, signal: Signal, tmp_path: Path) -> None:
    env = make_env()
    task = Task(
        "Each agent covers a landmark.",
        mpe2.spread_features(env, experts=True),
        actions=mpe2.spread_actions(env),
    )
    run = Run(task, tmp_path / "run")
    seed_randomness(0)
    venv = make_venv(run.shape)
    venv.seed(0)
    algorithm = make_discrete(kind, venv)
    params = make_params(
        algorithm,
        venv,
        max_epochs=3,
        epoch_num_steps=1024,
        collection_step_num_env_steps=256,
        batch_size=64,
    )
    trainer = AdaptedTrainer(
        algorithm,
        params,
        run,
        make_venv,
        RecordedAdvisor([[Proposal(signal=signal)]]),
        first=1024,
        every=2048,
        horizon=1024,
        budget=8.0,
        pause_on="interval",
        gate=AtOnce(),  # whether it helps depends on the processor's rounding
        executor=SerialExecutor(),
        verbose=0,
    )
    trainer.run()
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == signal
    assert all(event["error"] == "" for event in events(run.dir, "branch"))
    assert trainer.steps == 3072
    check_every_step_is_counted_once(run.dir, 3072)
    if signal.expert is not None:
        (audition,) = events(run.dir, "audition")
        assert audition["passed"]
        assert audition["earned"] > audition["policy"]
