"""The learning stage, from the base-return history and its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["STUCK", "Stage", "Window", "detect_stage", "is_stuck"]

Stage = Literal[
    "no_signal", "discovery", "improvement", "plateau", "regression", "solved"
]

#: Stages in which a change of the signal may help most.
STUCK: tuple[Stage, ...] = ("no_signal", "plateau", "regression")

#: Below this share of rewarded episodes the base reward teaches nothing yet.
_NO_SIGNAL = 0.02
_DISCOVERY = 0.2
_SOLVED = 0.95
#: Standard errors between two halves of the recent history that count as a change.
_CLEAR = 2.5
_RECENT = 8


@dataclass(frozen=True)
class Window:
    """Base returns of the episodes that ended between two looks.

    Means, deviation and shares are of episodes weighed by
    ``also_wrappers.evidence.episodes.weigh``, as an evaluation would count them.

    Attributes:
        steps: Trainer steps of the mainline at the end of the window.
        episodes: Number of episodes.
        mean: Mean base return.
        std: Standard deviation between episodes.
        rewarded: Share of episodes with any base reward.
        success: Share of successful episodes, or ``None`` if undeclared.
    """

    steps: int
    episodes: int
    mean: float
    std: float
    rewarded: float
    success: float | None = None


def detect_stage(history: Sequence[Window]) -> Stage:
    """Names the learning stage.

    The last eight windows are split in two halves; a change between them counts when
    it is larger than 2.5 standard errors. Windows in a row are not independent and
    the same policy's returns drift, so this is a description, not a test.

    How often it is wrong, for windows of 50 episodes that are paid 0 or 1
    (``tests/benchmarks/stages.py``): on flat curves, 0.8 to 1.8 % of looks see a
    change; of changes by 4 points a window, 1.2 % are missed within eight windows, and
    of changes by 1 point a window, 79 % are: those look like a plateau at first.

    Args:
        history: Windows in order; empty ones are ignored.

    Example:
        >>> flat = [Window(k, 50, 0.0, 0.0, 0.0) for k in range(4)]
        >>> detect_stage(flat)
        'no_signal'
    """
    recent = [window for window in history if window.episodes][-_RECENT:]
    if not recent:
        return "no_signal"
    late = recent[len(recent) // 2 :]
    if all(window.success is not None for window in late):
        success = _weighted(late, [window.success or 0.0 for window in late])
        if success >= _SOLVED:
            return "solved"
    rewarded = _weighted(late, [window.rewarded for window in late])
    if rewarded < _NO_SIGNAL:
        return "no_signal"
    change = _clear_change(recent)
    if change < 0.0:
        return "regression"
    if change > 0.0:
        return "improvement" if rewarded >= _DISCOVERY else "discovery"
    return "plateau" if rewarded >= _DISCOVERY else "discovery"


def is_stuck(history: Sequence[Window]) -> bool:
    """Returns whether a change of the signal may help.

    A change may help while the base return does not clearly rise and the task is not
    solved.

    Args:
        history: Windows in order; empty ones are ignored.

    Example:
        >>> is_stuck([Window(k, 50, 0.05, 0.2, 0.1) for k in range(8)])
        True
        >>> is_stuck([Window(k, 50, 0.02 * k, 0.1, 0.1) for k in range(8)])
        False
    """
    stage = detect_stage(history)
    if stage == "discovery":
        recent = [window for window in history if window.episodes][-_RECENT:]
        return not _clear_change(recent) > 0.0
    return stage in STUCK


def _clear_change(recent: Sequence[Window]) -> float:
    """Returns how much the mean changed between two halves; 0 if that is not clear."""
    if len(recent) < 2:
        return 0.0
    early, late = recent[: len(recent) // 2], recent[len(recent) // 2 :]
    change = _mean(late) - _mean(early)
    error = math.hypot(_standard_error(early), _standard_error(late))
    return change if abs(change) > max(_CLEAR * error, 1e-9) else 0.0


def _weighted(windows: Sequence[Window], values: Sequence[float]) -> float:
    episodes = sum(window.episodes for window in windows)
    return (
        sum(w.episodes * value for w, value in zip(windows, values, strict=True))
        / episodes
    )


def _mean(windows: Sequence[Window]) -> float:
    return _weighted(windows, [window.mean for window in windows])


def _standard_error(windows: Sequence[Window]) -> float:
    episodes = sum(window.episodes for window in windows)
    mean = _mean(windows)
    second = _weighted(windows, [w.std**2 + (w.mean - mean) ** 2 for w in windows])
    return math.sqrt(second / episodes)
