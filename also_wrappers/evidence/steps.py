"""A block of episodes as arrays of steps, with what several statistics share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.block import Block
from also_wrappers.evidence.episodes import Episodes
from also_wrappers.evidence.scope import Scope
from also_wrappers.signal.language.parser import Node

__all__ = ["Steps"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: ``np.sum`` without its wrapper.
_total = np.add.reduce


@dataclass(frozen=True)
class Steps:
    """A block of episodes as arrays in which steps are the last axis.

    So every operation runs along memory. Step ``i`` leads from row ``i`` to row
    ``i + 1``; the step is ``valid`` where both rows belong to one episode.

    Attributes:
        scope: Names and sizes of what is recorded.
        block: The episodes.
        conditions: Trees of the named expressions to look for.
    """

    scope: Scope
    block: Block
    conditions: Sequence[Node]

    @cached_property
    def count(self) -> int:
        """The number of episodes."""
        return self.block.count

    @cached_property
    def end(self) -> int:
        """The number of rows."""
        return int(self.block.starts[self.count])

    @cached_property
    def episodes(self) -> Episodes:
        """Numbers of every episode, of ``EPISODE``."""
        return self.block.episodes[: self.count]

    @cached_property
    def returns(self) -> Array:
        """Base return of every episode."""
        return self.episodes["base_return"]

    @cached_property
    def length(self) -> Array:
        """Environment steps of every episode."""
        return self.episodes["length"].astype(float)

    @cached_property
    def time(self) -> Array:
        """Step of the window at which every episode ended."""
        return (self.episodes["end"] - self.block.began).astype(float)

    @cached_property
    def rows(self) -> Array:
        """Features, shape ``(agents, features, rows)``."""
        return self.block.rows[: self.end].transpose(1, 2, 0).copy()

    @cached_property
    def actions(self) -> Array:
        """Components of the actions, shape ``(agents, components, rows - 1)``."""
        return self.block.actions[1 : self.end].transpose(1, 2, 0).copy()

    @cached_property
    def alive(self) -> Mask:
        """Who took part, shape ``(agents, rows)``."""
        return self.block.alive[: self.end].T.copy()

    @cached_property
    def first(self) -> Places:
        """The first row of every episode."""
        return self.block.starts[: self.count]

    @cached_property
    def episode(self) -> Places:
        """The episode of every row."""
        return np.repeat(np.arange(self.count), self.last - self.first + 1)

    @cached_property
    def last(self) -> Places:
        """The last row of every episode."""
        return self.block.starts[1 : self.count + 1] - 1

    @cached_property
    def valid(self) -> Mask:
        """Steps that lead from a row to another one of the same episode."""
        mask = np.ones(self.end - 1, dtype=bool)
        mask[self.first[1:] - 1] = False
        return mask

    @cached_property
    def acted(self) -> Mask:
        """Who took part in each valid step, shape ``(agents, rows - 1)``."""
        return self.alive[:, 1:] & self.valid

    @cached_property
    def again(self) -> Mask:
        """Who took part in a step and the one before, shape ``(agents, rows - 2)``."""
        return self.acted[:, 1:] & self.acted[:, :-1]

    @cached_property
    def base(self) -> Array:
        """Base rewards of the steps, shape ``(agents, rows - 1)``."""
        return self.block.rewards[1 : self.end].T * self.valid

    @cached_property
    def at_reward(self) -> Mask:
        """Steps at which the team's base reward is above 0."""
        rewarded: Mask = _total(self.base) > 0.0
        return rewarded

    @cached_property
    def weights(self) -> Array:
        """Weights for sums over all steps and over rewarded ones, ``(rows - 1, 2)``."""
        return np.stack((self.valid, self.at_reward), axis=1).astype(float)

    @cached_property
    def rewarded(self) -> Mask:
        """Episodes with a step at which the team's base reward is above 0."""
        paid = np.zeros(self.count, dtype=bool)
        paid[self.first_rewards[0]] = True
        return paid

    @cached_property
    def first_rewards(self) -> tuple[Places, Array]:
        """What ``firsts`` finds of the steps with a base reward above 0."""
        return self.firsts(self.at_reward)

    def firsts(self, marked: Mask) -> tuple[Places, Array]:
        """Finds the first marked step of every episode.

        Args:
            marked: Steps, shape ``(rows - 1,)``.

        Returns:
            Episodes with a marked step, and the first one in each, counted from 1.
        """
        at = np.flatnonzero(marked)
        episode = self.episode[at]
        new = np.ones(len(at), dtype=bool)
        np.not_equal(episode[1:], episode[:-1], out=new[1:])
        which = episode[new]
        return which, (at[new] - self.first[which] + 1).astype(float)
