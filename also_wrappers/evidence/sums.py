"""``Sums``: the accumulators of one window, and what is declared of the window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import Accumulators, Place
from also_wrappers.evidence.scope import Scope
from also_wrappers.signal.model import Signal

__all__ = ["Sums"]

Array = npt.NDArray[np.float64]


class Sums(Accumulators):
    """What the numbers of one window are computed from.

    Args:
        values: Merged accumulators of the window.
        blocks: Places of the accumulators in ``values``.

    Attributes:
        scope: Names and sizes of what is recorded.
        signal: The signal that was active in the window.
        conditions: Recorded expressions by name, in the order in which they were
            recorded.
        has_success: Whether the task declares what success is.
        figures: Numbers that no episode has, by key; a text says why there is none.
    """

    def __init__(
        self,
        values: Array,
        blocks: Mapping[str, Place],
        scope: Scope,
        signal: Signal,
        conditions: Mapping[str, str],
        has_success: bool,
        figures: Mapping[str, float | str],
    ) -> None:
        super().__init__(values, blocks)
        self.scope = scope
        self.signal = signal
        self.conditions = conditions
        self.has_success = has_success
        self.figures = figures
