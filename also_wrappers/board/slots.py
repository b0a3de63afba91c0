"""Slots of a board: where one environment copy leaves what it recorded.

A slot is a mapped file. Its writer brackets every change by a sequence number that is
odd meanwhile, so a reader in another process never needs to wait, nor to lock.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.evidence.recorder import Episode
from also_wrappers.evidence.statistics import Layout
from also_wrappers.files import write_json
from also_wrappers.signal.language.parser import Node

__all__ = ["RING_COLUMNS", "Slot", "SlotReader"]

Array = npt.NDArray[np.float64]
T = TypeVar("T")

# Header of a slot, in 64-bit words.
_SEQUENCE, _SLOT_WINDOW, _ACKNOWLEDGED, _BEGAN, _EPISODES, _KEPT, _COPIES = range(7)
_HEADER = 8
#: Episodes whose numbers a slot remembers until somebody reads them.
RING, _RING_PER_COPY = 1024, 128
#: Columns: end step, base return, shaped return, length, success, terminated, reward.
RING_COLUMNS = 7
#: Whole episodes whose feature rows a slot keeps, and how many steps of each.
RESERVOIR = 4
RESERVOIR_STEPS = 200

_copies = itertools.count()


class Slot:
    """The writer's end: where environment copies leave what they recorded.

    Args:
        folder: Of the board's slots.
        layout: Names and sizes.
        copies: How many environment copies leave their episodes here.

    Attributes:
        conditions: Trees of the named expressions to look for in episodes.
    """

    def __init__(self, folder: Path, layout: Layout, copies: int = 1) -> None:
        self.conditions: Sequence[Node] = ()
        self._layout = layout
        path = folder / f"{os.getpid()}-{next(_copies)}.map"
        path.write_bytes(b"")
        ring = max(RING, copies * _RING_PER_COPY)
        os.truncate(path, _Parts.size(layout, ring))
        self._parts = _Parts(path, layout, ring, writable=True)
        self._parts.header[_COPIES] = copies
        self._parts.values[...] = layout.empty()
        write_json(
            path.with_suffix(".json"), {"layout": layout.to_json(), "ring": ring}
        )

    def acknowledge(self, version: int) -> None:
        """Says that the posting of this version is in force in this copy."""
        self._parts.header[_ACKNOWLEDGED] = version

    def leave(self, episode: Episode, window: int, at: int) -> None:
        """Leaves an episode; what was left in an older window is emptied first.

        Args:
            episode: What was recorded.
            window: Number of the window that it belongs to.
            at: Step of the environment copy at which it ended.
        """
        if not episode.length:
            return
        parts = self._parts
        header, block = parts.header, parts.block
        header[_SEQUENCE] += 1  # odd: being written
        try:
            if header[_SLOT_WINDOW] != window:
                header[_SLOT_WINDOW] = window
                header[_KEPT] = 0
                header[_BEGAN] = at - episode.length
                parts.about[...] = 0.0
                parts.values[...] = self._layout.empty()
                block.clear()
            if not block.fits(episode):
                self._accumulate()
            block.append(episode, float(at - header[_BEGAN]))
            self._ring(episode, at)
            self._keep(episode)
            if block.full:
                self._accumulate()
        finally:
            header[_SEQUENCE] += 1

    def _accumulate(self) -> None:
        parts = self._parts
        accumulate(self._layout, parts.values, parts.block, self.conditions)
        parts.block.clear()

    def _ring(self, episode: Episode, at: int) -> None:
        """Notes the numbers of an episode until somebody reads them."""
        parts = self._parts
        header = parts.header
        parts.ring[header[_EPISODES] % len(parts.ring)] = (
            at,
            episode.base_return,
            episode.shaped_return,
            episode.length,
            episode.success,
            episode.terminated,
            bool((episode.rewards > 0.0).any()),
        )
        header[_EPISODES] += 1

    def _keep(self, episode: Episode) -> None:
        """Keeps the best episode of the window first, then the latest ones."""
        parts = self._parts
        kept = int(parts.header[_KEPT])
        if kept == 0 or episode.base_return > parts.about[0, 1]:
            place = 0
        else:
            place = 1 + (kept - 1) % (RESERVOIR - 1)
        parts.header[_KEPT] = kept + 1
        t = min(episode.length, RESERVOIR_STEPS)
        parts.about[place] = (
            episode.length,
            episode.base_return,
            episode.terminated,
            1.0,
        )
        parts.rows[place, : t + 1] = episode.rows[: t + 1]
        parts.rewards[place, :t] = episode.rewards[:t]
        parts.alive[place, : t + 1] = episode.alive[: t + 1]


class _Parts:
    """The arrays that one slot's file is made of."""

    def __init__(self, path: Path, layout: Layout, ring: int, writable: bool) -> None:
        with path.open("r+b" if writable else "rb") as file:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            memory = mmap.mmap(file.fileno(), 0, access=access)
        arrays = []
        offset = 0
        for dtype, shape in self._shapes(layout, ring):
            count = int(np.prod(shape))
            array = np.frombuffer(memory, dtype, count, offset).reshape(shape)
            arrays.append(array)
            offset += -(-array.nbytes // 8) * 8
        self.header: npt.NDArray[np.int64] = arrays[0]
        self.values, self.ring, self.about, self.rows, self.rewards = arrays[1:6]
        self.alive: npt.NDArray[np.bool_] = arrays[6]
        self.block = Block(layout, memoryview(memory)[offset:])

    @staticmethod
    def _shapes(layout: Layout, ring: int) -> list[tuple[Any, tuple[int, ...]]]:
        agents, features = len(layout.agents), len(layout.features)
        return [
            (np.int64, (_HEADER,)),
            (np.float64, (layout.size,)),
            (np.float64, (ring, RING_COLUMNS)),
            (np.float64, (RESERVOIR, 4)),
            (np.float64, (RESERVOIR, RESERVOIR_STEPS + 1, agents, features)),
            (np.float64, (RESERVOIR, RESERVOIR_STEPS, agents)),
            (np.bool_, (RESERVOIR, RESERVOIR_STEPS + 1, agents)),
        ]

    @classmethod
    def size(cls, layout: Layout, ring: int) -> int:
        own = sum(
            -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // 8) * 8
            for dtype, shape in cls._shapes(layout, ring)
        )
        return int(own) + Block.size(layout)


class SlotReader:
    """The reader's end of a slot, through its description file."""

    def __init__(self, meta: Path) -> None:
        self.name = meta.stem
        described = json.loads(meta.read_bytes())
        self.layout = Layout.from_json(described["layout"])
        self._parts = _Parts(
            meta.with_suffix(".map"), self.layout, described["ring"], writable=False
        )

    @property
    def acknowledged(self) -> int:
        """The version of the posting that the copy took last."""
        return int(self._parts.header[_ACKNOWLEDGED])

    @property
    def copies(self) -> int:
        """How many environment copies leave their episodes here."""
        return int(self._parts.header[_COPIES])

    def read(
        self, window: int, conditions: Sequence[Node]
    ) -> tuple[Array, list[EpisodeRows]] | None:
        """Accumulators and whole episodes of a window; ``None`` without any."""

        def copy() -> tuple[Array, Block, list[EpisodeRows]] | None:
            parts = self._parts
            if parts.header[_SLOT_WINDOW] != window or not parts.header[_KEPT]:
                return None
            count = min(int(parts.header[_KEPT]), RESERVOIR)
            kept = [self._episode(place) for place in range(count)]
            whole = [episode for episode in kept if episode is not None]
            return parts.values.copy(), parts.block.copy(self.layout), whole

        found = self._consistent(copy, None)
        if found is None:
            return None
        values, waiting, episodes = found
        accumulate(self.layout, values, waiting, conditions)
        return values, episodes

    def recent(self, since: int) -> tuple[int, Array]:
        """How many episodes there were, and the numbers of those since ``since``."""

        def copy() -> tuple[int, Array]:
            total = int(self._parts.header[_EPISODES])
            ring = self._parts.ring
            first = max(since, total - len(ring))
            return total, ring[np.arange(first, total) % len(ring)].copy()

        return self._consistent(copy, (since, np.zeros((0, RING_COLUMNS))))

    def _episode(self, place: int) -> EpisodeRows | None:
        parts = self._parts
        length, base_return, terminated, used = parts.about[place]
        if not used:
            return None
        t = min(int(length), RESERVOIR_STEPS)
        return EpisodeRows(
            parts.rows[place, : t + 1].copy(),
            parts.rewards[place, :t].copy(),
            parts.alive[place, : t + 1].copy(),
            float(base_return),
            bool(terminated),
            t == int(length),
        )

    def _consistent(self, copy: Callable[[], T], nothing: T) -> T:
        """Copies until no write happened meanwhile. A writer that died half-way
        through a write leaves an odd number: there is nothing to trust then."""
        for attempt in range(50):
            before = int(self._parts.header[_SEQUENCE])
            if before % 2 == 0:
                found = copy()
                if int(self._parts.header[_SEQUENCE]) == before:
                    return found
            time.sleep(0.0002 * attempt)
        return nothing
