"""Arms, branches and what they measure."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.evidence.summary import summarise
from also_wrappers.gate.rule import Request, Trial
from also_wrappers.proposals.proposal import Expectation
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task
from also_wrappers.trainer import Fork
from also_wrappers.wrappers.shape import Shape

__all__ = ["Arm", "BranchOrder", "BranchResult", "run_branch"]

#: Parts of a branch whose mean returns are kept.
POINTS = 8


@dataclass(frozen=True)
class Arm:
    """One signal under test. Arm 0 is control.

    Attributes:
        index: Its number in the round.
        name: For people.
        signal: What it is trained on.
        intent: What kind of change it is.
        hypothesis: What should happen to the evidence if it helps as it is meant to.
    """

    index: int
    name: str
    signal: Signal
    intent: str = ""
    hypothesis: Expectation | None = None


@dataclass(frozen=True)
class BranchOrder:
    """All that a worker needs to train one branch.

    Attributes:
        request: What the gate asked for.
        fork: The trainer's fork.
        task: The task.
        posting: What the branch's environments read.
        snapshot: Where it begins.
        seed: Of environments and sampling; the same for all arms.
        steps: Trainer steps.
        keys: Of the evidence whose numbers are wanted.
        new_signal: Whether the snapshot was trained on another signal.
        scored_from: Trainer steps after which its episodes count for the score; by
            default half of its own. What it extends is part of the whole.
        keep: Whether its end may be wanted, to go on from there.
    """

    request: Request
    fork: Fork
    task: Task
    posting: Posting
    snapshot: bytes
    seed: int
    steps: int
    keys: tuple[str, ...] = ()
    new_signal: bool = False
    scored_from: int | None = None
    keep: bool = True


@dataclass(frozen=True)
class BranchResult:
    """What a branch measured and left.

    Attributes:
        request: What the gate asked for.
        seed: Its seed.
        steps: Trainer steps that were trained.
        score: Mean base return of the episodes in its last half.
        variance: Squared standard error of the score between episodes.
        largest: Size of the largest base return of any of its episodes.
        episodes: Number of those episodes.
        shaped: Their mean shaped return.
        seconds: Wall-clock time.
        error: Why it failed; empty if it did not.
        points: Mean base returns of equal parts of the branch, in order.
        snapshot: State of training at its end; empty if it failed, or if it is not
            wanted.
        observed: The numbers that were wanted of its evidence.
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
    snapshot: bytes = b""
    observed: dict[str, float] = field(default_factory=dict)
    evaluation_steps: int = 0

    @property
    def ok(self) -> bool:
        """Whether it ran to its end with a finite score."""
        return not self.error

    def trial(self, largest: float) -> Trial:
        """What the gate gets to see.

        Args:
            largest: Size of the largest base return that any branch of the round has
                seen. One such episode more or less is the least that a score can be
                uncertain by, also in a branch in which all episodes were alike.
        """
        floor = (largest / self.episodes) ** 2 if self.episodes else 0.0
        variance = max(self.variance, floor)
        return Trial(self.request, self.score, variance, self.ok, self.points)

    def condition_trial(self, keys: Sequence[str]) -> Trial:
        """What the gate gets to see where no arm has seen any base reward.

        Args:
            keys: Rates of conditions; the mean of the rates is the score.
        """
        rates = [self.observed.get(key, 0.0) for key in keys]
        rate = sum(rates) / len(rates)
        least = 1.0 / self.episodes if self.episodes else 0.0
        variance = max(rate * (1.0 - rate) * least, least * least)
        # Rates are not known by parts, so that they do not seem to rise.
        return Trial(self.request, rate, variance, self.ok, (rate,) * POINTS)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data, without the snapshot."""
        return {
            "arm": self.request.arm,
            "stage": self.request.stage,
            "index": self.request.index,
            "stretch": self.request.stretch,
            "seed": self.seed,
            "steps": self.steps,
            "score": self.score,
            "standard_error": math.sqrt(self.variance),
            "points": self.points,
            "episodes": self.episodes,
            "shaped": self.shaped,
            "seconds": round(self.seconds, 2),
            "observed": self.observed,
            "evaluation_steps": self.evaluation_steps,
            "error": self.error,
        }


def run_branch(order: BranchOrder) -> BranchResult:
    """Trains one branch with a board of its own and scores it.

    The score is the mean base return per episode over the training episodes of the
    stochastic policy that end in the last half of the branch (of the whole one, where
    this extends another): free, and as telling as a separate evaluation. Where training
    explores beyond the policy, it is the mean
    over the episodes of the fork's evaluations.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="also-branch-") as folder:
        board = Board.create(Path(folder) / "board", order.posting)
        shape: Callable[[Any], Any] = Shape(order.task, board)
        outcome = order.fork(
            order.snapshot, shape, order.seed, order.steps, order.new_signal
        )
        played = board.new_episodes()
        observed = _observe(order, board)
    skipped = order.steps // 2 if order.scored_from is None else order.scored_from
    half = skipped * outcome.copy_steps / max(outcome.steps, 1)
    episodes = played if outcome.evaluated is None else outcome.evaluated
    returns = episodes[episodes[:, 0] > half, 1]
    spent = BranchResult(
        order.request,
        order.seed,
        outcome.steps,
        seconds=time.perf_counter() - began,
        evaluation_steps=outcome.evaluation_steps,
    )
    if not len(returns):
        error = "no episode ended in the last half of the branch; use a longer horizon"
        return replace(spent, error=error)
    score = float(returns.mean())
    if not math.isfinite(score):
        return replace(spent, error="a base return is not finite")
    shaped = played[played[:, 0] > half, 2]
    return replace(
        spent,
        score=score,
        variance=float(returns.var(ddof=1)) / len(returns) if len(returns) > 1 else 0.0,
        largest=float(np.abs(episodes[:, 1]).max()),
        episodes=len(returns),
        shaped=float(shaped.mean()) if len(shaped) else 0.0,
        points=_points(episodes, outcome.copy_steps),
        snapshot=outcome.snapshot if order.keep else b"",
        observed=observed,
    )


def _points(episodes: npt.NDArray[np.float64], steps: int) -> tuple[float, ...]:
    """Mean base returns of the episodes that end in equal parts of a branch; a part in
    which none ends repeats the one before."""
    points: list[float] = []
    part = np.ceil(episodes[:, 0] * POINTS / steps).astype(int)
    for number in range(1, POINTS + 1):
        returns = episodes[part == number, 1]
        before = points[-1] if points else 0.0
        points.append(float(returns.mean()) if len(returns) else before)
    return tuple(points)


def _observe(order: BranchOrder, board: Board) -> dict[str, float]:
    """The numbers that are wanted of a branch's evidence, as far as there are any."""
    collected = board.collect(order.task.conditions) if order.keys else None
    if collected is None:
        return {}
    conditions = {**order.task.conditions, **order.posting.probes}
    seen = summarise(
        collected.layout,
        collected.values,
        order.posting.signal,
        conditions,
        has_success=order.task.success is not None,
    )
    return {key: seen.values[key] for key in order.keys if key in seen.values}
