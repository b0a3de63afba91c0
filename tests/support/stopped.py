"""A run with every kind of event in it, and what is checked once it goes on.

A run that was stopped, wherever, goes on: what was recorded stays, every step that was
trained is counted once, and nothing that was finished is trained again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import Executor, SerialExecutor
from also_wrappers.gate import Decision, Request, Rule, Trial
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from tests.support.corridor import check_every_step_is_counted_once, events, make_task
from tests.support.walker import ROLLOUT, Walker, Work, train_to_the_end

TOTAL = 9 * ROLLOUT


def proposal(expression: str) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=1.0)
    return Proposal(signal=Signal(terms=(term,)))


#: The first round promotes one of two, the second tries one, the third has no room.
PROPOSALS = [
    [proposal("place"), proposal("team_min(place)")],
    [proposal("place * place")],
]


class TakesBack:
    """Trains a fresh branch of the first candidate, then goes back to control's."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = Request(1, "confirm", 2, keep=False)
        if wanted not in {trial.request for trial in trials}:
            return [wanted]
        return Decision("no_change", "it does harm", adopt=Request(0, "screen", 0))


@dataclass(frozen=True)
class Promotes:
    """Promotes the first of two or more candidates, and keeps control before one.

    Attributes:
        then: What goes on beside the training.
        exploratory: Whether no base reward speaks for the candidate.
    """

    then: Rule | None = None
    exploratory: bool = False

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = [Request(arm, "screen", 0) for arm in range(arms)]
        if arms > 2:
            wanted += [Request(arm, "confirm", 1) for arm in (0, 1)]
        missing = [w for w in wanted if w not in {t.request for t in trials}]
        if missing:
            return missing
        if arms > 2:
            return Decision(
                "provisional",
                "the first",
                1,
                Request(1, "confirm", 1),
                exploratory=self.exploratory,
                then=self.then,
            )
        return Decision("no_change", "control", adopt=Request(0, "screen", 0))


def play(
    folder: Path, work: Work, gate: Rule, executor: Executor | None = None
) -> None:
    """Plays a run, or goes on with what is there of it.

    Args:
        folder: Directory of the run.
        work: Counts what is trained.
        gate: What decides.
        executor: Where branches run; in this process if not given.
    """
    ledger = folder / "ledger.jsonl"
    resume = ledger.exists() and ledger.stat().st_size > 0
    run = Run(make_task(), folder, resume=resume)
    walker = Walker(run.shape, TOTAL, work)
    adaptation = Adaptation(
        run,
        RecordedAdvisor(PROPOSALS),
        first=ROLLOUT,
        every=3 * ROLLOUT,
        horizon=ROLLOUT,
        refinements=1,
        budget=9.0,
        fade_out=0.3,
        pause_on="interval",
        gate=gate,
        executor=executor or SerialExecutor(),
    )
    train_to_the_end(walker, adaptation)
    run.close()


def check_schedule(folder: Path, state: dict[str, Any] | None) -> None:
    """Checks that a finished run's schedule has the swaps of its lineage, and no other.

    Args:
        folder: The run's directory.
        state: Of the checkpoint that the run went on from, if there was one.
    """
    schedule = json.loads((folder / "schedule.json").read_text())
    signals = [Signal.model_validate(entry["signal"]).id for entry in schedule]
    assert all(a != b for a, b in pairwise([Signal().id, *signals])), "swapped twice"
    steps = [entry["trainer_steps"]["mainline"] for entry in schedule]
    assert steps == sorted(steps), "a swap is scheduled that was undone"
    finished = Signal.model_validate(events(folder)[-1]["signal"]).id
    assert [Signal().id, *signals][-1] == finished, "another signal is scheduled last"
    kinds = [event["event"] for event in events(folder)]
    resumed = len(kinds) - 1 - kinds[::-1].index("run_resumed") if state else 0
    undone = {"rollback", "settled"} & set(kinds[resumed:])
    if state is not None and not undone:  # else it goes from the schedule again
        posted = Signal.model_validate(state["posting"]["signal"]).id
        total = state["trainer_steps"]["total"]
        before = [
            signal
            for signal, entry in zip(signals, schedule, strict=True)
            if entry["trainer_steps"]["total"] <= total
        ]
        assert [Signal().id, *before][-1] == posted, "a lost swap is scheduled"


class Stopped:
    """What a run that was stopped has left, to be held against how the run goes on.

    Args:
        folder: Directory of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ledger = folder / "ledger.jsonl"
        before = ledger.read_bytes() if ledger.exists() else b""
        self._before = before[: before.rfind(b"\n") + 1]
        checkpoint = folder / "checkpoints" / "last.json"
        self._state: dict[str, Any] | None = None
        if before and checkpoint.exists():  # saved before an event could say so
            self._state = json.loads(checkpoint.read_text())["state"]
        self._left = {path for path in folder.rglob("*") if path.is_file()}

    def check_ledger(self) -> None:
        """Checks that no event was lost, however far the run went on."""
        ledger = self._folder / "ledger.jsonl"
        after = ledger.read_bytes() if ledger.exists() else b""
        assert after.startswith(self._before), "an event was lost"

    def check(self, worked: int, work: int) -> None:
        """Checks the run after it went on to its end.

        Args:
            worked: Trainer steps that had been trained until it was stopped.
            work: Trainer steps that were trained since.
        """
        folder, state = self._folder, self._state
        self.check_ledger()
        check_every_step_is_counted_once(folder, TOTAL)
        check_schedule(folder, state)
        counted = 0
        if state is not None:
            counts = events(folder, "run_resumed")[-1]["trainer_steps"]
            counted, most = counts["total"], counts["total"] + counts["unknown"]
            assert counted <= worked <= most, f"{worked} steps are {counted} to {most}"
        grown = events(folder)[-1]["trainer_steps"]["total"] - counted
        assert grown == work, f"{work} steps were trained and {grown} counted"
        rounds = [event["round"] for event in events(folder, "decision")]
        assert rounds == sorted(set(rounds)), "a round was decided twice, or too late"
        trained = [
            tuple(event[key] for key in ("round", "arm", "phase", "index", "stretch"))
            for event in events(folder, "branch")
        ]
        assert len(trained) == len(set(trained)), "a branch was trained again"
        assert {branch[0] for branch in trained} <= set(rounds), "branches were in vain"
        assert list(folder.glob("rounds/*/snapshots")) == [], (
            "branches were left behind"
        )
        described = [
            json.loads(p.read_text()) for p in folder.glob("checkpoints/*.json")
        ]
        used = {folder / "checkpoints" / each["snapshot"] for each in described}
        assert all(path.exists() for path in used), "a checkpoint has no snapshot"
        # What a kill has left may stay; what goes on leaves nothing of its own.
        spare = set(folder.glob("checkpoints/*.zip")) - used | set(folder.rglob(".*"))
        assert spare <= self._left, f"left behind: {spare - self._left}"
