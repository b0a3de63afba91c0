"""Trains a branch, from its order to its result."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import seed_randomness
from also_wrappers.branches.scratch import scratch
from also_wrappers.evidence.episodes import weigh
from also_wrappers.evidence.summary import summarise
from also_wrappers.exceptions import brief
from also_wrappers.files import remove
from also_wrappers.gate.rule import Request, Trial
from also_wrappers.task import Task
from also_wrappers.trainer import Fork
from also_wrappers.wrappers.shape import Shape

__all__ = [
    "BranchOrder",
    "BranchResult",
    "describe_error",
    "failed_branch",
    "run_branch",
]

Array = npt.NDArray[np.float64]

#: Number of equal parts of a branch whose mean returns are kept.
POINTS = 8


@dataclass(frozen=True)
class BranchOrder:
    """Holds all that a worker needs to train one branch.

    Attributes:
        request: The gate's request for the branch.
        fork: The trainer's fork.
        task: The task.
        posting: The posting that the branch's environments read.
        snapshot: The snapshot that the branch begins from.
        seed: Seed of environments and sampling; the same for all arms.
        steps: Trainer steps to train.
        keys: Keys of the evidence whose numbers are wanted.
        scored_from: Trainer steps of the branch after which its episodes count for the
            score.
        new_signal: Whether the snapshot was trained on another signal.
        end: File for the snapshot of the branch's end, to go on from there; ``None``
            where no end is wanted.
    """

    request: Request
    fork: Fork
    task: Task
    posting: Posting
    snapshot: Path
    seed: int
    steps: int
    keys: tuple[str, ...] = ()
    _: KW_ONLY
    scored_from: int
    new_signal: bool = False
    end: Path | None = None


@dataclass(frozen=True)
class BranchResult:
    """Holds the measurements of one branch, or the error that ended the branch.

    Attributes:
        request: The gate's request for the branch.
        seed: The seed that the branch was trained on.
        steps: Trainer steps that were trained.
        score: Mean base return of the episodes that count, weighed by ``weigh``.
        variance: Squared standard error of the score between episodes.
        largest: Size of the largest base return of any episode of the branch.
        episodes: Number of episodes that count.
        shaped: Mean shaped return of the training episodes that count, weighed alike.
        seconds: Wall-clock seconds.
        error: Why the branch failed; empty if it did not fail.
        points: Mean base returns of equal parts of the branch, in order.
        errors: Standard errors of the points between episodes; ``None`` for a part in
            which fewer than two episodes ended.
        snapshot: The snapshot of the branch's end; ``None`` if the branch failed, or
            if its end was not wanted.
        observed: The numbers that were wanted of the branch's evidence, by key.
        evaluation_steps: Trainer steps of evaluations, besides ``steps``.
    """

    request: Request
    seed: int
    steps: int = 0
    score: float = 0.0
    variance: float = 0.0
    largest: float = 0.0
    episodes: int = 0
    shaped: float = 0.0
    seconds: float = 0.0
    error: str = ""
    points: tuple[float, ...] = ()
    errors: tuple[float | None, ...] = ()
    snapshot: Path | None = None
    observed: dict[str, float] = field(default_factory=dict)
    evaluation_steps: int = 0

    @property
    def ok(self) -> bool:
        """True where the branch ran to its end with a finite score."""
        return not self.error

    def trial(self, largest: float) -> Trial:
        """Returns the branch's trial, as the gate sees it.

        Args:
            largest: Size of the largest base return that any branch of the round has
                seen. The uncertainty of a score is at least one such episode more or
                less, also in a branch in which all episodes were alike.
        """
        floor = (largest / self.episodes) ** 2 if self.episodes else 0.0
        variance = max(self.variance, floor)
        return Trial(self.request, self.score, variance, self.ok, self.points, largest)

    def condition_trial(self, latest: Mapping[str, float]) -> Trial:
        """Returns a trial by conditions, where the base return is blind.

        The score is the mean of the conditions' rates, each of which counts in full if
        the condition held at an episode's first step, and for two thirds if it held as
        late as in any branch of the round.

        Args:
            latest: For each condition, the largest mean step of any branch of the
                round at which the condition held first.
        """
        rates = []
        for name, step in latest.items():
            first = self.observed.get(f"condition.{name}.first", step)
            early = 1.0 - first / step if step > 0.0 else 0.0
            rate = self.observed.get(f"condition.{name}.rate", 0.0)
            rates.append(rate * (2.0 + early) / 3.0)
        rate = sum(rates) / len(rates)
        least = 1.0 / self.episodes if self.episodes else 0.0
        variance = max(rate * (1.0 - rate) * least, least * least)
        # Rates are not known by parts; equal points show no rise.
        return Trial(self.request, rate, variance, self.ok, (rate,) * POINTS)


def run_branch(order: BranchOrder) -> BranchResult:
    """Trains one branch with a board of its own, and scores the branch.

    The score is the mean base return over the training episodes of the stochastic
    policy that end after ``order.scored_from``, weighed so that it agrees with that of
    a separate evaluation (``also_wrappers.evidence.episodes.weigh``) without costing
    steps. Where training explores beyond the policy, the score is the mean over the
    episodes of the fork's evaluations.

    The global randomness is seeded, and is not restored afterwards. A branch that fails
    in any way is a result with an error, and leaves no file at ``order.end``.
    """
    began = time.perf_counter()
    seed_randomness(order.seed)
    try:
        result = _train(order)
    except Exception as error:
        result = failed_branch(order, describe_error(error))
    return replace(result, seconds=time.perf_counter() - began)


def failed_branch(order: BranchOrder, error: str) -> BranchResult:
    """Returns the result of a branch that failed, and removes its end.

    Executors call this where the process or the machine of a branch is lost.

    Args:
        order: The order of the branch.
        error: Why the branch failed, in a sentence.
    """
    if order.end is not None:
        remove(order.end)
    return BranchResult(order.request, order.seed, error=error)


def describe_error(error: Exception) -> str:
    """Returns an error's kind and message, cut short, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{brief(error)} ({Path(where.filename).name}:{where.lineno})"


