"""Measured branches of real PPO runs, by what they have in common.

``branches.json`` holds 345 branches of PPO with shared parameters (three tasks, from
untrained to trained snapshots, several weights of a shaping term). Every branch has its
episodes' base returns in bins of 2,048 agent steps: how many ended, their sum and their
sum of squares. A branch of 65,536 steps is also one of 32,768, by its first half.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from also_wrappers.branches.branch import POINTS

__all__ = ["LARGEST", "Measured", "Pool", "load"]

_BIN = 2048
#: The largest return of an episode in all of the tasks.
LARGEST = 1.0


class Pool(NamedTuple):
    """What the branches of a pool have in common."""

    task: str
    snapshot: str
    horizon: int
    weight: float

    def __str__(self) -> str:
        steps = self.horizon // 1024
        return f"{self.task} {self.snapshot}, {steps}k, w={self.weight:g}"


@dataclass(frozen=True)
class Measured:
    """Keeps what a gate sees of a branch.

    Attributes:
        score: Mean return of the episodes that end in the last half of the branch.
        variance: Squared standard error of ``score`` by episodes, not below one
            episode's worth.
        points: Mean returns of equal parts of the branch.
        half: What the branch measured when it was half as long; ``None`` for a half.
    """

    score: float
    variance: float
    points: tuple[float, ...]
    half: Measured | None = None


def load() -> dict[Pool, list[Measured]]:
    """All pools of at least six branches."""
    path = Path(__file__).parent / "branches.json"
    pools: dict[Pool, list[Measured]] = defaultdict(list)
    for branch in json.loads(path.read_text())["branches"]:
        for horizon in (32_768, 65_536):
            bins = branch["bins"][: horizon // _BIN]
            if len(bins) * _BIN == horizon:
                pool = Pool(branch["task"], branch["snap"], horizon, branch["w"])
                half = _measure(bins[: len(bins) // 2])
                pools[pool].append(_measure(bins, half))
    return {pool: found for pool, found in sorted(pools.items()) if len(found) >= 6}


def _measure(bins: Sequence[Sequence[float]], half: Measured | None = None) -> Measured:
    score, variance = _late(bins)
    parts = [
        bins[round(k * len(bins) / POINTS) : round((k + 1) * len(bins) / POINTS)]
        for k in range(POINTS)
    ]
    points: list[float] = []
    for part in parts:
        episodes = sum(b[0] for b in part)
        before = points[-1] if points else 0.0
        points.append(sum(b[1] for b in part) / episodes if episodes else before)
    return Measured(score, variance, tuple(points), half)


def _late(bins: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Score and variance of the last half."""
    late = bins[len(bins) // 2 :]
    episodes = sum(b[0] for b in late)
    mean = sum(b[1] for b in late) / episodes
    spread = max(sum(b[2] for b in late) / episodes - mean * mean, 0.0)
    between = spread / max(episodes - 1, 1)
    floor = (LARGEST / episodes) ** 2
    if not math.isfinite(between):
        raise ValueError("a stored branch is broken")
    return mean, max(between, floor)
