"""A block of episodes as arrays of steps, and what several statistics need of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence import block as columns
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.statistics import Layout

__all__ = ["Steps"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: ``np.sum`` without its wrapper.
_total = np.add.reduce


@dataclass(frozen=True)
class Steps:
    """A block with what several statistics need of it.

    Steps are the last axis, so that every operation runs along memory. Step ``i`` leads
    from row ``i`` to row ``i + 1``; it is ``valid`` where both belong to one episode.
    """

    layout: Layout
    block: Block

    @cached_property
    def count(self) -> int:
        return self.block.episodes

    @cached_property
    def end(self) -> int:
        return int(self.block.starts[self.count])

    @cached_property
    def numbers(self) -> Array:
        return self.block.numbers[: self.count]

    @cached_property
    def returns(self) -> Array:
        return self.numbers[:, columns.RETURN]

    @cached_property
    def time(self) -> Array:
        return self.numbers[:, columns.TIME]

    @cached_property
    def rows(self) -> Array:
        """Features, shape ``(agents, features, rows)``."""
        return self.block.rows[: self.end].transpose(1, 2, 0).copy()

    @cached_property
    def alive(self) -> Mask:
        """Who took part, shape ``(agents, rows)``."""
        return self.block.alive[: self.end].T.copy()

    @cached_property
    def first(self) -> Places:
        """First row of every episode."""
        return self.block.starts[: self.count]

    @cached_property
    def episode(self) -> Places:
        """The episode of every row."""
        return np.repeat(np.arange(self.count), self.last - self.first + 1)

    @cached_property
    def last(self) -> Places:
        return self.block.starts[1 : self.count + 1] - 1

    @cached_property
    def valid(self) -> Mask:
        mask = np.ones(self.end - 1, dtype=bool)
        mask[self.first[1:] - 1] = False
        return mask

    @cached_property
    def acted(self) -> Mask:
        """Who took part in each valid step, shape ``(agents, rows - 1)``."""
        return self.alive[:, 1:] & self.valid

    @cached_property
    def again(self) -> Mask:
        """Whose step follows one of the same episode, shape ``(agents, rows - 2)``."""
        return self.acted[:, 1:] & self.acted[:, :-1]

    @cached_property
    def base(self) -> Array:
        """Base rewards of the steps, shape ``(agents, rows - 1)``."""
        return self.block.base[1 : self.end].T * self.valid

    @cached_property
    def at_reward(self) -> Mask:
        """Steps at which the team was paid something."""
        rewarded: Mask = _total(self.base) > 0.0
        return rewarded

    @cached_property
    def weights(self) -> Array:
        """What to multiply by for sums over all steps, and over the paid ones."""
        return np.stack((self.valid, self.at_reward), axis=1).astype(float)

    @cached_property
    def rewarded(self) -> Mask:
        """Episodes in which the team was paid something."""
        paid = np.zeros(self.count, dtype=bool)
        paid[self.firsts(self.at_reward)[0]] = True
        return paid

    def firsts(self, held: Mask) -> tuple[Places, Array]:
        """Episodes in which something held, and the step at which it did first."""
        at = np.flatnonzero(held)
        episode = np.searchsorted(self.first, at, side="right") - 1
        which, index = np.unique(episode, return_index=True)
        return which, (at[index] - self.first[which] + 1).astype(float)
