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
        self._return = moments(
            n, self._scalar("return"), self._scalar("return_squared")
        )
        self._time = moments(n, self._scalar("time"), self._scalar("time_squared"))

    def _effect(
        self,
        key: str,
        both: float,
        one: tuple[float, float],
        other: tuple[float, float],
        still: str,
    ) -> tuple[float, float] | None:
        """Puts an effect size, or says why there is none."""
        found = effect(self._n, both, one, other)
        if found is not None:
            self._put(key, found[0])
        elif self._n < 4:
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
