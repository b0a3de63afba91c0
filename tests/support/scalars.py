"""Accumulators that are single numbers, filled by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.numbers import SCALARS


def add_scalars(
    values: npt.NDArray[np.float64], amounts: Iterable[tuple[str, float]]
) -> None:
    """Adds to some of ``SCALARS``, which come first in every layout, in place."""
    for name, amount in amounts:
        values[SCALARS.index(name)] += amount
