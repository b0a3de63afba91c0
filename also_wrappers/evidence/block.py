"""A block: whole episodes one after the other, waiting to be accumulated together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.episodes import EPISODE, Episodes
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Episode, Numbers
from also_wrappers.evidence.statistics import MAX_RECORDED_TERMS, Layout

__all__ = ["Block", "block_dtype"]

Array = npt.NDArray[np.float64]

#: Room for the longest segment; a block is accumulated long before it is full.
_ROWS = LONGEST_SEGMENT + 1
_MOST_EPISODES = 32
_ENOUGH_ROWS = 1024


def block_dtype(layout: Layout) -> np.dtype[np.void]:
    """Returns the record in which a block keeps its episodes.

    The fields are ``count`` and the attributes of ``Block`` by their names.
    """
    agents, features = len(layout.agents), len(layout.features)
    fields: list[tuple[str, Any, tuple[int, ...]]] = [
        ("count", np.int64, ()),
        ("began", np.int64, ()),
        ("starts", np.int64, (_MOST_EPISODES + 1,)),
        ("episodes", EPISODE, (_MOST_EPISODES,)),
        ("has_terms", np.bool_, (_MOST_EPISODES,)),
        ("paid", np.float64, (_MOST_EPISODES, MAX_RECORDED_TERMS)),
        ("invalid", np.float64, (_MOST_EPISODES, MAX_RECORDED_TERMS)),
        ("rows", np.float64, (_ROWS, agents, features)),
        ("actions", np.float64, (_ROWS, agents, layout.components)),
        ("rewards", np.float64, (_ROWS, agents)),
        ("alive", np.bool_, (_ROWS, agents)),
    ]
    return np.dtype(fields, align=True)


class Block:
    """Several episodes in the memory of one record.

    An episode has one row per state, so one more than it has steps. What belongs to a
    step is written in the row of the state at which the step arrived.

    Args:
        record: Of ``block_dtype``, shape ``(1,)``; zeros are an empty block.

    Attributes:
        began: Step of the environment copy at which the window began, shape ``(1,)``.
        starts: First row of every episode, and the row after the last one's rows.
        episodes: Numbers of every episode, shape ``(episodes,)``, of ``EPISODE``.
        has_terms: Whether ``paid`` is known of the episode, shape ``(episodes,)``.
        paid: What each term paid, mean over agents, shape ``(episodes, terms)``.
        invalid: Values of each term that were not finite until the end of the episode,
            shape ``(episodes, terms)``.
        rows: Features, shape ``(rows, agents, features)``.
        actions: Components of the actions, shape ``(rows, agents, components)``.
        rewards: Base rewards, shape ``(rows, agents)``.
        alive: Who took part, shape ``(rows, agents)``.
    """

    def __init__(self, record: npt.NDArray[np.void]) -> None:
        self._dtype = record.dtype
        self._count: npt.NDArray[np.int64] = record["count"]
        self.began: npt.NDArray[np.int64] = record["began"]
        self.starts: npt.NDArray[np.int64] = record["starts"][0]
        self.episodes: Episodes = record["episodes"][0]
        self.has_terms: npt.NDArray[np.bool_] = record["has_terms"][0]
        self.paid: Array = record["paid"][0]
        self.invalid: Array = record["invalid"][0]
        self.rows: Array = record["rows"][0]
        self.actions: Array = record["actions"][0]
        self.rewards: Array = record["rewards"][0]
        self.alive: npt.NDArray[np.bool_] = record["alive"][0]

    @classmethod
    def empty(cls, layout: Layout) -> Block:
        """Makes a block without episodes, in memory of its own."""
        return cls(np.zeros(1, block_dtype(layout)))

    @property
    def count(self) -> int:
        """The number of episodes that wait."""
        return int(self._count[0])

    @property
    def full(self) -> bool:
        """True when it is time to accumulate."""
        e = self.count
        return e >= _MOST_EPISODES or int(self.starts[e]) >= _ENOUGH_ROWS

    def fits(self, episode: Episode) -> bool:
        """Returns whether there is room for one more episode."""
        e = self.count
        return e < _MOST_EPISODES and int(self.starts[e]) + episode.length < _ROWS

    def append(self, episode: Episode, numbers: Numbers) -> None:
        """Copies an episode into the block.

        Args:
            episode: The episode; it must fit.
            numbers: What ``episode.numbers`` returns.
        """
        e = self.count
        begin = int(self.starts[e])
        end = begin + episode.length + 1
        self.rows[begin:end] = episode.rows
        self.alive[begin:end] = episode.alive
        self.rewards[begin + 1 : end] = episode.rewards
        self.actions[begin + 1 : end] = episode.actions
        self.episodes[e] = numbers
        self.has_terms[e] = episode.paid is not None
        self.paid[e] = 0.0
        if episode.paid is not None:
            self.paid[e, : len(episode.paid)] = episode.paid
        self.invalid[e] = 0.0
        self.invalid[e, : len(episode.invalid)] = episode.invalid
        self.starts[e + 1] = end
        self._count[0] = e + 1

    def clear(self) -> None:
        """Drops the episodes."""
        self._count[0] = 0

    def copy(self) -> Block:
        """Copies the episodes into memory of their own."""
        other = Block(np.zeros(1, self._dtype))
        e = self.count
        end = int(self.starts[e])
        other._count[0] = e
        other.began[0] = self.began[0]
        other.starts[: e + 1] = self.starts[: e + 1]
        for name in ("episodes", "has_terms", "paid", "invalid"):
            getattr(other, name)[:e] = getattr(self, name)[:e]
        for name in ("rows", "actions", "rewards", "alive"):
            getattr(other, name)[:end] = getattr(self, name)[:end]
        return other
