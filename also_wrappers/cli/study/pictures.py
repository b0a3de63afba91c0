"""The figures of a study, as SVG: curves, scores and profiles."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.cli.study.comparison import Comparison
from also_wrappers.cli.study.plan import Cell, Plan, PlannedTask
from also_wrappers.cli.study.results import Reading, Result, readings_of
from also_wrappers.cli.study.statistics import Scores, profile
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.pictures import new_figure

__all__ = ["curve_of", "draw_curves", "draw_profiles", "draw_scores"]

#: Readable on a light and on a dark page.
_INK = "#7d8590"
_COLORS = (
    "#d29922",
    "#2f81f7",
    "#3fb950",
    "#a371f7",
    "#f85149",
    "#8a5a44",
    "#db61a2",
    "#39c5cf",
    "#7d8590",
    "#b3b300",
)
_PLACES = 60
#: Panels beside each other, of few tasks and of more than four.
_COLUMNS, _MOST_COLUMNS = 2, 3


def draw_curves(plan: Plan, results: Sequence[Result], folder: Path) -> bytes:
    """Draws each arm's score over all environment steps, a panel for each task.

    A line is the interquartile mean of an arm's seeds, a band their range.

    Args:
        plan: The plan.
        results: The results that are there.
        folder: The study's directory.
    """
    tasks = [task for task in plan.tasks if any(r.task == task for r in results)]
    figure, panels = _panels(len(tasks))
    for task, axes in zip(tasks, panels, strict=False):
        at = plan.tasks[task].env_steps
        places = np.linspace(0.0, at, _PLACES + 1)[1:]
        for arm, color in _colors(plan):
            mine = [r for r in results if (r.task, r.arm) == (task, arm)]
            if not mine:
                continue
            runs = [folder / Cell(r.task, r.arm, r.seed).folder for r in mine]
            readings = [readings_of(read_ledger(r / "ledger.jsonl")) for r in runs]
            of_task = plan.tasks[task]
            curves = np.array([curve_of(of_task, one, places) for one in readings])
            axes.fill_between(
                places, curves.min(0), curves.max(0), color=color, alpha=0.12, lw=0
            )
            middle = _middle(curves)
            axes.plot(places, middle, color=color, lw=1.6, label=arm)
        axes.set_title(task, color=_INK, fontsize=10)
        axes.set_xlim(0, at)
        axes.set_xlabel("environment steps in all", color=_INK)
        axes.set_ylabel("score", color=_INK)
        axes.xaxis.set_major_locator(_ticks())
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps:,.0f}")
    return _svg(figure, panels, len(tasks))


def draw_scores(plan: Plan, comparison: Comparison) -> bytes:
    """Draws the interquartile mean of each arm's scores with its interval, by task.

    Every axis has 0 and 1 on it: small differences look small.

    Args:
        plan: The plan.
        comparison: The comparison.
    """
    tasks = list(dict.fromkeys(s.task for s in comparison.by_task))
    arms = max(len(plan.arms), 1)
    figure, panels = _panels(len(tasks), height=0.9 + 0.24 * arms)
    colors = dict(_colors(plan))
    for task, axes in zip(tasks, panels, strict=False):
        standings = [s for s in comparison.by_task if s.task == task][::-1]
        for row, standing in enumerate(standings):
            estimate, low, high = standing.score
            color = colors[standing.arm]
            axes.plot([low, high], [row, row], color=color, lw=3, alpha=0.5)
            axes.plot([estimate], [row], "o", color=color, markersize=5)
        ends = [0.0, 1.0, *(end for s in standings for end in s.score[1:])]
        axes.set_xlim(min(ends) - 0.05, max(ends) + 0.05)
        axes.set_ylim(-0.5, len(standings) - 0.5)
        axes.set_yticks(range(len(standings)), [s.arm for s in standings])
        axes.set_title(task, color=_INK, fontsize=10)
        axes.set_xlabel("score at the end", color=_INK)
    return _svg(figure, panels, len(tasks), legend=False)


def draw_profiles(plan: Plan, scores: Mapping[str, Scores]) -> bytes:
    """Draws the share of trainings that end above each score, mean over tasks.

    Args:
        plan: The plan.
        scores: The scores of each arm.
    """
    figure, panels = _panels(1)
    ends = [s for part in scores.values() for of in part.values() for s in of]
    thresholds = np.linspace(min([0.0, *ends]), max([1.0, *ends]), 200)
    for arm, color in _colors(plan):
        if scores.get(arm):
            shares = profile(scores[arm], thresholds)
            panels[0].plot(thresholds, shares, color=color, lw=1.6, label=arm)
    panels[0].set_xlabel("score at the end", color=_INK)
    panels[0].set_ylabel("share of trainings above", color=_INK)
    return _svg(figure, panels, 1)


def curve_of(
    task: PlannedTask, readings: Sequence[Reading], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Returns a training's score at places of the axis of all environment steps.

    The score at a place is the last record's before that place: steps of branches are
    worth what was there before them. The score is no number before the first record.

    Args:
        task: The task.
        readings: What the records of the run said, in order.
        places: Environment steps in all, shape ``(places,)``.

    Returns:
        Scores, shape ``(places,)``.
    """
    steps = [reading.env_steps for reading in readings]
    scores = np.array([np.nan, *(task.score(reading.mean) for reading in readings)])
    return np.asarray(scores[np.searchsorted(steps, places, side="right")])


def _middle(curves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the interquartile mean over seeds, shape ``(places,)``."""
    from scipy.stats import trim_mean

    middle = np.asarray(trim_mean(curves, 0.25, axis=0), dtype=np.float64)
    return np.where(np.isnan(curves).any(0), np.nan, middle)


def _colors(plan: Plan) -> Iterator[tuple[str, str]]:
    for k, arm in enumerate(plan.arms):
        yield arm, _COLORS[k % len(_COLORS)]


def _panels(count: int, height: float = 2.9) -> tuple[Any, list[Any]]:
    columns = min(count, _COLUMNS if count <= 4 else _MOST_COLUMNS)
    rows = -(-count // columns)
    figure, axes = new_figure(4.6 * columns + 1.0, height * rows, rows, columns)
    return figure, list(np.atleast_1d(axes).ravel())


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def _svg(
    figure: Any, panels: Sequence[Any], used: int, *, legend: bool = True
) -> bytes:
    for axes in panels[used:]:
        axes.set_visible(False)
    for axes in panels[:used]:
        axes.tick_params(colors=_INK, labelsize=8)
        for side in axes.spines.values():
            side.set_color(_INK)
    if legend:
        lines = {line.get_label(): line for p in panels[:used] for line in p.lines}
        panels[0].legend(
            handles=list(lines.values()), frameon=False, labelcolor=_INK, fontsize=8
        )
    data = io.BytesIO()
    figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    return data.getvalue()
