"""Keeps the slots of a board, where environment copies leave what they recorded.

A slot is one record in a mapped file. The writer makes the record's sequence number odd
before every change and even after it, so that a reader in another process needs neither
to wait nor to lock.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.block import Block, block_dtype
from also_wrappers.evidence.episodes import EPISODE, EpisodeRows, Episodes
from also_wrappers.evidence.recorder import Episode, Numbers
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.vector import EpisodeVector
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import allocate, write_json
from also_wrappers.signal.language.parser import Node

__all__ = ["Slot", "SlotReader", "slot_dtype"]

Array = npt.NDArray[np.float64]
T = TypeVar("T")

#: Number of episodes whose numbers a slot keeps until a reader reads them.
_RING, _RING_PER_COPY = 1024, 128
#: Number of whole episodes whose rows a slot keeps, and the most steps of each.
_RESERVOIR, _RESERVOIR_STEPS = 4, 200

_slots = itertools.count()


@lru_cache(maxsize=8)  # the copies of a process record alike
def slot_dtype(layout: Layout, copies: int) -> np.dtype[np.void]:
    """Returns the numpy dtype of the record in the file of a slot.

    * ``sequence``: odd while the writer changes the record.
    * ``acknowledged``: version of the posting that the copy took last.
    * ``window``: number of the window that the record belongs to.
    * ``kept``: episodes of the window that were put into ``reservoir``.
    * ``ended``: episodes that were ever put into ``ring``.
    * ``ring``: numbers of the latest episodes; the place of an episode is the count of
      those before it, modulo the length of the ring.
    * ``reservoir``: whole episodes of the window; a place is free where ``length`` of
      its numbers is 0.
    * ``values``: accumulators of the window, without the episodes in ``block``.
    * ``block``: episodes that wait to be accumulated.

    Raises:
        ConfigurationError: There are too many agents or features to record.
    """
    agents, features = len(layout.agents), len(layout.features)
    whole: list[tuple[str, Any, tuple[int, ...]]] = [
        ("numbers", EPISODE, ()),
        ("rows", np.float64, (_RESERVOIR_STEPS + 1, agents, features)),
        ("rewards", np.float64, (_RESERVOIR_STEPS, agents)),
        ("alive", np.bool_, (_RESERVOIR_STEPS + 1, agents)),
    ]
    try:
        fields: list[tuple[str, Any, tuple[int, ...]]] = [
            ("sequence", np.int64, ()),
            ("acknowledged", np.int64, ()),
            ("window", np.int64, ()),
            ("kept", np.int64, ()),
            ("ended", np.int64, ()),
            ("ring", EPISODE, (max(_RING, copies * _RING_PER_COPY),)),
            ("reservoir", np.dtype(whole, align=True), (_RESERVOIR,)),
            ("values", np.float64, (layout.size,)),
            ("block", block_dtype(layout, copies), ()),
        ]
        return np.dtype(fields, align=True)
    except ValueError as error:  # numpy: a dtype has at most 2 GiB
        raise ConfigurationError(
            f"{features} features of {agents} agents in {copies} environment copies "
            "are more than can be recorded; declare fewer features"
        ) from error


def _open(
    path: Path, layout: Layout, copies: int, mode: Literal["r+", "r"]
) -> npt.NDArray[np.void]:
    """Maps the file of a slot as an array of one record."""
    dtype = slot_dtype(layout, copies)
    if mode == "r+":
        allocate(path, dtype.itemsize)
    return np.memmap(path, dtype, mode, shape=(1,)).view(np.ndarray)


class Slot:
    """Writes what environment copies recorded into the file of a slot.

    Args:
        folder: Folder of the board's slots.
        layout: Names and sizes of what is recorded.
        copies: Number of environment copies that leave their episodes in this slot.

    Attributes:
        conditions: Trees of the named expressions to look for in episodes.

    Raises:
        ConfigurationError: There are too many agents or features to record.
        StorageError: There is no room for the file.
    """

    def __init__(self, folder: Path, layout: Layout, copies: int = 1) -> None:
        self.conditions: Sequence[Node] = ()
        path = folder / f"{os.getpid()}-{next(_slots)}.map"
        record = _open(path, layout, copies, "r+")
        # Arrays of one element write into the mapped file faster than fields of a
        # record.
        self._sequence, self._acknowledged = record["sequence"], record["acknowledged"]
        self._window, self._kept = record["window"], record["kept"]
        self._ended, self._ring = record["ended"], record["ring"][0]
        whole = record["reservoir"][0]
        self._numbers, self._rows = whole["numbers"], whole["rows"]
        self._rewards, self._alive = whole["rewards"], whole["alive"]
        self._values, self._block = record["values"][0], Block(record["block"])
        self._layout = layout
        self._values[...] = layout.empty()
        self._best = 0.0
        described = {"layout": layout.to_json(), "copies": copies}
        write_json(path.with_suffix(".json"), described)

    def acknowledge(self, version: int) -> None:
        """Writes that this copy has taken the posting of a version."""
        self._acknowledged[0] = version

    def leave(self, episode: Episode, window: int, at: int) -> None:
        """Writes an episode into the slot, after emptying the slot of older windows.

        Args:
            episode: The recorded episode.
            window: Number of the window that the episode belongs to.
            at: Step of the environment copy at which the episode ended.
        """
        if not episode.length:
            return
        numbers = episode.numbers(at)
        block = self._block
        self._sequence[0] += 1  # odd: being written
        try:
            if self._window[0] != window:
                self._begin(window, at - episode.length)
            if not block.fits(episode):
                self._accumulate()
            block.append(episode, numbers)
            self._ring[self._ended[0] % len(self._ring)] = numbers
            self._ended[0] += 1
            self._keep(episode, numbers)
            if block.full:
                self._accumulate()
        finally:
            self._sequence[0] += 1

    def leave_all(self, ended: EpisodeVector, window: int) -> None:
        """Writes episodes that ended with one step, as ``leave`` writes one.

        Args:
            ended: The recorded episodes.
            window: Number of the window that the episodes belong to.
        """
        numbers, block = ended.episodes, self._block
        count = len(numbers)
        self._sequence[0] += 1  # odd: being written
        try:
            if self._window[0] != window:
                self._begin(window, int(numbers[0]["end"] - numbers[0]["length"]))
            first = 0
            while first < count:
                first = block.extend(ended, first)
                if block.full or first < count:
                    self._accumulate()
            latest = numbers[-len(self._ring) :]
            places = self._ended[0] + count - len(latest) + np.arange(len(latest))
            self._ring[places % len(self._ring)] = latest
            self._ended[0] += count
            self._keep_all(ended)
        finally:
            self._sequence[0] += 1

    def _begin(self, window: int, began: int) -> None:
        """Empties those parts of the record that belong to a window."""
        self._window[0] = window
        self._kept[0] = 0
        self._numbers["length"] = 0
        self._values[...] = self._layout.empty()
        self._block.clear()
        self._block.began[0] = began

    def _accumulate(self) -> None:
        accumulate(self._layout, self._values, self._block, self.conditions)
        self._block.clear()

    def _keep(self, episode: Episode, numbers: Numbers) -> None:
        """Keeps a whole episode: the best of the window first, then the latest ones."""
        t = min(episode.length, _RESERVOIR_STEPS)
        place = self._place_of(episode.base_return)
        self._numbers[place] = numbers
        self._rows[place, : t + 1] = episode.rows[: t + 1]
        self._rewards[place, :t] = episode.rewards[:t]
        self._alive[place, : t + 1] = episode.alive[: t + 1]

    def _keep_all(self, ended: EpisodeVector) -> None:
        """Keeps whole episodes as ``_keep`` would, one after the other."""
        returns = ended.episodes["base_return"].tolist()
        last: dict[int, int] = {}
        for k, base_return in enumerate(returns):
            last[self._place_of(base_return)] = k
        for place, k in last.items():
            first, numbers = int(ended.starts[k]), ended.episodes[k]
            t = min(int(numbers["length"]), _RESERVOIR_STEPS)
            self._numbers[place] = numbers
            self._rows[place, : t + 1] = ended.rows[first : first + t + 1]
            self._rewards[place, :t] = ended.rewards[first + 1 : first + t + 1]
            self._alive[place, : t + 1] = True

    def _place_of(self, base_return: float) -> int:
        """Returns the place of the reservoir at which the next episode is kept."""
        count = int(self._kept[0])
        self._kept[0] = count + 1
        if count == 0 or base_return > self._best:
            self._best = base_return
            return 0
        return 1 + (count - 1) % (_RESERVOIR - 1)


class SlotReader:
    """Reads what environment copies left in the file of a slot.

    Args:
        description: The JSON file that describes the slot, beside the slot's file.

    Attributes:
        name: Name of the slot.
        layout: Names and sizes of what is recorded.
        copies: Number of environment copies that leave their episodes in the slot.
    """

    def __init__(self, description: Path) -> None:
        self.name = description.stem
        described = json.loads(description.read_bytes())
        self.layout = Layout.from_json(described["layout"])
        self.copies = int(described["copies"])
        path = description.with_suffix(".map")
        record = _open(path, self.layout, self.copies, "r")
        self._block = Block(record["block"])
        self._record: np.void = record[0]

    @property
    def acknowledged(self) -> int:
        """The version of the posting that the copy took last."""
        return int(self._record["acknowledged"])

    def read(
        self, window: int, conditions: Sequence[Node]
    ) -> tuple[Array, list[EpisodeRows]] | None:
        """Reads the accumulators and the whole episodes of a window.

        Args:
            window: Number of the window.
            conditions: Trees of the named expressions to look for in episodes.

        Returns:
            Accumulators and whole episodes; ``None`` if no episode ended in the window.
        """

        def copy() -> tuple[Array, Block, list[EpisodeRows]] | None:
            record = self._record
            if record["window"] != window or not record["kept"]:
                return None
            episodes = [_whole(place) for place in record["reservoir"]]
            whole = [episode for episode in episodes if episode is not None]
            return record["values"].copy(), self._block.copy(), whole

        copied = self._consistent(copy, None)
        if copied is None:
            return None
        values, waiting, episodes = copied
        accumulate(self.layout, values, waiting, conditions)
        return values, episodes

    def recent(self, since: int) -> tuple[int, Episodes]:
        """Reads the number of ended episodes, and the numbers of unread ones.

        Args:
            since: Number of episodes whose numbers the caller has read.

        Returns:
            The number of episodes, and the numbers of those that the caller has not
            read; episodes that the ring has overwritten are missing.
        """

        def copy() -> tuple[int, Episodes]:
            ended, ring = int(self._record["ended"]), self._record["ring"]
            first = max(since, ended - len(ring))
            return ended, ring[np.arange(first, ended) % len(ring)]

        return self._consistent(copy, (since, np.zeros(0, EPISODE)))

    def _consistent(self, copy: Callable[[], T], nothing: T) -> T:
        """Copies from the record until no write has happened meanwhile.

        Returns ``nothing`` where the sequence number stays odd, as it does after a
        writer that died half-way through a write.
        """
        record = self._record
        for attempt in range(50):
            before = int(record["sequence"])
            if before % 2 == 0:
                copied = copy()
                if int(record["sequence"]) == before:
                    return copied
            time.sleep(0.0002 * attempt)
        return nothing


def _whole(place: np.void) -> EpisodeRows | None:
    """Copies an episode out of a place of the reservoir; ``None`` if it is free."""
    numbers = place["numbers"]
    length = int(numbers["length"])
    if not length:
        return None
    t = min(length, _RESERVOIR_STEPS)
    return EpisodeRows(
        place["rows"][: t + 1].copy(),
        place["rewards"][:t].copy(),
        place["alive"][: t + 1].copy(),
        float(numbers["base_return"]),
        bool(numbers["terminated"]),
        t == length,
    )
