"""``Layout``: where the accumulators of all families are in one array of numbers.

Every statistic is a sum, a minimum or a maximum over episodes, so that arrays from
different environment copies and processes merge by element, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import Accumulators, Place, summed
from also_wrappers.evidence.numbers import FAMILIES, SCALARS
from also_wrappers.evidence.scope import Scope

__all__ = ["Layout", "merge"]

Array = npt.NDArray[np.float64]


class Layout(Scope):
    """A scope, and where its accumulators are in an array.

    The single numbers come first, which are the same of every scope.

    Example:
        >>> layout = Layout(("a", "b"), ("x",), ((5,), (0, 0)), (0,))
        >>> values = layout.empty()
        >>> layout.view(values, "agent_return").shape
        (2,)
    """

    @cached_property
    def blocks(self) -> dict[str, Place]:
        """Places of the accumulators in the array, by name."""
        accumulators = dict.fromkeys(SCALARS, summed())
        for family in FAMILIES:
            accumulators |= family.arrays(self)
        blocks = {}
        offset = 0
        for name, accumulator in accumulators.items():
            end = offset + math.prod(accumulator.shape)
            blocks[name] = slice(offset, end), accumulator
            offset = end
        return blocks

    @cached_property
    def size(self) -> int:
        """Length of the array."""
        return max(int(place.stop) for place, _ in self.blocks.values())

    def empty(self) -> Array:
        """The accumulators of no episode at all."""
        values = np.zeros(self.size)
        for place, accumulator in self.blocks.values():
            values[place] = accumulator.empty
        return values

    def view(self, values: Array, name: str) -> Array:
        """The numbers of one accumulator, as a view in their own shape."""
        return Accumulators(values, self.blocks)[name]

    def scalar(self, values: Array, name: str) -> float:
        """One of the accumulators that are single numbers."""
        return Accumulators(values, self.blocks).at(name)


def merge(layout: Layout, parts: Sequence[Array]) -> Array:
    """Merges accumulators into those of all their episodes together.

    The parts are put in an order of their own first, so that the result does not
    depend on which process claimed which slot.
    """
    if not parts:
        return layout.empty()
    ordered: list[Array] = sorted(parts, key=np.ndarray.tobytes)
    stacked = np.stack(ordered)
    merged: Array = np.add.reduce(stacked)
    for place, accumulator in layout.blocks.values():
        if accumulator.merge != "sum":
            reduce = np.minimum if accumulator.merge == "min" else np.maximum
            merged[place] = reduce.reduce(stacked[:, place])
    return merged
