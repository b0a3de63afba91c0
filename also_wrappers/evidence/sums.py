"""``Sums``: accumulators read by name, and the numbers that are made of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.effects import effect, moments
from also_wrappers.evidence.statistics import Layout

__all__ = ["STILL", "Sums"]

Array = npt.NDArray[np.float64]

#: Why there is no effect of a quantity.
STILL = "it does not vary"


class Sums:
    """Reads the accumulators of one window, and collects numbers under their keys.

    Args:
        layout: Layout of ``values``.
        values: Merged accumulators of the window.
    """

    def __init__(self, layout: Layout, values: Array) -> None:
        self._layout = layout
        self._values = values
        self._out: dict[str, float] = {}
        self._missing: dict[str, str] = {}
        n = self._n = self._scalar("episodes")
        self._return = self._moments(n, "return")
        self._time = self._moments(n, "time")
        n = self._detailed = self._scalar("detailed")
        self._detailed_return = self._moments(n, "detailed_return")
        self._detailed_time = self._moments(n, "detailed_time")

    def _moments(self, n: float, name: str) -> tuple[float, float]:
        return moments(n, self._scalar(name), self._scalar(f"{name}_squared"))

    def _effect(
        self,
        key: str,
        n: float,
        both: float,
        one: tuple[float, float],
        other: tuple[float, float],
        still: str,
    ) -> tuple[float, float] | None:
        """Puts an effect size over n episodes, or says why there is none."""
        found = effect(n, both, one, other)
        if found is not None:
            self._put(key, found[0])
        elif n < 4:
            self._missing[key] = "fewer than four episodes"
        else:
            self._missing[key] = still if other[1] <= 1e-12 else STILL
        return found

    def _put_or(self, key: str, value: float | None, why: str) -> None:
        if value is None:
            self._missing[key] = why
        else:
            self._put(key, value)

    def _put(self, key: str, value: float) -> None:
        if math.isfinite(value):
            self._out[key] = value
        else:
            self._missing[key] = "not finite"

    def _scalar(self, name: str) -> float:
        return self._layout.scalar(self._values, name)

    def _block(self, name: str) -> Array:
        return self._layout.view(self._values, name)

    def _at(self, name: str, k: int) -> float:
        return float(self._block(name)[k])
