"""Accumulators: sums, minima and maxima over episodes, by name in one flat array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Accumulator", "Accumulators", "Place", "highest", "lowest", "summed"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accumulator:
    """What one accumulator is.

    Attributes:
        shape: Shape of its numbers; ``()`` for a single one.
        merge: How the numbers of two environment copies become those of both.
        empty: What the numbers are of no episode at all.
    """

    shape: tuple[int, ...]
    merge: Literal["sum", "min", "max"]
    empty: float


#: Where the numbers of an accumulator are in the array, and what they are.
Place = tuple[slice, Accumulator]


def summed(*shape: int) -> Accumulator:
    """Returns an accumulator of sums."""
    return Accumulator(shape, "sum", 0.0)


def lowest(*shape: int) -> Accumulator:
    """Returns an accumulator of minima."""
    return Accumulator(shape, "min", np.inf)


def highest(*shape: int, empty: float = -np.inf) -> Accumulator:
    """Returns an accumulator of maxima.

    Args:
        shape: Shape of the numbers.
        empty: What the numbers are of no episode at all.
    """
    return Accumulator(shape, "max", empty)


class Accumulators:
    """The accumulators of one array, by name.

    Args:
        values: The array.
        blocks: Places of the accumulators in the array.

    Example:
        >>> blocks = {"episodes": (slice(0, 1), summed())}
        >>> blocks["x"] = slice(1, 3), summed(2)
        >>> accumulators = Accumulators(np.zeros(3), blocks)
        >>> accumulators.add({"episodes": 2.0})
        >>> accumulators["x"][...] += [1.0, 4.0]
        >>> accumulators.at("episodes"), accumulators.at("x", 1)
        (2.0, 4.0)
    """

    def __init__(self, values: Array, blocks: Mapping[str, Place]) -> None:
        self._values = values
        self._blocks = blocks
        self._views: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        """The numbers of an accumulator, as a view in their own shape."""
        view = self._views.get(name)
        if view is None:
            place, accumulator = self._blocks[name]
            view = self._values[place].reshape(accumulator.shape)
            self._views[name] = view
        return view

    def at(self, name: str, *index: int) -> float:
        """Returns one number of an accumulator."""
        number: float = self[name].item(*index)
        return number

    def add(self, amounts: Mapping[str, float]) -> None:
        """Adds to accumulators that are single numbers."""
        for name, amount in amounts.items():
            # Several times as fast as adding to a view of one number.
            self._values[self._blocks[name][0].start] += amount
