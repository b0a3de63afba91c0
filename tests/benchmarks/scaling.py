"""What branches in worker processes cost beside the training itself.

    python tests/benchmarks/scaling.py [--branches 8] [--horizon 16384]

On the demo's training: the time of equal branches one after the other in this process,
with one worker and with two; then one whole round as a run plays it, by when its first
branch makes its first step, how long after its last branch training goes on, and which
share of the round was spent outside training.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from pettingzoo.utils import BaseParallelWrapper
from rich.console import Console
from rich.table import Table

from also_wrappers.advisors import RuleAdvisor
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder
from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor
from also_wrappers.catalog import lbforaging
from also_wrappers.cli.foraging import DESCRIPTION, make_model
from also_wrappers.gate import Request
from also_wrappers.ledger.events import BranchEnded, RoundStarted
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

ENV = "Foraging-8x8-2p-2f-coop-v3"


class Stamped(BaseParallelWrapper):
    """Writes down when it makes its first step."""

    def __init__(self, env: Any, folder: Path) -> None:
        super().__init__(env)
        self._folder = folder
        self._stamped = False

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        found = self.env.reset(seed=seed, options=options)
        self.agents = list(self.env.agents)
        return found

    def step(self, actions: Any) -> Any:
        if not self._stamped:
            self._stamped = True
            name = f"{os.getpid()}-{time.monotonic_ns()}"
            (self._folder / name).write_text(f"{time.time()}")
        found = self.env.step(actions)
        self.agents = list(self.env.agents)
        return found


def factory(folder: Path) -> Callable[[Callable[[Any], Any]], PettingZooVecEnv]:
    """Makes sixteen copies of which the first is stamped."""

    def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        stamps: Iterator[bool] = iter([True] + [False] * 99)

        def make() -> Any:
            env = lbforaging.parallel_env(ENV)
            return shape(Stamped(env, folder) if next(stamps) else env)

        return PettingZooVecEnv(make, 16)

    return make_venv


def declare() -> Task:
    """The demo's task."""
    return Task(DESCRIPTION, lbforaging.features(lbforaging.parallel_env(ENV)))


def compare(folder: Path, branches: int, horizon: int) -> Table:
    """Seconds of the same branches, by executor."""
    make_venv = factory(folder)
    model = make_model(make_venv(lambda env: env), seed=0)
    model.learn(4096)
    trainer = SB3Trainer(model, make_venv, 400_000)
    task = declare()
    table = Table("where", "seconds", "against serial", title=f"{branches} branches")
    serial = 0.0
    executors: dict[str, Executor] = {
        "in this process": SerialExecutor(),
        "1 worker": ProcessExecutor(1),
        "2 workers": ProcessExecutor(2),
    }
    for name, executor in executors.items():
        # Workers import once, at their first branch.
        list(executor.run(orders(trainer, task, folder, 4, 2048)))
        began = time.monotonic()
        ordered = orders(trainer, task, folder, branches, horizon)
        failed = [result.error for result in executor.run(ordered) if result.error]
        if failed:
            raise RuntimeError(failed[0])
        seconds = time.monotonic() - began
        serial = serial or seconds
        executor.close()
        table.add_row(name, f"{seconds:.1f}", f"{serial / seconds:.2f}")
    return table


def orders(
    trainer: SB3Trainer, task: Task, folder: Path, count: int, horizon: int
) -> list[BranchOrder]:
    """Branches of control, whose ends are kept."""
    trainer.snapshot(folder / "start")
    return [
        BranchOrder(
            Request(0, "screen", seed),
            trainer.fork(),
            task,
            Posting(version=1, gamma=trainer.gamma),
            folder / "start",
            seed,
            horizon,
            scored_from=horizon // 2,
            end=folder / f"end-{seed}",
        )
        for seed in range(count)
    ]


class Resumed(AdaptationCallback):
    """Notes when training goes on after a pause."""

    resumed: float | None = None

    def _on_step(self) -> bool:
        if self.resumed is None and self.adaptation.state.rounds:
            self.resumed = time.time()
        return True


def whole_round(folder: Path, horizon: int) -> Table:
    """One round of a run."""
    run = Run(declare(), folder / "run")
    stamps = folder / "stamps"
    stamps.mkdir()
    make_venv = factory(stamps)
    callback = Resumed(
        run,
        make_venv,
        RuleAdvisor(),
        first=20_480,
        every=10**6,
        horizon=horizon,
        budget=9.0,
        verbose=0,
        executor=ProcessExecutor(2),
    )
    model = make_model(make_venv(run.shape), seed=0)
    model.learn(12 * horizon, callback=callback)
    run.close()
    own = f"{os.getpid()}-"
    firsts = sorted(
        float(path.read_text())
        for path in stamps.iterdir()
        if not path.name.startswith(own)
    )
    events = run.events()
    begun = next(e.time for e in events if isinstance(e, RoundStarted))
    ends = [event.time for event in events if isinstance(event, BranchEnded)]
    assert callback.resumed is not None
    length = callback.resumed - begun
    # Time in which no branch was training: before the first, between batches, after.
    training = _covered(
        [(first, end) for first, end in zip(firsts, sorted(ends), strict=True)]
    )
    table = Table("of one round", "", title=f"{len(ends)} branches on 2 workers")
    table.add_row("seconds", f"{length:.1f}")
    table.add_row("pause to first step of a branch", f"{firsts[0] - begun:.2f}")
    last = callback.resumed - ends[-1]
    table.add_row("last branch to resumed training", f"{last:.2f}")
    outside = (length - training) / length
    table.add_row("share outside training", f"{outside:.1%}")
    return table


def _covered(spans: list[tuple[float, float]]) -> float:
    """How long at least one of some spans lasts."""
    total, until = 0.0, 0.0
    for begin, end in sorted(spans):
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return total


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branches", type=int, default=8)
    parser.add_argument("--horizon", type=int, default=16_384)
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        console = Console()
        console.print(compare(folder, arguments.branches, arguments.horizon))
        console.print(whole_round(folder, arguments.horizon))


if __name__ == "__main__":
    main()
