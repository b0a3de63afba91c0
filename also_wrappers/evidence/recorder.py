"""The Recorder: one row per step into a buffer; an episode when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.scope import Scope
from also_wrappers.signal.language.compiler import compile_nodes
from also_wrappers.signal.language.parser import Node

__all__ = [
    "LONGEST_SEGMENT",
    "Episode",
    "Numbers",
    "Recorder",
    "Success",
    "compile_success",
]

Array = npt.NDArray[np.float64]

#: ``np.sum`` without its wrapper: short arrays are summed often here.
_total = np.add.reduce

#: A longer episode is recorded in segments of this many steps.
LONGEST_SEGMENT = 2000

#: The fields of ``EPISODE``, in its order.
Numbers = tuple[int, float, float, int, bool, bool, bool]

#: ``(features of all agents, who takes part, base return, length) -> success``
Success = Callable[[Array, npt.NDArray[np.bool_], float, int], bool]


@dataclass(frozen=True)
class Episode:
    """One episode, or one segment of a very long one, as it was recorded.

    The arrays are views that are valid until the recorder's next step.

    Attributes:
        base_return: Undiscounted sum of base rewards, mean over agents.
        shaped_return: ``base_return`` and what the signal added, mean over agents.
        length: Environment steps.
        success: Whether the task's success expression held at the end.
        terminated: Whether the episode ended by termination; ``False`` at a truncation,
            and at the end of a segment.
        rows: Features, shape ``(length + 1, agents, features)``.
        rewards: Base rewards, shape ``(length, agents)``.
        actions: Components of the actions, shape ``(length, agents, components)``.
        alive: Who took part, shape ``(length + 1, agents)``.
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

    def numbers(self, end: int) -> Numbers:
        """Returns the fields of ``EPISODE``, in its order.

        Args:
            end: Step of the environment copy at which the episode ended.
        """
        return (
            end,
            self.base_return,
            self.shaped_return,
            self.length,
            self.success,
            self.terminated,
            bool((self.rewards > 0.0).any()),
        )


class Recorder:
    """Records the episodes of one environment copy.

    Args:
        scope: Names and sizes of what is recorded.
        success: Whether an episode that ended was a success; see ``compile_success``.

    Attributes:
        steps: Environment steps since the episode, or its segment, began.
    """

    def __init__(self, scope: Scope, success: Success | None = None) -> None:
        self.steps = 0
        self._success = success
        agents = self._agents = len(scope.agents)
        # One line per state holds everything: a single assignment writes a step.
        self._shapes = (
            (agents, len(scope.features)),
            (agents, scope.components),
            (agents,),
            (agents,),
            (agents,),
        )
        self._everyone = [1.0] * agents
        self._allocate(128)

    @property
    def full(self) -> bool:
        """True when a segment has to be finished before the next step."""
        return self.steps >= LONGEST_SEGMENT

    def begin(self, rows: Sequence[Sequence[float]], alive: Sequence[int]) -> None:
        """Starts an episode, or a further segment of one, at a state."""
        self.steps = 0
        self._lines[0] = 0.0
        self._rows[0] = rows
        self._alive[0, list(alive)] = 1.0

    def step(
        self,
        rows: Sequence[Sequence[float]],
        actions: Sequence[float],
        base: Sequence[float],
        added: Sequence[float],
        alive: Sequence[int],
    ) -> None:
        """Writes one environment step into the buffer.

        Args:
            rows: Features of every agent.
            actions: Components of all agents' actions, one after the other.
            base: Base reward of every agent.
            added: What the signal added to it.
            alive: Places of the agents that took part.
        """
        t = self.steps = self.steps + 1
        if t >= len(self._lines):
            self._grow()
        present = self._everyone
        if len(alive) < self._agents:
            present = [float(i in alive) for i in range(self._agents)]
        self._lines[t] = [
            *chain.from_iterable(rows),
            *actions,
            *base,
            *added,
            *present,
        ]

    def finish(
        self,
        terminated: bool,
        paid: Sequence[float] | None = None,
        invalid: Sequence[float] = (),
    ) -> Episode:
        """Ends the episode, or a segment of it, and returns what was recorded.

        Args:
            terminated: Whether the episode ended by termination.
            paid: What each term paid, summed over agents, if that is to be recorded.
            invalid: How many values of each term were not finite so far.
        """
        t = self.steps
        agents = self._agents
        rows, alive = self._rows[: t + 1], self._alive[: t + 1] > 0.0
        rewards = self._base[1 : t + 1]
        base_return = float(_total(rewards, axis=None)) / agents
        added = float(_total(self._added[1 : t + 1], axis=None)) / agents
        success = self._success
        succeeded = success is not None and success(rows[-1], alive[-1], base_return, t)
        return Episode(
            base_return,
            base_return + added,
            t,
            succeeded,
            terminated,
            rows,
            rewards,
            self._actions[1 : t + 1],
            alive,
            None if paid is None else [amount / agents for amount in paid],
            invalid,
        )

    def _allocate(self, steps: int) -> None:
        sizes = [math.prod(shape) for shape in self._shapes]
        self._lines = np.zeros((steps + 1, sum(sizes)))
        views = []
        at = 0
        for shape, size in zip(self._shapes, sizes, strict=True):
            part = self._lines[:, at : at + size]
            views.append(part.reshape(steps + 1, *shape))
            at += size
        self._rows, self._actions, self._base, self._added, self._alive = views

    def _grow(self) -> None:
        lines = self._lines
        self._allocate(min(2 * (len(lines) - 1), LONGEST_SEGMENT))
        self._lines[: len(lines)] = lines


def compile_success(node: Node) -> Success:
    """Compiles a success expression.

    Args:
        node: A tree over the features, ``base_return`` and ``episode_length``.

    Returns:
        A function that says whether the expression holds for any agent that takes part
        at the end.
    """
    evaluate = compile_nodes([node])

    def success(
        rows: Array, alive: npt.NDArray[np.bool_], base_return: float, length: int
    ) -> bool:
        tail = [base_return, float(length)]
        last = [[*row, *tail] for row in rows.tolist()]
        (values,) = evaluate(last, last, np.flatnonzero(alive).tolist())
        return any(value > 0.0 for value in values)

    return success
