"""Branches whose transitions are kept for a replay buffer; see ``replayed.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.trainers.sb3 import fork
from also_wrappers.trainers.sb3.replay_buffer import Relabelling

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """Holds what one branch has stored since it was forked.

    Attributes:
        arm: Name of the arm, phase and index, as a decision names them.
        rows: The arrays of the buffer, by name, oldest first.
    """

    arm: str
    rows: Arrays


class Keeping(SerialExecutor):
    """Remembers what branches have stored, until somebody takes it.

    Args:
        only_earning: Whether only those are remembered that earned any base reward.

    Attributes:
        seen: Of each branch that has ended.
        rows: How many rows were appended to a buffer.
    """

    def __init__(self, *, only_earning: bool) -> None:
        self._least = 0.0 if only_earning else -np.inf
        self.seen: list[Seen] = []
        self.rows = 0
        self._buffers: list[Relabelling] = []

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results in the order of the orders."""
        load = vars(fork)["load"]

        def remembered(*arguments: Any) -> Any:
            model = load(*arguments)
            self._buffers = [model.replay_buffer]
            return model

        for order in orders:
            with patch.object(fork, "load", remembered):
                (result,) = super().run([order])
            if result.ok and result.score > self._least:
                asked = order.request
                name = f"candidate_{asked.arm}" if asked.arm else "control"
                rows = newest(self._buffers.pop())
                arm = f"{name}, {asked.phase} {asked.index}"
                self.seen.append(Seen(arm, rows))
            yield result

    def append(
        self, buffer: Relabelling, adopted: str = "", most: float | None = None
    ) -> None:
        """Appends what was seen to a buffer, but for what it has as it was adopted.

        Args:
            buffer: The buffer.
            adopted: The branch whose buffer it is.
            most: Rows that are appended at most, as a share of those that it holds; all
                if not given.
        """
        stored = buffer.buffer_size if buffer.full else buffer.pos
        left = sum(len(seen.rows["base"]) for seen in self.seen)
        left = left if most is None else round(most * stored)
        for seen in self.seen:
            if seen.arm != adopted:
                count = min(left, len(seen.rows["base"]))
                rows = {name: array[-count:] for name, array in seen.rows.items()}
                self.rows += extend(buffer, rows) if count else 0
                left -= count
        self.seen.clear()


def newest(buffer: Relabelling) -> Arrays:
    """Returns the rows that a buffer has stored since it was made and loaded."""
    count = min(buffer.rewards.steps, buffer.buffer_size)
    index = (buffer.pos - count + np.arange(count)) % buffer.buffer_size
    return {name: array[index] for name, array in buffer._arrays().items()}


def extend(buffer: Relabelling, rows: Arrays) -> int:
    """Stores rows in a ring, as so many calls of ``add`` would, and counts them.

    The fade of a signal counts calls of ``add``, so that it does not move. Rows of a
    buffer of single steps may stand in any order.
    """
    size, count = buffer.buffer_size, len(rows["base"])
    index = (buffer.pos + np.arange(count)) % size
    for name, array in buffer._arrays().items():
        array[index] = rows[name]
    buffer.full = buffer.full or buffer.pos + count >= size
    buffer.pos = (buffer.pos + count) % size
    return count
