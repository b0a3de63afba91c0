"""The comparison of a study's arms, by task and over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, stdev

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from also_wrappers.cli.study.plan import Plan
from also_wrappers.cli.study.results import Result
from also_wrappers.cli.study.statistics import (
    Interval,
    Scores,
    bootstrap,
    interquartile_mean,
    probability_of_improvement,
)

__all__ = [
    "Comparison",
    "OverTasks",
    "Standing",
    "compare",
    "print_comparison",
    "scores_of",
]


class Standing(BaseModel):
    """Says how an arm stands on a task.

    Attributes:
        task: Name of the task.
        arm: Name of the arm.
        seeds: Number of its seeds.
        env_steps: Mean of the environment steps that were spent, everything counted.
        score: Interquartile mean of the scores at the end, with its interval.
        mean: Mean of the base returns at the end.
        spread: Standard deviation of these base returns between seeds; ``None`` for
            one seed.
        reached: For each level, the median environment steps at which it was reached,
            and by how many seeds; ``None`` where none did.
        improvement: How probable it is that a training beats one of the reference;
            ``None`` for the reference.
        swaps: Mean number of signals that were swapped in.
        taken_back: Mean number of these that were given up or rolled back.
        seconds: Mean wall-clock time.
        tokens: Mean number of tokens.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    arm: str
    seeds: int
    env_steps: int
    score: Interval
    mean: float
    spread: float | None
    reached: dict[str, tuple[int, int] | None]
    improvement: Interval | None
    swaps: float
    taken_back: float
    seconds: float
    tokens: float


class OverTasks(BaseModel):
    """Says how an arm stands over the tasks that it was tried on.

    Attributes:
        arm: Name of the arm.
        tasks: Names of these tasks.
        score: Interquartile mean of all its scores at the end, with its interval.
        reference: The same of the reference, on the same tasks.
        improvement: How probable it is that a training beats one of the reference, mean
            over these tasks; ``None`` for the reference.
    """

    model_config = ConfigDict(frozen=True)

    arm: str
    tasks: tuple[str, ...]
    score: Interval
    reference: Interval
    improvement: Interval | None


class Comparison(BaseModel):
    """Holds the comparison of a study.

    Attributes:
        reference: Name of the arm that others are compared with.
        by_task: How arms stand on each task.
        over_tasks: How arms stand over tasks.
    """

    model_config = ConfigDict(frozen=True)

    reference: str
    by_task: tuple[Standing, ...]
    over_tasks: tuple[OverTasks, ...]


def compare(plan: Plan, results: Sequence[Result]) -> Comparison:
    """Compares the arms of a study, as far as it was trained.

    Args:
        plan: The plan.
        results: The results that are there.
    """
    scores = {arm: scores_of(results, arm) for arm in plan.arms}
    reference = scores[plan.compared_with]
    standings = []
    for task in plan.tasks:
        for arm in plan.arms:
            mine = [r for r in results if (r.task, r.arm) == (task, arm)]
            if mine:
                standings.append(_standing(plan, mine, reference))
    over = []
    for arm, all_mine in scores.items():
        mine_too = {task: part for task, part in all_mine.items() if task in reference}
        if not mine_too:
            continue
        same = {task: reference[task] for task in mine_too}
        over.append(
            OverTasks(
                arm=arm,
                tasks=tuple(mine_too),
                score=bootstrap(interquartile_mean, mine_too),
                reference=bootstrap(interquartile_mean, same),
                improvement=None
                if arm == plan.compared_with
                else bootstrap(probability_of_improvement, mine_too, same),
            )
        )
    return Comparison(
        reference=plan.compared_with,
        by_task=tuple(standings),
        over_tasks=tuple(over),
    )


def _standing(plan: Plan, mine: Sequence[Result], reference: Scores) -> Standing:
    task, arm = mine[0].task, mine[0].arm
    scores = {task: [result.score for result in mine]}
    improvement = None
    if arm != plan.compared_with and task in reference:
        against = {task: reference[task]}
        improvement = bootstrap(probability_of_improvement, scores, against)
    returns = [result.ending for result in mine]
    reached: dict[str, tuple[int, int] | None] = {}
    for level in mine[0].reached:
        steps = [r.reached[level] for r in mine]
        there = [count for count in steps if count is not None]
        reached[level] = (round(median(there)), len(there)) if there else None
    return Standing(
        task=task,
        arm=arm,
        seeds=len(mine),
        env_steps=round(fmean(result.env_steps.total for result in mine)),
        score=bootstrap(interquartile_mean, scores),
        mean=fmean(returns),
        spread=stdev(returns) if len(returns) > 1 else None,
        reached=reached,
        improvement=improvement,
        swaps=fmean(result.swaps for result in mine),
        taken_back=fmean(result.taken_back for result in mine),
        seconds=fmean(result.seconds for result in mine),
        tokens=fmean(result.tokens for result in mine),
    )


def scores_of(results: Sequence[Result], arm: str) -> dict[str, list[float]]:
    """Returns the scores of an arm by task.

    Args:
        results: The results that are there.
        arm: Name of the arm.
    """
    scores: dict[str, list[float]] = {}
    for result in results:
        if result.arm == arm:
            scores.setdefault(result.task, []).append(result.score)
    return scores


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Prints a table for each task, and one over tasks.

    Args:
        comparison: The comparison.
        console: Where to print.
    """
    for task in dict.fromkeys(s.task for s in comparison.by_task):
        standings = [s for s in comparison.by_task if s.task == task]
        levels = list(standings[0].reached)
        columns = ["seeds", "env steps", "base return", "score"]
        table = _table(task, columns + [f"{level} after" for level in levels[-1:]])
        for s in standings:
            spread = "" if s.spread is None else f" ({s.spread:.3f})"
            table.add_row(
                s.arm,
                str(s.seeds),
                f"{s.env_steps:,}",
                f"{s.mean:.3f}{spread}",
                _interval(s.score),
                *(_reached(s, level) for level in levels[-1:]),
            )
        console.print(table)
    name = comparison.reference
    table = _table("over tasks", ["tasks", "score", f"{name} on these", "beats it"])
    for o in comparison.over_tasks:
        table.add_row(
            o.arm,
            str(len(o.tasks)),
            _interval(o.score),
            _interval(o.reference),
            "" if o.improvement is None else _interval(o.improvement),
        )
    console.print(table)
    console.print(
        "base return: mean of the last episodes of the training (standard deviation "
        "between seeds); score: interquartile mean with its 95 % bootstrap interval; "
        "after: median of the environment steps in all, branches included (seeds that "
        "got there); beats it: how probable it is that a training beats one of "
        f"{name}.",
        highlight=False,
    )


def _interval(interval: Interval) -> str:
    estimate, low, high = interval
    return f"{estimate:.2f} [{low:.2f}, {high:.2f}]"


def _reached(standing: Standing, level: str) -> str:
    reached = standing.reached[level]
    if reached is None:
        return "-"
    steps, seeds = reached
    return f"{steps:,} ({seeds})"


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1)
    )
    table.add_column("arm", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
