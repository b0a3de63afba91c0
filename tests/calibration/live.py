"""Control against itself on live branches: how often does a rule promote nothing new?

    python tests/calibration/live.py [--env corridor] [--rounds 20] [--trained 9000]
        [--gates race provisional gate]

A model is trained for a while on the base reward. Then rounds are played from its
snapshot in which every candidate is control again, on seeds of its own, as runs of
five. What a provisional decision goes on to ask for is trained to its end as well.
Every promotion is a false one; the shares of rounds that confirmed a candidate, and
that swapped one in provisionally, are printed with their exact 95 % intervals (Clopper
& Pearson 1934). Seconds a round on corridor, a minute or two on foraging.

A branch is discarded unless it becomes the mainline; branches are counted in horizons.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from scipy.stats import binomtest
from stable_baselines3 import PPO

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor, ProcessExecutor
from also_wrappers.catalog import lbforaging
from also_wrappers.cli.foraging import make_factory, make_model
from also_wrappers.gate import Decision, Gate, Provisional, Race, Request, Rule
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.fork import MakeVecEnv
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

_FORAGING = "Foraging-8x8-2p-2f-coop-v3"
_RUN = 5

RULES: dict[str, Rule] = {"race": Race(), "provisional": Provisional(), "gate": Gate()}


def corridor() -> tuple[MakeVecEnv, Any, Task, int]:
    """Eight small corridors; branches of 2,048 trainer steps."""

    def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 8)

    model = PPO(
        "MlpPolicy",
        make_venv(lambda env: env),
        n_steps=32,
        batch_size=128,
        n_epochs=4,
        learning_rate=3e-4,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    return make_venv, model, Task("Walk on.", corridor_features()), 2048


def foraging() -> tuple[MakeVecEnv, Any, Task, int]:
    """The demo's training; branches of 32,768 trainer steps."""
    make_venv = make_factory(_FORAGING)
    features = lbforaging.features(lbforaging.parallel_env(_FORAGING))
    model = make_model(make_venv(lambda env: env), seed=0)
    return make_venv, model, Task("Forage.", features), 32_768


class Played(NamedTuple):
    """Says what a round of control against itself came to.

    Attributes:
        decision: The decision that ended the round.
        last: The decision of the branches beside the training, or the same.
        discarded: Branches that were discarded when a branch was adopted.
        in_all: Discarded branches, those beside the training included.
    """

    decision: Decision
    last: Decision
    discarded: float
    in_all: float


class Branches:
    """Trains the branches of one round; every branch has a seed of its own.

    Args:
        trainer: The trainer, at rest.
        start: The snapshot that branches begin from.
        task: The task.
        horizon: Trainer steps of a branch.
        number: Number of the round.
        executor: Where branches run.
        folder: An empty folder for the ends of branches.
    """

    def __init__(
        self,
        trainer: SB3Trainer,
        start: Path,
        task: Task,
        horizon: int,
        number: int,
        executor: Executor,
        folder: Path,
    ) -> None:
        self.results: list[BranchResult] = []
        self._trainer = trainer
        self._start = start
        self._task = task
        self._horizon = horizon
        self._number = number
        self._executor = executor
        self._folder = folder

    @property
    def trained(self) -> float:
        """Horizons that were trained so far."""
        return sum(result.steps for result in self.results) / self._horizon

    def decide(self, rule: Rule, arms: int) -> Decision:
        """Trains what a rule asks for until it decides."""
        while True:
            largest = max((result.largest for result in self.results), default=0.0)
            trials = [result.trial(largest) for result in self.results]
            step = rule.next(arms, trials, 1 + self._number % _RUN)
            if isinstance(step, Decision):
                return step
            self._train(step)

    def _train(self, requests: Sequence[Request]) -> None:
        results = list(self._executor.run([self._order(one) for one in requests]))
        errors = [result.error for result in results if result.error]
        if errors:
            raise RuntimeError(errors[0])
        self.results += results

    def _order(self, request: Request) -> BranchOrder:
        """A longer stretch goes on from the end of the longest shorter one."""
        shorter = [
            result
            for result in self.results
            if replace(result.request, stretch=request.stretch) == request
            and result.snapshot
        ]
        before = max(shorter, key=lambda r: r.request.stretch, default=None)
        trained = round(self._horizon * before.request.stretch) if before else 0
        length = round(self._horizon * request.stretch)
        stage = 0 if request.phase == "screen" else 1
        place = (request.arm, stage, request.index, request.stretch)
        return BranchOrder(
            request,
            self._trainer.fork(),
            self._task,
            Posting(version=1, gamma=self._trainer.gamma),
            before.snapshot if before and before.snapshot else self._start,
            hash((self._number, *place)) % 2**31,
            length - trained,
            scored_from=max(length // 2 - trained, 0),
            end=self._folder / "-".join(map(str, place)) if request.keep else None,
        )


def play(branches: Branches, rule: Rule, arms: int) -> Played:
    """Plays one round to its end, what a provisional decision asks for included."""
    decision = last = branches.decide(rule, arms)
    adopted = decision.adopt.stretch if decision.adopt else 0.0
    discarded = branches.trained - adopted
    if decision.then is not None:
        last = branches.decide(decision.then, arms)
    return Played(decision, last, discarded, branches.trained - adopted)


def describe(rounds: Sequence[Played]) -> str:
    """Says how many rounds promoted a candidate, and what a round cost."""

    def share(times: int) -> str:
        interval = binomtest(times, len(rounds)).proportion_ci(method="exact")
        return (
            f"{times} of {len(rounds)} rounds (95 % interval {interval.low:.3f} to "
            f"{interval.high:.3f})"
        )

    confirmed = sum(played.last.kind == "confirmed" for played in rounds)
    swapped = sum(played.decision.kind == "provisional" for played in rounds)
    discarded = sum(played.discarded for played in rounds) / len(rounds)
    in_all = sum(played.in_all for played in rounds) / len(rounds)
    return (
        f"confirmed a candidate that equals control in {share(confirmed)}, "
        f"swapped one in provisionally in {share(swapped)}; {discarded:.1f} discarded "
        f"branches a round at adoption, {in_all:.1f} in all"
    )


def main() -> None:
    """Prints a line per round, and the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", choices=("corridor", "foraging"), default="corridor")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--trained", type=int, default=9000)
    parser.add_argument("--gates", nargs="+", default=list(RULES), choices=list(RULES))
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    make = corridor if arguments.env == "corridor" else foraging
    make_venv, model, task, horizon = make()
    model.learn(arguments.trained)
    trainer = SB3Trainer(model, make_venv, 10 * arguments.trained)
    executor = ProcessExecutor()
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        trainer.snapshot(start)
        for name in arguments.gates:
            began = time.monotonic()
            rounds: list[Played] = []
            for number in range(arguments.rounds):
                ends = Path(tempfile.mkdtemp(dir=folder))
                branches = Branches(
                    trainer, start, task, horizon, number, executor, ends
                )
                played = play(branches, RULES[name], arguments.candidates + 1)
                shutil.rmtree(ends)
                rounds.append(played)
                reasons = dict.fromkeys([played.decision.reason, played.last.reason])
                scores = [result.score for result in branches.results]
                console.print(
                    f"{name}, round {number + 1}: {', then '.join(reasons)}; "
                    f"{len(scores)} branches, scores {min(scores):.3f} to "
                    f"{max(scores):.3f}"
                )
            console.print(
                f"{name} on {arguments.env}, {horizon:,} trainer steps a branch: "
                f"{describe(rounds)}; {time.monotonic() - began:.0f} seconds"
            )
    executor.close()


if __name__ == "__main__":
    main()