def _train(order: BranchOrder) -> BranchResult:
    with scratch() as folder:
        board = Board.create(folder / "board", order.posting)
        outcome = order.fork(
            order.snapshot,
            Shape(order.task, board),
            order.seed,
            order.steps,
            new_signal=order.new_signal,
            end=order.end,
        )
        played = board.new_episodes()
        observed = _observe(order, board)
        starts = np.concatenate((np.zeros(board.copies, np.int64), played["end"]))
    error = ""
    # Copies that do not step together may be ahead of the average copy.
    last = max(outcome.copy_steps, int(starts.max(initial=0)))
    skipped = order.scored_from * outcome.copy_steps / max(outcome.steps, 1)
    episodes = played if outcome.evaluated is None else outcome.evaluated
    returns, weights = _window(episodes, "base_return", starts, skipped, last)
    points, errors = _points(episodes, starts, outcome.copy_steps)
    if not len(returns):
        error = "no episode ended in the last half of the branch; use a longer horizon"
    elif not math.isfinite(returns.mean()):
        error = "a base return is not finite"
    if error:
        return replace(
            failed_branch(order, error),
            steps=outcome.steps,
            evaluation_steps=outcome.evaluation_steps,
        )
    score = _mean(returns, weights)
    return BranchResult(
        order.request,
        order.seed,
        outcome.steps,
        score=score,
        variance=_variance(returns, weights, score),
        largest=float(np.abs(episodes["base_return"]).max()),
        episodes=len(returns),
        shaped=_mean(*_window(played, "shaped_return", starts, skipped, last)),
        points=points,
        errors=errors,
        snapshot=order.end,
        observed=observed,
        evaluation_steps=outcome.evaluation_steps,
    )


def _window(
    episodes: npt.NDArray[np.void],
    name: str,
    starts: npt.NDArray[np.int64],
    begin: float,
    end: float,
) -> tuple[Array, Array]:
    """Returns values of the episodes that end in a part of a branch, with weights.

    All episodes of evaluations weigh the same, as every copy plays as many of them.
    """
    inside = episodes[(episodes["end"] > begin) & (episodes["end"] <= end)]
    weights = np.ones(len(inside))
    if len(inside) and "length" in (episodes.dtype.names or ()):
        weights = weigh(inside, starts, begin, end)
    return inside[name], weights


def _mean(values: Array, weights: Array) -> float:
    return float(np.average(values, weights=weights)) if len(values) else 0.0


def _variance(values: Array, weights: Array, mean: float) -> float:
    """Returns the squared standard error of a weighted mean.

    The sum of the weights varies as well; to first order, only deviations from the mean
    count (the linearised ratio, Cochran 1977).
    """
    count = len(values)
    if count < 2:
        return 0.0
    squares = np.square(weights * (values - mean)).sum() / (count - 1)
    return float(squares / (weights.sum() ** 2 / count))


def _points(
    episodes: npt.NDArray[np.void], starts: npt.NDArray[np.int64], steps: int
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    """Returns the mean base return in each part of a branch, and its standard error.

    An episode counts in the part in which it ends. A part in which no episode ends
    repeats the mean of the part before.
    """
    points: list[float] = []
    errors: list[float | None] = []
    for number in range(POINTS):
        begin, end = number * steps / POINTS, (number + 1) * steps / POINTS
        returns, weights = _window(episodes, "base_return", starts, begin, end)
        before = points[-1] if points else 0.0
        mean = _mean(returns, weights) if len(returns) else before
        points.append(mean)
        several = len(returns) > 1
        errors.append(math.sqrt(_variance(returns, weights, mean)) if several else None)
    return tuple(points), tuple(errors)


def _observe(order: BranchOrder, board: Board) -> dict[str, float]:
    """Returns those wanted numbers that the branch's evidence has, by key."""
    collected = board.collect(order.task.conditions) if order.keys else None
    if collected is None:
        return {}
    conditions = {**order.task.conditions, **order.posting.probes}
    evidence = summarise(
        collected.layout,
        collected.values,
        order.posting.signal,
        conditions,
        has_success=order.task.success is not None,
    )
    values = evidence.values
    return {key: values[key] for key in order.keys if key in values}
