"""The charts of the arms of a round: their learning curves and their scores."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from also_wrappers.ledger.events import BranchEnded
from also_wrappers.report.charts import (
    Curve,
    Dot,
    Point,
    Row,
    draw_curves,
    draw_rows,
)

__all__ = ["arm_colors", "course", "draw_arms", "draw_scores", "whole_branches"]

_RETURN = "base return per episode"
_CONTROL = "control"
#: Colors of candidates.
_COLORS = ("blue", "orange", "green", "red", "purple", "brown")
#: Candidates of a chart; those that earned most are shown.
_MOST = len(_COLORS)


def arm_colors(branches: Mapping[str, Sequence[BranchEnded]]) -> dict[str, str]:
    """Returns the color of each arm that is drawn, control first.

    Args:
        branches: The branches of each arm by its name, control first. Of many arms,
            control and those with the best branches are drawn.
    """
    best = {
        name: max((branch.score for branch in ended if not branch.error), default=None)
        for name, ended in branches.items()
    }
    tried = [name for name, score in best.items() if score is not None]
    candidates = [name for name in tried if name != _CONTROL]
    candidates.sort(key=lambda name: -(best[name] or 0.0))
    shown = {_CONTROL, *candidates[:_MOST]}
    names = [name for name in tried if name in shown and name != _CONTROL]
    colors = {name: _COLORS[k] for k, name in enumerate(names)}
    return {_CONTROL: "muted", **colors} if _CONTROL in tried else colors


def draw_arms(branches: Mapping[str, Sequence[BranchEnded]]) -> str:
    """Draws the learning curve of each arm.

    Args:
        branches: The branches of each arm by its name, control first.

    Returns:
        An SVG element; empty where no branch tells of its course.
    """
    curves = [
        Curve(name, color, (course(branches[name]),))
        for name, color in arm_colors(branches).items()
    ]
    if not any(curve.stretches[0] for curve in curves):
        return ""
    return draw_curves(
        "Base return of each arm over its branches",
        curves,
        x="environment steps of a branch",
        y=_RETURN,
    )


def draw_scores(branches: Mapping[str, Sequence[BranchEnded]]) -> str:
    """Draws the scores of all branches, a row for each arm.

    Args:
        branches: The branches of each arm by its name, control first.

    Returns:
        An SVG element.
    """
    rows = [
        Row(
            name,
            tuple(
                Dot(
                    branch.score,
                    branch.standard_error,
                    color,
                    branch.phase == "confirm",
                )
                for branch in whole_branches(branches[name])
                if not branch.error
            ),
        )
        for name, color in arm_colors(branches).items()
    ]
    return draw_rows("Scores of the branches of each arm", rows, x=_RETURN)


def whole_branches(parts: Iterable[BranchEnded]) -> list[BranchEnded]:
    """Returns each branch once: a longer one replaces the one that it goes on with.

    Args:
        parts: The branches of an arm, in the order in which they ended.
    """
    whole: list[BranchEnded] = []
    for part in parts:
        if part.trained and not part.error:
            whole = [branch for branch in whole if not _goes_on(part, branch)]
        whole.append(part)
    return whole


def _goes_on(part: BranchEnded, shorter: BranchEnded) -> bool:
    """Whether a part of a branch begins where a shorter branch has ended."""
    same = (part.phase, part.index) == (shorter.phase, shorter.index)
    return same and part.trained == shorter.trained + shorter.steps


def course(branches: Sequence[BranchEnded]) -> tuple[Point, ...]:
    """Returns the learning curve of an arm: base return over a branch.

    A point is the mean over the branches of the arm. Its standard error is that between
    their episodes, or that between the branches where it is larger.

    Args:
        branches: The branches of the arm; those that failed have no course.

    Returns:
        Points over environment steps of a branch, in order.
    """
    parts: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for branch in branches:
        if branch.error or not branch.trainer_steps.total:
            continue
        per_step = branch.env_steps.total / branch.trainer_steps.total
        part = branch.steps / max(len(branch.points), 1)
        for k, measured in enumerate(zip(branch.points, branch.errors, strict=False)):
            mean, error = measured
            if error is not None and math.isfinite(mean + error):
                place = (branch.trained + (k + 0.5) * part) * per_step
                parts[round(place)].append((mean, error))
    points = []
    for place, measures in sorted(parts.items()):
        count, mean = len(measures), fmean(mean for mean, _ in measures)
        error = math.hypot(*(error for _, error in measures)) / count
        if count > 1:
            apart = math.hypot(*(other - mean for other, _ in measures))
            error = max(error, apart / math.sqrt(count * (count - 1)))
        points.append(Point(place, mean, error))
    return tuple(points)
