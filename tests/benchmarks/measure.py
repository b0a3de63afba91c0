"""Ours and a peer, measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Action = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    case: str
    ratio: float
    ours_us: float
    peer_us: float
    #: The ratio that is to be reached, where one was set.
    bar: float | None = None

    @property
    def misses(self) -> bool:
        """True where the ratio is above its bar."""
        return self.bar is not None and self.ratio > self.bar


def measure(
    ours: Action, peer: Action, stretches: int, calls: int
) -> tuple[float, float]:
    """Median microseconds of a call of each, taken in turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    for stretch in range(stretches + 5):
        for which, call in enumerate((ours, peer)):
            began = time.perf_counter()
            for _ in range(calls):
                call()
            if stretch >= 5:  # the first ones warm up
                taken[which].append((time.perf_counter() - began) / calls * 1e6)
    return statistics.median(taken[0]), statistics.median(taken[1])


def row(
    name: str,
    case: str,
    ours: Action,
    peer: Action,
    stretches: int,
    calls: int,
    bar: float | None = None,
) -> Row:
    us, them = measure(ours, peer, stretches, calls)
    return Row(name, case, us / them, us, them, bar)
