"""Doubles for a round: a trainer that rests, and branches whose outcome is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from also_wrappers.branches.branch import POINTS, BranchOrder, BranchResult
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import AuditionOutcome


class StubTrainer:
    """At rest, for ever."""

    steps, total, rollout, gamma = 0, 10_000, 10, 0.99
    bootstraps_truncation, agents_per_env = True, 1
    evaluates, replays, imitates = False, False, False

    def snapshot(self, path: Path) -> None:
        raise AssertionError("a round begins from the snapshot that it is given")

    def adopt(self, path: Path) -> None:
        raise AssertionError("a round must not change the trainer")

    def policy_drift(self) -> None:
        return None

    def imitated(self) -> None:
        return None

    def audition(self, *_: Any) -> AuditionOutcome:
        raise ConfigurationError("this stub imitates nobody; propose terms")

    def fork(self) -> Any:
        return None


class Made:
    """Branches that score what a function says."""

    beside = False

    def __init__(self, score: Callable[[BranchOrder], float]) -> None:
        self.orders: list[BranchOrder] = []
        self._score = score

    def warm(self, fork: Any) -> None:
        """Made up branches need nothing."""

    def close(self) -> None:
        """Nothing is held."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        for order in orders:
            self.orders.append(order)
            request = order.request
            score = self._score(order)
            yield BranchResult(
                request,
                order.seed,
                order.steps,
                score,
                1e-4,
                1.0,
                300,
                points=(score,) * POINTS,
                snapshot=order.end,
                observed=dict.fromkeys(order.keys, 0.1 * request.arm),
            )
