"""A block: whole episodes one after the other, waiting to be accumulated together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.recorder import LONGEST_WINDOW, Episode
from also_wrappers.evidence.statistics import MAX_RECORDED_TERMS, Layout

__all__ = ["Block"]

Array = npt.NDArray[np.float64]

#: Room for the longest window; a block is accumulated long before it is full.
_ROWS = LONGEST_WINDOW + 1
_MOST_EPISODES = 32
_ENOUGH_ROWS = 1024
#: Columns of ``numbers``.
RETURN, SHAPED, LENGTH, SUCCESS, TERMINATED, TIME, HAS_TERMS = range(7)


class Block:
    """Arrays of several episodes, in memory that is given.

    Every episode has one row per state that was seen, so one more than it has steps.
    What belongs to a step is written in the row of the state at which it arrived.

    Attributes:
        starts: First row of every episode, and the end of the last.
        rows: Features, shape ``(rows, agents, features)``.
        alive: Who took part, shape ``(rows, agents)``.
        actions: Shape ``(rows, agents, components)``.
        base: Base rewards, shape ``(rows, agents)``.
        numbers: Per episode, see the names of the columns.
        paid: What each term paid in each episode, mean over agents.
        invalid: Values of each term that were not finite, up to the episode.

    Args:
        layout: Names and sizes.
        memory: At least ``Block.size(layout)`` bytes, all 0 for an empty block.
    """

    def __init__(self, layout: Layout, memory: Any) -> None:
        arrays = []
        offset = 0
        for dtype, shape in _shapes(layout):
            count = math.prod(shape)
            array = np.frombuffer(memory, dtype, count, offset).reshape(shape)
            arrays.append(array)
            offset += -(-array.nbytes // 8) * 8
        self._header: npt.NDArray[np.int64] = arrays[0]
        self.starts: npt.NDArray[np.int64] = arrays[1]
        self.rows, self.actions, self.base, self.numbers = arrays[2:6]
        self.paid, self.invalid = arrays[6:8]
        self.alive: npt.NDArray[np.bool_] = arrays[8]

    @staticmethod
    def size(layout: Layout) -> int:
        """Bytes of a block."""
        return sum(
            -(-math.prod(shape) * np.dtype(dtype).itemsize // 8) * 8
            for dtype, shape in _shapes(layout)
        )

    @property
    def episodes(self) -> int:
        """How many episodes are waiting."""
        return int(self._header[0])

    @property
    def full(self) -> bool:
        """Whether it is time to accumulate."""
        e = self.episodes
        return e >= _MOST_EPISODES or int(self.starts[e]) >= _ENOUGH_ROWS

    def fits(self, episode: Episode) -> bool:
        """Whether there is room for one more."""
        used = int(self.starts[self.episodes])
        return self.episodes < _MOST_EPISODES and used + episode.length < _ROWS

    def append(self, episode: Episode, time: float) -> None:
        """Copies an episode in.

        Args:
            episode: What the recorder made of it.
            time: Step of the window at which it ended.
        """
        e = self.episodes
        begin = int(self.starts[e])
        end = begin + episode.length + 1
        self.rows[begin:end] = episode.rows
        self.alive[begin:end] = episode.alive
        self.base[begin + 1 : end] = episode.rewards
        self.actions[begin + 1 : end] = episode.actions
        self.numbers[e] = (
            episode.base_return,
            episode.shaped_return,
            episode.length,
            episode.success,
            episode.terminated,
            time,
            episode.paid is not None,
        )
        self.paid[e] = 0.0
        if episode.paid is not None:
            self.paid[e, : len(episode.paid)] = episode.paid
        self.invalid[e] = 0.0
        self.invalid[e, : len(episode.invalid)] = episode.invalid
        self.starts[e + 1] = end
        self._header[0] = e + 1

    def clear(self) -> None:
        """Forgets the episodes."""
        self._header[0] = 0

    def copy(self, layout: Layout) -> Block:
        """The same in memory of its own."""
        memory = np.zeros(-(-Block.size(layout) // 8))
        other = Block(layout, memory)
        e = self.episodes
        end = int(self.starts[e])
        other._header[...] = self._header
        other.starts[: e + 1] = self.starts[: e + 1]
        for name in ("rows", "alive", "actions", "base"):
            getattr(other, name)[:end] = getattr(self, name)[:end]
        for name in ("numbers", "paid", "invalid"):
            getattr(other, name)[:e] = getattr(self, name)[:e]
        return other


def _shapes(layout: Layout) -> list[tuple[Any, tuple[int, ...]]]:
    agents, features = len(layout.agents), len(layout.features)
    return [
        (np.int64, (1,)),
        (np.int64, (_MOST_EPISODES + 1,)),
        (np.float64, (_ROWS, agents, features)),
        (np.float64, (_ROWS, agents, layout.components)),
        (np.float64, (_ROWS, agents)),
        (np.float64, (_MOST_EPISODES, 7)),
        (np.float64, (_MOST_EPISODES, MAX_RECORDED_TERMS)),
        (np.float64, (_MOST_EPISODES, MAX_RECORDED_TERMS)),
        (np.bool_, (_ROWS, agents)),
    ]
