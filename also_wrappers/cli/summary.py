"""``RunSummary``: a run as it stands, from what it has left on disk."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from also_wrappers.ledger.accounting import Accounting, Counts
from also_wrappers.ledger.events import (
    Event,
    RunFinished,
    RunResumed,
    RunStarted,
    Swapped,
)
from also_wrappers.ledger.ledger import last_event, salvage_ledger
from also_wrappers.report.ending import ending_of
from also_wrappers.report.rounds import RoundRecord, Use, collect_rounds
from also_wrappers.report.standing import ActiveSignal, Standing
from also_wrappers.report.words import decision_in_words, settlement_in_words
from also_wrappers.run.lock import holder_of
from also_wrappers.run.meter import read_meter
from also_wrappers.signal.model import Signal

__all__ = [
    "RoundSummary",
    "RunSummary",
    "is_finished",
    "seconds_of",
    "summarise_run",
]


class RoundSummary(BaseModel):
    """Says what one round came to.

    Attributes:
        round: Number of the round, counted from 1.
        trainer_steps: Trainer steps of the mainline when the round began.
        decision: What the round decided, and why; empty where it has not, or where it
            was skipped.
        effect: Mean difference of the winner to control in base return, where they were
            compared.
        branches: Branches that were trained, those beside the training included; one
            that went on with a shorter one counts once.
        settlements: What became of each signal that the round swapped in.
        skipped: Why the round was not played; empty if it was.
    """

    model_config = ConfigDict(frozen=True)

    round: int
    trainer_steps: int
    decision: str
    effect: float | None
    branches: int
    settlements: tuple[str, ...]
    skipped: str


class RunSummary(BaseModel):
    """Says how a run stands.

    Attributes:
        run: The run's directory.
        state: ``"finished"``, ``"running"``, or ``"stopped"`` where no process goes on
            with it.
        holder: The process that runs it, in words; ``None`` where none does.
        task: The user's description of the task.
        advisor: Name of the advisor.
        planned: Trainer steps that are planned.
        trainer_steps: Trainer steps that were spent.
        env_steps: Environment steps that were spent.
        base_return: Mean base return of the last episodes; ``None`` without any.
        standard_error: Standard error of ``base_return`` between these episodes.
        episodes: Number of these episodes.
        signal: The active signal.
        standing: How sure the run is of it; ``None`` if no round swapped it in.
        rounds: The rounds that were begun.
        swaps: How many signals were swapped in.
        seconds: Wall-clock time in which the run was recorded, without its stops.
        go_on: Commands, or lines of Python, with which to go on.
        damage: What is wrong with the ledger, in a sentence; empty if nothing is.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    state: Literal["running", "stopped", "finished"]
    holder: str | None
    task: str
    advisor: str
    planned: int
    trainer_steps: Counts
    env_steps: Counts
    base_return: float | None
    standard_error: float | None
    episodes: int
    signal: Signal
    standing: Standing | None
    rounds: tuple[RoundSummary, ...]
    swaps: int
    seconds: float
    go_on: tuple[str, ...]
    damage: str


def summarise_run(run_dir: Path) -> RunSummary:
    """Reads how a run stands; the run is left as it is, and may go on meanwhile.

    Args:
        run_dir: The run's directory.

    Raises:
        ConfigurationError: There is no run, or nothing of its ledger can be read.
    """
    events, damage = salvage_ledger(run_dir / "ledger.jsonl")
    holder = holder_of(run_dir / "run.lock")
    state: Literal["running", "stopped", "finished"]
    if isinstance(events[-1], RunFinished):
        state, holder = "finished", None
    else:
        state = "running" if holder else "stopped"
    begun = [event for event in events if isinstance(event, RunStarted | RunResumed)]
    started = next((event for event in begun if isinstance(event, RunStarted)), None)
    ending = ending_of(events)
    active = ActiveSignal(events)
    trainer_steps, env_steps = _spent(run_dir, events[-1], state == "running")
    return RunSummary(
        run=str(run_dir),
        state=state,
        holder=holder,
        task=started.task if started else "",
        advisor=started.advisor if started else "",
        planned=begun[-1].total if begun else 0,
        trainer_steps=trainer_steps,
        env_steps=env_steps,
        base_return=ending.mean,
        standard_error=ending.standard_error,
        episodes=ending.episodes,
        signal=active.signal,
        standing=active.standing,
        rounds=tuple(map(_summarise_round, collect_rounds(events))),
        swaps=sum(isinstance(event, Swapped) for event in events),
        seconds=seconds_of(events),
        go_on=_go_on(run_dir, state, active.signal),
        damage=damage,
    )


def _summarise_round(record: RoundRecord) -> RoundSummary:
    decided, finished = record.decided, record.finished
    return RoundSummary(
        round=record.started.round,
        trainer_steps=record.started.trainer_steps.mainline,
        decision=decision_in_words(decided) if decided else "",
        effect=decided.effect if decided else None,
        branches=sum(
            not part.trained for arm in record.arms.values() for part in arm.branches
        ),
        settlements=tuple(filter(None, map(_end_of, record.uses))),
        skipped=finished.skipped if finished else "",
    )


def _end_of(use: Use) -> str:
    """Says what became of a signal that was swapped in; empty if nothing has."""
    if use.undone is not None:
        return f"rolled back: base return fell by {use.undone.fall:.3f}"
    return settlement_in_words(use.settled) if use.settled is not None else ""


def _spent(run_dir: Path, last: Event, running: bool) -> tuple[Counts, Counts]:
    """Returns trainer steps and environment steps, those since the last event too."""
    per_step = round(last.trainer_steps.total / max(last.env_steps.total, 1))
    metered, flying = read_meter(run_dir / "steps")
    if per_step == 0 or isinstance(last, RunFinished):
        return last.trainer_steps, last.env_steps
    spent = max(last.trainer_steps, metered, key=lambda counts: counts.total)
    # What a process was training when it died may have been spent.
    unknown = last.trainer_steps.unknown + (0 if running else flying)
    parts = (spent.mainline, spent.branches, spent.evaluation, unknown)
    accounting = Accounting(per_step, *parts)
    return accounting.trainer_steps(), accounting.env_steps()


def is_finished(run_dir: Path) -> bool:
    """True if there is a run in a directory, and it was trained to its end."""
    return isinstance(last_event(run_dir / "ledger.jsonl"), RunFinished)


def seconds_of(events: Sequence[Event]) -> float:
    """Returns the wall-clock seconds between the events of the same process."""
    return sum(
        max(after.time - before.time, 0.0)
        for before, after in pairwise(events)
        if not isinstance(after, RunResumed)
    )


def _go_on(run_dir: Path, state: str, signal: Signal) -> tuple[str, ...]:
    name = shlex.quote(str(run_dir))
    if state == "running":
        return (f"also-wrappers watch {name}",)
    if state == "finished":
        export = [] if signal.empty else [f"also-wrappers export {name}"]
        return (f"also-wrappers report {name}", *export)
    if (run_dir / "demo.json").exists():
        return (f"also-wrappers demo --resume --run-dir {name}",)
    again = f"run = also.Run(task, {str(run_dir)!r}, resume='auto')"
    return (f"{again}  # and train as before",)
