"""How much of a slow model's time is hidden behind training.

    python tests/benchmarks/consulting.py [--seconds 30]

A small PPO is trained on the corridor, and the advisor takes so many seconds for every
answer: a diagnosis, candidates, a replacement. The first round is placed where the
training has gone on for seven answers; as everywhere, the advisor is asked half of
that ahead. Printed is the share of the advisor's time in which training or branches
went on. Takes some twenty times the seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.ledger.events import Recorded, Waited
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from tests.support.corridor import HARMFUL, HELPFUL, make_model, make_task, make_venv


class Slow(RecordedAdvisor):
    """Takes its time for every answer.

    Attributes:
        asked: Seconds of all answers.
    """

    slow = True

    def __init__(self, seconds: float) -> None:
        super().__init__([[HELPFUL]], [[HARMFUL]])
        self.asked = 0.0
        self._seconds = seconds

    def diagnose(self, situation: Situation) -> Diagnosis:
        self._answer()
        return super().diagnose(situation)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        self._answer()
        return super().propose(situation, k)

    def _answer(self) -> None:
        time.sleep(self._seconds)
        self.asked += self._seconds


def main() -> None:
    """Prints the share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        speed = _speed(Path(folder) / "speed")
        ahead = round(speed * 3.5 * seconds)  # a diagnosis and candidates, and some
        first, horizon = 2 * ahead, 2 * ahead
        run = Run(make_task(), Path(folder) / "run")
        advisor = Slow(seconds)
        options: dict[str, Any] = {
            "first": first,
            "every": 10**9,
            "horizon": horizon,
            "candidates": 1,
            "pause_on": "interval",
            "budget": 4.0,
            "verbose": 0,
        }
        adapting = AdaptationCallback(
            run, make_venv, advisor, executor=ProcessExecutor(2), **options
        )
        began = time.monotonic()
        make_model(run).learn(first + 2 * horizon, adapting)
        took = time.monotonic() - began
        run.close()
        waited = sum(e.seconds or 0.0 for e in run.events() if isinstance(e, Waited))
    Console(highlight=False).print(
        f"{advisor.asked:.0f} seconds of answers of {seconds:g} each in a training of "
        f"{took:.0f} seconds; training waited for {waited:.1f} of them: "
        f"{1.0 - waited / advisor.asked:.0%} hidden"
    )


def _speed(folder: Path) -> float:
    """Trainer steps a second."""
    run = Run(make_task(), folder)
    model = make_model(run)
    recording = AdaptationCallback(run, make_venv, budget=0.0, verbose=0)
    model.learn(65_536, recording)
    run.close()
    first, *_, last = [e for e in run.events() if isinstance(e, Recorded)]
    return (last.window.steps - first.window.steps) / (last.time - first.time)


if __name__ == "__main__":
    main()
