"""A block: whole episodes one after the other, waiting to be accumulated together."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.episodes import EPISODE, Episodes
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Episode, Numbers
from also_wrappers.evidence.scope import Scope

if TYPE_CHECKING:
    from also_wrappers.evidence.vector import EpisodeVector

__all__ = ["MAX_RECORDED_TERMS", "Block", "block_dtype", "detail_every"]

Array = npt.NDArray[np.float64]

#: Terms of a signal of which it is recorded what they pay.
MAX_RECORDED_TERMS = 8
#: Room for the longest segment; a block is accumulated long before it is full.
_ROWS = LONGEST_SEGMENT + 1
_MOST_EPISODES = 64
_ENOUGH_ROWS = 1536
#: What there is of every episode, and of every row.
_OF_EPISODES = ("episodes", "detailed", "has_terms", "paid", "invalid")
_OF_ROWS = ("rows", "actions", "rewards", "alive")
#: Environment copies whose episodes are all recorded in detail. Hundreds in a window
#: show effects: of more copies, about as many are recorded as these have.
_DETAILED_COPIES = 64


def detail_every(copies: int) -> int:
    """Returns of how many episodes one is recorded in detail.

    Args:
        copies: How many environment copies leave their episodes in one slot.
    """
    return max(1, copies // _DETAILED_COPIES)


def block_dtype(scope: Scope, copies: int = 1) -> np.dtype[np.void]:
    """Returns the record in which a block keeps its episodes.

    The fields are ``count`` and the attributes of ``Block`` by their names. There is
    room for as many detailed episodes, whatever the number of copies.

    Args:
        scope: Names and sizes of what is recorded.
        copies: How many environment copies leave their episodes in the block.
    """
    agents, features = len(scope.agents), len(scope.features)
    every = detail_every(copies)
    most, room = every * _MOST_EPISODES, _ROWS + (every - 1) * _ENOUGH_ROWS
    fields: list[tuple[str, Any, tuple[int, ...]]] = [
        ("count", np.int64, ()),
        ("began", np.int64, ()),
        ("starts", np.int64, (most + 1,)),
        ("episodes", EPISODE, (most,)),
        ("detailed", np.bool_, (most,)),
        ("has_terms", np.bool_, (most,)),
        ("paid", np.float64, (most, MAX_RECORDED_TERMS)),
        ("invalid", np.float64, (most, MAX_RECORDED_TERMS)),
        ("rows", np.float64, (room, agents, features)),
        ("actions", np.float64, (room, agents, scope.components)),
        ("rewards", np.float64, (room, agents)),
        ("alive", np.bool_, (room, agents)),
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
        detailed: Whether all statistics are of the episode, shape ``(episodes,)``;
            else it is counted.
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
        self._count: npt.NDArray[np.int64] = record["count"]
        self.began: npt.NDArray[np.int64] = record["began"]
        self.starts: npt.NDArray[np.int64] = record["starts"][0]
        self.episodes: Episodes = record["episodes"][0]
        self.detailed: npt.NDArray[np.bool_] = record["detailed"][0]
        self.has_terms: npt.NDArray[np.bool_] = record["has_terms"][0]
        self.paid: Array = record["paid"][0]
        self.invalid: Array = record["invalid"][0]
        self.rows: Array = record["rows"][0]
        self.actions: Array = record["actions"][0]
        self.rewards: Array = record["rewards"][0]
        self.alive: npt.NDArray[np.bool_] = record["alive"][0]

    @classmethod
    def empty(cls, scope: Scope) -> Block:
        """Makes a block without episodes, in memory of its own."""
        return cls(np.zeros(1, block_dtype(scope)))

    @property
    def count(self) -> int:
        """The number of episodes that wait."""
        return int(self._count[0])

    @property
    def full(self) -> bool:
        """True when it is time to accumulate."""
        e = self.count
        enough = len(self.rows) - _ROWS + _ENOUGH_ROWS
        return e >= len(self.episodes) or int(self.starts[e]) >= enough

    def fits(self, episode: Episode) -> bool:
        """Returns whether there is room for one more episode."""
        e = self.count
        room = len(self.rows) - int(self.starts[e])
        return e < len(self.episodes) and episode.length < room

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
        self.detailed[e] = True
        self.has_terms[e] = episode.paid is not None
        self.paid[e] = 0.0
        if episode.paid is not None:
            self.paid[e, : len(episode.paid)] = episode.paid
        self.invalid[e] = 0.0
        self.invalid[e, : len(episode.invalid)] = episode.invalid
        self.starts[e + 1] = end
        self._count[0] = e + 1

    def extend(self, ended: EpisodeVector, first: int) -> int:
        """Copies as many episodes into the block as there is room for.

        Args:
            ended: The episodes.
            first: Index of the first of them that is copied.

        Returns:
            Index of the first one that was not copied.
        """
        e = self.count
        begin = int(self.starts[e])
        starts = ended.starts
        room = int(starts[first]) + len(self.rows) - begin
        after = min(
            int(np.searchsorted(starts, room, "right")) - 1,
            first + len(self.episodes) - e,
        )
        rows = slice(int(starts[first]), int(starts[after]))
        end = begin + rows.stop - rows.start
        for name in ("rows", "actions", "rewards"):
            getattr(self, name)[begin:end] = getattr(ended, name)[rows]
        self.alive[begin:end] = True
        last = e + after - first
        for name in _OF_EPISODES:
            getattr(self, name)[e:last] = getattr(ended, name)[first:after]
        self.starts[e : last + 1] = starts[first : after + 1] - rows.start + begin
        self._count[0] = last
        return after

    def clear(self) -> None:
        """Drops the episodes."""
        self._count[0] = 0

    def copy(self) -> Block:
        """Copies the episodes into memory of their own."""
        return self._pick(slice(self.count), slice(int(self.starts[self.count])))

    def in_detail(self) -> Block:
        """Returns a block of the episodes that are recorded in detail."""
        e = self.count
        detailed = self.detailed[:e]
        if detailed.all():
            return self
        rows = np.repeat(detailed, np.diff(self.starts[: e + 1]))
        return self._pick(np.flatnonzero(detailed), np.flatnonzero(rows))

    def _pick(self, episodes: Any, rows: Any) -> Block:
        """Copies some episodes, and their rows, into memory of their own."""
        other = copy.copy(self)
        for name in _OF_EPISODES:
            setattr(other, name, getattr(self, name)[: self.count][episodes].copy())
        for name in _OF_ROWS:
            setattr(other, name, getattr(self, name)[rows].copy())
        length = np.diff(self.starts[: self.count + 1])[episodes]
        other.starts = np.concatenate(([0], np.cumsum(length)))
        other._count, other.began = np.array([len(length)]), self.began.copy()
        return other
