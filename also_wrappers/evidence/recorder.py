"""The Recorder: one row per step into a buffer; an episode when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.statistics import Layout
from also_wrappers.signal.compiler import compile_nodes
from also_wrappers.signal.language import Node

__all__ = ["LONGEST_WINDOW", "Episode", "Recorder", "Success", "compile_success"]

Array = npt.NDArray[np.float64]

#: ``np.sum`` without its wrapper: short arrays are summed often here.
_total = np.add.reduce

#: Longer episodes are recorded in windows of this many steps.
LONGEST_WINDOW = 2000

#: ``(features of all agents, who is there, base return, length) -> success``
Success = Callable[[Array, npt.NDArray[np.bool_], float, int], bool]


@dataclass(frozen=True)
class Episode:
    """What is kept of one episode (or window).

    Attributes:
        base_return: Mean over agents of the undiscounted base return.
        shaped_return: The same with what the signal added.
        length: Environment steps.
        success: Whether the task's success expression held at the end.
        terminated: Whether it ended by termination (else truncation, or a window).
        rows: Features, shape ``(length + 1, agents, features)``; a view that is valid
            until the next step.
        rewards: Base rewards, shape ``(length, agents)``; likewise.
        actions: Shape ``(length, agents, components)``; likewise.
        alive: Who took part, shape ``(length + 1, agents)``; likewise.
        paid: What each term paid, mean over agents, or ``None`` if the signal of the
            episode is no longer the one that evidence is gathered of.
        invalid: How many values of each term were not finite so far.
    """

    base_return: float
    shaped_return: float
    length: int
    success: bool
    terminated: bool
    rows: Array
    rewards: Array
    actions: Array
    alive: npt.NDArray[np.bool_]
    paid: Sequence[float] | None
    invalid: Sequence[float]


class Recorder:
    """Records the episodes of one environment copy.

    Args:
        layout: Names and sizes.
        success: Whether an episode that ended was a success; see ``compile_success``.
    """

    def __init__(self, layout: Layout, success: Success | None = None) -> None:
        self._layout = layout
        self._success = success
        self._agents = len(layout.agents)
        self._allocate(128)
        self.steps = 0

    @property
    def full(self) -> bool:
        """Whether a window has to be finished before the next step."""
        return self.steps >= LONGEST_WINDOW

    def begin(self, rows: Sequence[Sequence[float]], alive: Sequence[int]) -> None:
        """Starts an episode, or a further window of one, at a state."""
        self.steps = 0
        self._rows[0] = rows
        self._alive[0] = False
        self._alive[0, list(alive)] = True

    def step(
        self,
        rows: Sequence[Sequence[float]],
        actions: Any,
        base: Sequence[float],
        added: Sequence[float],
        alive: Sequence[int],
    ) -> None:
        """Writes one step down. All arguments but ``alive`` have one item per agent."""
        t = self.steps
        if t + 1 >= len(self._rows):
            self._grow()
        self._rows[t + 1] = rows
        self._actions[t] = actions
        self._base[t] = base
        self._added[t] = added
        if len(alive) == self._agents:
            self._alive[t + 1] = True
        else:
            self._alive[t + 1] = False
            self._alive[t + 1, list(alive)] = True
        self.steps = t + 1

    def finish(
        self,
        terminated: bool,
        paid: Sequence[float] | None = None,
        invalid: Sequence[float] = (),
    ) -> Episode:
        """Ends the episode.

        Args:
            terminated: Whether it ended by termination.
            paid: What each term paid, summed over agents, if that is to be recorded.
            invalid: How many values of each term were not finite so far.
        """
        t = self.steps
        rows, alive = self._rows[: t + 1], self._alive[: t + 1]
        agents = self._agents
        base_return = float(_total(self._base[:t], axis=None)) / agents
        shaped = base_return + float(_total(self._added[:t], axis=None)) / agents
        success = self._success
        succeeded = success is not None and success(rows[-1], alive[-1], base_return, t)
        return Episode(
            base_return,
            shaped,
            t,
            succeeded,
            terminated,
            rows,
            self._base[:t],
            self._actions[:t],
            alive,
            None if paid is None else [amount / agents for amount in paid],
            invalid,
        )

    def _allocate(self, steps: int) -> None:
        agents, features = self._agents, len(self._layout.features)
        self._rows = np.zeros((steps + 1, agents, features))
        self._alive = np.zeros((steps + 1, agents), dtype=bool)
        self._actions = np.zeros((steps, agents, self._layout.components))
        self._base = np.zeros((steps, agents))
        self._added = np.zeros((steps, agents))

    def _grow(self) -> None:
        kept: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("_rows", "_alive", "_actions", "_base", "_added")
        }
        self._allocate(min(2 * len(self._base), LONGEST_WINDOW))
        for name, old in kept.items():
            getattr(self, name)[: len(old)] = old


def compile_success(node: Node) -> Success:
    """Compiles a success expression.

    Args:
        node: A tree over the features, ``base_return`` and ``episode_length``.

    Returns:
        A function that says whether it holds for any agent that is there at the end.
    """
    evaluate = compile_nodes([node])

    def success(
        rows: Array, alive: npt.NDArray[np.bool_], base_return: float, length: int
    ) -> bool:
        tail = [base_return, float(length)]
        last = [[*row, *tail] for row in rows.tolist()]
        (held,) = evaluate(last, last, np.flatnonzero(alive).tolist())
        return any(value > 0.0 for value in held)

    return success
