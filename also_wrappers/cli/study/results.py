"""``Result``: what one training of a study came to, at the steps of the comparison."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from also_wrappers.cli.study.plan import Cell, Plan
from also_wrappers.cli.summary import seconds_of
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import (
    Event,
    Recorded,
    RolledBack,
    RoundFinished,
    Settled,
    Swapped,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.costs import models_of
from also_wrappers.report.ending import ending_of

__all__ = ["Reading", "Result", "readings_of", "result_of"]

#: Packages on which a training's numbers depend.
_PACKAGES = ("also-wrappers", "gymnasium", "pettingzoo", "stable-baselines3", "torch")


class Result(BaseModel):
    """Says what a training came to.

    Attributes:
        task: Name of the task.
        arm: Name of the arm.
        seed: The seed.
        at: Environment steps, branches and all else included, at which the training is
            looked at.
        env_steps: Environment steps that were spent by then.
        planned: Environment steps that the whole run has spent: a run that goes on
            past ``at`` is looked at before its end.
        ending: Mean base return of the last episodes.
        spread: Standard deviation between these episodes.
        episodes: Number of these episodes.
        score: ``ending`` on the task's scale.
        reached: Environment steps in all at which a record was first at each level of
            the plan; ``None`` for what never was.
        rounds: Rounds that were played.
        swaps: Signals that were swapped in.
        taken_back: Of these, given up or rolled back.
        tokens: Tokens that a language model was asked for, and answered.
        seconds: Wall-clock time, stops left out.
        versions: Of Python and of the packages that the numbers depend on.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    arm: str
    seed: int
    at: int
    env_steps: Counts
    planned: int
    ending: float
    spread: float
    episodes: int
    score: float
    reached: dict[str, int | None]
    rounds: int
    swaps: int
    taken_back: int
    tokens: int
    seconds: float
    versions: dict[str, str]


class Reading(NamedTuple):
    """Holds what a record of a run said.

    Attributes:
        env_steps: Environment steps in all when the record was written.
        mean: Mean base return of its episodes.
    """

    env_steps: int
    mean: float


def readings_of(events: Iterable[Event]) -> list[Reading]:
    """Returns what the records of a run said, in order."""
    return [
        Reading(event.env_steps.total, event.window.mean)
        for event in events
        if isinstance(event, Recorded) and event.window.episodes
    ]


def result_of(cell: Cell, plan: Plan, run_dir: Path) -> Result:
    """Reads what a finished training came to.

    Args:
        cell: The training.
        plan: The study's plan.
        run_dir: The run's directory.

    Raises:
        ConfigurationError: No episode ended within the steps of the comparison.
    """
    task = plan.tasks[cell.task]
    everything = list(read_ledger(run_dir / "ledger.jsonl"))
    first_past = next(
        (k for k, e in enumerate(everything) if e.env_steps.total > task.env_steps),
        len(everything),
    )
    events = everything[:first_past]
    readings = readings_of(events)
    if not readings:
        raise ConfigurationError(
            f"{cell}: no episode ended within {task.env_steps:,} environment steps; "
            f"raise env_steps of the task {cell.task!r}"
        )
    ending = ending_of(events)
    assert ending.mean is not None
    assert ending.std is not None
    models = models_of(everything)
    return Result(
        task=cell.task,
        arm=cell.arm,
        seed=cell.seed,
        at=task.env_steps,
        env_steps=events[-1].env_steps,
        planned=everything[-1].env_steps.total,
        ending=ending.mean,
        spread=ending.std,
        episodes=ending.episodes,
        score=task.score(ending.mean),
        reached={
            f"{level:g}": next(
                (m.env_steps for m in readings if task.score(m.mean) >= level), None
            )
            for level in plan.levels
        },
        rounds=sum(isinstance(e, RoundFinished) and not e.skipped for e in events),
        swaps=sum(isinstance(e, Swapped) for e in events),
        taken_back=sum(
            isinstance(e, RolledBack)
            or (isinstance(e, Settled) and e.kind == "given_up")
            for e in events
        ),
        tokens=sum(model.prompt_tokens + model.answer_tokens for model in models),
        seconds=round(seconds_of(everything), 1),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
