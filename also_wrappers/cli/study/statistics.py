"""Statistics over few trainings, as rliable has them.

The interquartile mean with stratified bootstrap intervals, the probability of
improvement and performance profiles: Agarwal et al., "Deep Reinforcement Learning at
the Edge of the Statistical Precipice", NeurIPS 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = [
    "Interval",
    "Scores",
    "bootstrap",
    "interquartile_mean",
    "probability_of_improvement",
    "profile",
]

#: Scores by task, one for each seed.
Scores = Mapping[str, Sequence[float]]

_RESAMPLES = 2000
_COVERAGE = 0.95


class Interval(NamedTuple):
    """Holds an estimate and its 95 % interval.

    Attributes:
        estimate: The estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    estimate: float
    low: float
    high: float


def interquartile_mean(scores: Scores) -> float:
    """Returns the mean of the middle half of all scores.

    Args:
        scores: Of one arm.

    Example:
        >>> interquartile_mean({"a": [0.0, 0.4, 0.6, 9.0]})
        0.5
    """
    ordered = np.sort(np.concatenate([*map(_array, scores.values())]))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def probability_of_improvement(scores: Scores, others: Scores) -> float:
    """Returns how probable it is that a training of one arm beats one of another.

    The mean over the tasks that both were tried on; ties count half.

    Args:
        scores: Of the one arm.
        others: Of the other one.

    Raises:
        ValueError: There is no task that both were tried on.

    Example:
        >>> probability_of_improvement({"a": [1.0, 2.0]}, {"a": [1.0, 0.0]})
        0.875
    """
    tasks = [task for task in scores if task in others]
    if not tasks:
        raise ValueError("the arms have no task in common")
    return float(np.mean([_beats(scores[task], others[task]) for task in tasks]))


def profile(scores: Scores, thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the share of trainings with more than each threshold, mean over tasks.

    Args:
        scores: Of one arm.
        thresholds: Scores, shape ``(n,)``.

    Returns:
        Shares, shape ``(n,)``.
    """
    at = np.asarray(thresholds, dtype=np.float64)
    shares = [(_array(part)[:, None] > at).mean(axis=0) for part in scores.values()]
    return np.asarray(np.mean(shares, axis=0), dtype=np.float64)


def bootstrap(
    statistic: Callable[..., float], *groups: Scores, seed: int = 0
) -> Interval:
    """Returns a statistic with its percentile interval.

    Seeds are drawn with replacement within each task of each group.

    Args:
        statistic: Takes as many groups as are given.
        *groups: Scores of one arm each.
        seed: Of the draws.
    """
    randomness = np.random.default_rng(seed)
    drawn = [
        statistic(*(_resampled(group, randomness) for group in groups))
        for _ in range(_RESAMPLES)
    ]
    tail = 50.0 * (1.0 - _COVERAGE)
    low, high = np.percentile(drawn, [tail, 100.0 - tail])
    return Interval(statistic(*groups), float(low), float(high))


def _resampled(
    scores: Scores, randomness: np.random.Generator
) -> dict[str, npt.NDArray[np.float64]]:
    return {
        task: randomness.choice(_array(part), len(part))
        for task, part in scores.items()
    }


def _beats(scores: Sequence[float], others: Sequence[float]) -> float:
    """Returns the share of pairs in which the first is larger, by Mann and Whitney."""
    count, against = len(scores), len(others)
    ranks = rankdata(np.concatenate([_array(scores), _array(others)]))
    wins = ranks[:count].sum() - count * (count + 1) / 2.0
    return float(wins / (count * against))


def _array(scores: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.asarray(scores, dtype=np.float64)
