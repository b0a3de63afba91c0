"""The board: where the active signal is posted and where copies leave evidence.

A board is a directory, so it reaches every environment copy in any process under any
vectoriser, also where attribute calls do not:

* ``signal.json`` holds what is posted, replaced atomically. It alone decides.
* ``words`` is a small mapped file, never replaced, with the version of the posting
  and the number of the evidence window. A copy reads it for the price of a memory
  read to learn whether there is something to read.
* ``slots/`` holds one mapped file per copy, made at the copy's first reset and named
  by process and copy. The copy leaves its acknowledgement and its evidence there,
  behind a sequence number; whoever collects never waits for it.
"""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.board.posting import Posting
from also_wrappers.board.slots import RING_COLUMNS, Slot, SlotReader
from also_wrappers.evidence.accumulate import parse_conditions
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.evidence.statistics import Layout, merge
from also_wrappers.files import write_atomic

__all__ = ["Board", "Collected"]

Array = npt.NDArray[np.float64]

_VERSION, _WINDOW = 0, 1
_WORDS = 8


@dataclass(frozen=True)
class Collected:
    """What all copies left in one window.

    Attributes:
        layout: Layout of ``values``.
        values: Merged accumulators.
        episodes: Whole episodes, in an order that does not depend on processes.
        copies: How many copies had something to tell.
    """

    layout: Layout
    values: Array
    episodes: list[EpisodeRows]
    copies: int


class Board:
    """The reader's and the poster's end of a board directory.

    Args:
        path: The directory; made by ``Board.create``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._cursors: dict[str, int] = {}
        self._readers: dict[str, SlotReader] = {}

    @classmethod
    def create(cls, path: Path, posting: Posting | None = None) -> Board:
        """Makes a board, or makes one anew: what slots held is dropped."""
        path = Path(path)
        shutil.rmtree(path / "slots", ignore_errors=True)
        (path / "slots").mkdir(parents=True)
        if not (path / "words").exists():
            write_atomic(path / "words", bytes(8 * _WORDS))
        board = cls(path)
        if posting is not None or not (path / "signal.json").exists():
            board.post(posting or Posting())
        return board

    @property
    def exists(self) -> bool:
        """Whether the directory is still there."""
        return (self.path / "words").exists()

    @property
    def version(self) -> int:
        """Version of the posting, as a hint that it changed."""
        return self._words[_VERSION]

    @property
    def window(self) -> int:
        """Number of the evidence window."""
        return self._words[_WINDOW]

    def post(self, posting: Posting) -> None:
        """Posts; each environment copy takes it at its next reset."""
        data = posting.model_dump_json(indent=2)
        write_atomic(self.path / "signal.json", data.encode())
        self._words[_VERSION] = posting.version

    def read(self) -> Posting:
        """What is posted now."""
        return Posting.model_validate_json((self.path / "signal.json").read_bytes())

    def claim(self, layout: Layout, copies: int = 1) -> Slot:
        """Makes the slot of an environment copy of this process, or of a vector."""
        return Slot(self.path / "slots", layout, copies)

    def begin_window(self) -> None:
        """Starts a new evidence window; copies empty their accumulators by it."""
        self._words[_WINDOW] += 1

    def collect(self, conditions: Mapping[str, str] | None = None) -> Collected | None:
        """Reads what copies recorded in this window; ``None`` if nothing yet.

        Args:
            conditions: The task's, by name; the posting's probes come after them.

        Raises:
            ConfigurationError: A condition is not a valid expression.
        """
        named = {**(conditions or {}), **self.read().probes}
        copies = 0
        parts: list[Array] = []
        episodes: list[EpisodeRows] = []
        layout: Layout | None = None
        for reader in self._slots():
            nodes = parse_conditions(named, reader.layout.features)
            found = reader.read(self.window, nodes)
            if found is None:
                continue
            layout = reader.layout
            copies += reader.copies
            parts.append(found[0])
            episodes += found[1]
        if layout is None:
            return None
        episodes.sort(key=lambda e: (e.base_return, len(e.rows), e.rows.tobytes()))
        return Collected(layout, merge(layout, parts), episodes, copies)

    def new_episodes(self) -> Array:
        """Numbers of the episodes that ended since the last call.

        Returns:
            Shape ``(episodes, 7)``: the copy's step at its end, base return, shaped
            return, length, success, terminated, rewarded; in an order that does not
            depend on processes.
        """
        found = []
        for reader in self._slots():
            cursor = self._cursors.get(reader.name, 0)
            total, rows = reader.recent(cursor)
            self._cursors[reader.name] = total
            found.append(rows)
        if not found:
            return np.zeros((0, RING_COLUMNS))
        rows = np.concatenate(found)
        return rows[np.lexsort(rows.T[::-1])]

    def acknowledged(self) -> dict[str, int]:
        """The version that each copy took last, by slot."""
        return {reader.name: reader.acknowledged for reader in self._slots()}

    @property
    def layout(self) -> Layout | None:
        """What copies record; ``None`` before one has claimed a slot."""
        return next((reader.layout for reader in self._slots()), None)

    @property
    def copies(self) -> int:
        """How many environment copies have claimed a slot so far."""
        return sum(reader.copies for reader in self._slots())

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A board that was pickled is opened anew, when it is used."""
        Board.__init__(self, state["path"])

    @cached_property
    def _words(self) -> memoryview:
        with (self.path / "words").open("r+b") as file:
            return memoryview(mmap.mmap(file.fileno(), 8 * _WORDS)).cast("Q")

    def _slots(self) -> list[SlotReader]:
        for meta in (self.path / "slots").glob("*.json"):
            if meta.stem not in self._readers:
                self._readers[meta.stem] = SlotReader(meta)
        return [self._readers[name] for name in sorted(self._readers)]
