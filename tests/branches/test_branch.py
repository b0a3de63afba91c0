"""The score of a branch agrees with an evaluation of its policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult, run_branch
from also_wrappers.gate import Request
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainer import EVALUATED, ForkOutcome

_COPIES = 16
_LIMIT = 20


class Fixed:
    """A fork whose policy never changes: with some chance it walks to the end, in two
    steps, and else it waits for the time limit.

    Args:
        chance: Chance of a success.
        length: Steps that a success takes, at least 2.
    """

    preload: tuple[str, ...] = ()

    def __init__(self, chance: float = 0.5, length: int = 4) -> None:
        self.returns: list[float] = []
        self.evaluated: Any = None
        self._chance = chance
        self._length = length

    def warm(self) -> None:
        """Has nothing to do."""

    def __call__(
        self,
        start: Path,
        shape: Callable[[Any], Any],
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        random = np.random.default_rng(seed)
        self.returns = []
        for _ in range(_COPIES):
            env = shape(Corridor(length=3, limit=_LIMIT))
            env.reset(seed=seed)
            age, succeeds = 0, random.random() < self._chance
            for _ in range(steps):
                age += 1
                walks = succeeds and age > self._length - 2
                env.step(dict.fromkeys(env.agents, 2 if walks else 0))
                if not env.agents:
                    self.returns.append(float(succeeds))
                    env.reset()
                    age, succeeds = 0, random.random() < self._chance
        return ForkOutcome(steps * _COPIES, steps, self.evaluated)


def branch(fork: Fixed, seed: int, limits: float, scored_from: float) -> BranchResult:
    """Trains a branch of some time limits; it is scored from one of them on."""
    steps = int(limits * _LIMIT)
    result = run_branch(
        BranchOrder(
            Request(0, "screen", 0),
            fork,
            Task("Walk.", corridor_features()),
            Posting(version=1, gamma=0.9),
            Path("start"),
            seed,
            steps,
            scored_from=int(scored_from * _LIMIT * _COPIES),
        )
    )
    assert not result.error
    return result


def test_a_score_agrees_with_an_evaluation() -> None:
    fork = Fixed()
    plain, scores, errors = [], [], []
    for seed in range(60):
        result = branch(fork, seed, limits=2.5, scored_from=0.0)
        plain.append(np.mean(fork.returns))
        scores.append(result.score)
        errors.append(result.variance)
        assert result.episodes == len(fork.returns)
    assert np.mean(plain) - 0.5 > 0.05
    assert abs(np.mean(scores) - 0.5) < 0.02
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(scores), rel=0.25)


def test_the_points_of_a_branch_are_weighed_too() -> None:
    results = [branch(Fixed(), seed, 10.0, 5.0) for seed in range(30)]
    points = np.mean([result.points for result in results], axis=0)
    assert points.shape == (8,)
    assert np.abs(points - 0.5).max() < 0.06  # a plain mean has .61 first
    assert abs(np.mean([result.score for result in results]) - 0.5) < 0.03


def test_where_all_episodes_have_one_length_the_score_is_the_plain_mean() -> None:
    fork = Fixed(length=_LIMIT)
    for seed in range(5):
        result = branch(fork, seed, limits=3.4, scored_from=0.0)
        returns = np.array(fork.returns)
        assert result.score == returns.mean()
        assert result.variance == returns.var(ddof=1) / len(returns)
        assert result.shaped == result.score


def test_episodes_of_evaluations_all_weigh_the_same() -> None:
    fork = Fixed()
    returns = np.array([0.0, 1.0, 0.25, 0.5])
    fork.evaluated = np.zeros(4, EVALUATED)
    fork.evaluated["end"], fork.evaluated["base_return"] = [10, 40, 40, 40], returns
    result = branch(fork, 0, limits=2.0, scored_from=1.0)
    assert result.score == returns[1:].mean()
    assert result.variance == pytest.approx(returns[1:].var(ddof=1) / 3)
    # Three end in the last part of the branch; where fewer than two end, who knows.
    assert result.errors[:-1] == (None,) * 7
    assert result.errors[-1] == pytest.approx(result.variance**0.5)
    alike = replace(result, variance=0.0).trial(largest=1.0)
    assert alike.variance == pytest.approx(1.0 / 9.0)
