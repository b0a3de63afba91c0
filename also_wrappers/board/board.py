"""Posts the active signal to environment copies, and collects their evidence.

A board is a directory, so that it reaches every environment copy in any process under
any vectoriser, also where attribute calls do not:

* ``signal.json`` holds the posting, and is replaced atomically. No other file decides
  what is posted.
* ``words`` is a small mapped file, never replaced, with the version of the posting
  and the number of the evidence window. At the cost of a memory read, a copy learns
  from the file whether there is a new posting to read.
* ``slots/`` holds one mapped file per copy, made at the copy's first reset and named
  by process and copy. The copy leaves its acknowledgement and its evidence there,
  behind a sequence number, so that readers never wait for a copy.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.board.posting import Posting
from also_wrappers.board.slots import Slot, SlotReader
from also_wrappers.evidence.episodes import EPISODE, EpisodeRows, Episodes
from also_wrappers.evidence.numbers.conditions import parse_conditions
from also_wrappers.evidence.statistics import Layout, merge
from also_wrappers.files import make_folder, remove, write_atomic

__all__ = ["Board", "Collected"]

Array = npt.NDArray[np.float64]

_VERSION, _WINDOW, _ROWS = 0, 1, 2
_WORDS = 8


@dataclass(frozen=True)
class Collected:
    """Holds what all environment copies recorded in one window.

    Attributes:
        layout: Layout of ``values``.
        values: Merged accumulators.
        episodes: Whole episodes, in an order that does not depend on processes.
        copies: Number of environment copies that the slots belong to.
    """

    layout: Layout
    values: Array
    episodes: list[EpisodeRows]
    copies: int


class Board:
    """Posts signals into a board directory, and reads what copies leave there.

    Args:
        path: The directory; made by ``Board.create``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._cursors: dict[str, int] = {}
        self._readers: dict[str, SlotReader] = {}

    @classmethod
    def create(cls, path: Path, posting: Posting | None = None) -> Board:
        """Makes a board, or makes an existing board anew without its slots.

        An earlier posting stays posted, if it can be read.

        Args:
            path: The directory.
            posting: The posting to post in place of an earlier one.

        Raises:
            StorageError: The board cannot be written.
        """
        path = Path(path)
        words, signal = path / "words", path / "signal.json"
        remove(path / "slots")
        make_folder(path / "slots")
        if not words.is_file() or words.stat().st_size != 8 * _WORDS:
            remove(words)
            write_atomic(words, bytes(8 * _WORDS))
        board = cls(path)
        for word in range(_WORDS):
            board._words[word] = 0
        if posting is None:
            try:
                posting = board.read()
            except (OSError, ValueError):
                remove(signal)
        board.post(posting or Posting())
        return board

    @property
    def exists(self) -> bool:
        """True while the board's directory exists."""
        return (self.path / "words").exists()

    @property
    def version(self) -> int:
        """The version of the posting, by which a copy notices a new posting cheaply."""
        return self._words[_VERSION]

    @property
    def window(self) -> int:
        """The number of the present evidence window."""
        return self._words[_WINDOW]

    @property
    def rows_wanted(self) -> bool:
        """True once a replay buffer has asked for the features of each step."""
        return bool(self._words[_ROWS])

    def ask_for_rows(self) -> None:
        """Asks the environment copies to put the features of each step into infos.

        A replay buffer needs these features to compute anew what a signal pays. A copy
        begins to write them at its next reset. The posting does not change, as only the
        loop writes it.
        """
        self._words[_ROWS] = 1

    def post(self, posting: Posting) -> None:
        """Replaces the posting; each environment copy takes it at its next reset."""
        data = posting.model_dump_json(indent=2)
        write_atomic(self.path / "signal.json", data.encode())
        self._words[_VERSION] = posting.version

    def read(self) -> Posting:
        """Reads the posting from its file."""
        return Posting.model_validate_json((self.path / "signal.json").read_bytes())

    def claim(self, layout: Layout, copies: int = 1) -> Slot:
        """Makes the slot of an environment copy of this process, or of a vector."""
        return Slot(self.path / "slots", layout, copies)

    def begin_window(self) -> None:
        """Begins a new window, for which copies empty their accumulators."""
        self._words[_WINDOW] += 1

    def collect(self, conditions: Mapping[str, str] | None = None) -> Collected | None:
        """Reads what copies recorded in this window; ``None`` if no episode ended.

        Args:
            conditions: The task's conditions, by name; the posting's probes are
                recorded after the conditions.

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
            recorded = reader.read(self.window, nodes)
            if recorded is None:
                continue
            layout = reader.layout
            copies += reader.copies
            parts.append(recorded[0])
            episodes += recorded[1]
        if layout is None:
            return None
        episodes.sort(key=lambda e: (e.base_return, len(e.rows), e.rows.tobytes()))
        return Collected(layout, merge(layout, parts), episodes, copies)

    def new_episodes(self) -> Episodes:
        """Reads the numbers of the episodes that ended since the last call.

        Returns:
            Array of ``EPISODE``, shape ``(episodes,)``, sorted by its fields from the
            first to the last, so that the order does not depend on processes.
        """
        parts = [np.zeros(0, EPISODE)]
        for reader in self._slots():
            cursor = self._cursors.get(reader.name, 0)
            self._cursors[reader.name], part = reader.recent(cursor)
            parts.append(part)
        return np.sort(np.concatenate(parts))

    def acknowledged(self) -> dict[str, int]:
        """Returns the version of the posting that each copy took last, by slot."""
        return {reader.name: reader.acknowledged for reader in self._slots()}

    @property
    def layout(self) -> Layout | None:
        """The layout of what copies record; ``None`` before a copy claims a slot."""
        return next((reader.layout for reader in self._slots()), None)

    @property
    def copies(self) -> int:
        """The number of environment copies that have claimed a slot."""
        return sum(reader.copies for reader in self._slots())

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Opens an unpickled board anew, when the board is first used."""
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
