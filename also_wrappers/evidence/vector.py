"""Records many environment copies that step together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.block import MAX_RECORDED_TERMS, detail_every
from also_wrappers.evidence.episodes import EPISODE, Episodes
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Success
from also_wrappers.evidence.scope import Scope

__all__ = ["EpisodeVector", "VectorRecorder"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: Numpy adds up to so many numbers that do not lie side by side at once.
_AT_ONCE = 8192
#: Episodes of a copy after which the choice of those in detail repeats.
_CHOSEN = 64


@dataclass(frozen=True)
class EpisodeVector:
    """Episodes that ended with one step, one after the other as in a ``Block``.

    Attributes:
        episodes: Numbers of every episode, shape ``(episodes,)``, of ``EPISODE``.
        detailed: Whether the episode is recorded in detail, shape ``(episodes,)``.
        has_terms: Whether ``paid`` is known of the episode, shape ``(episodes,)``.
        paid: What each term paid, mean over agents, shape ``(episodes, terms)``.
        invalid: Values of each term that were not finite, in that shape.
        starts: First row of every episode, and the row after the last one's rows.
        rows: Features, shape ``(rows, agents, features)``.
        actions: Components of the actions, shape ``(rows, agents, components)``.
        rewards: Base rewards, shape ``(rows, agents)``.
    """

    episodes: Episodes
    detailed: Mask
    has_terms: Mask
    paid: Array
    invalid: Array
    starts: Places
    rows: Array
    actions: Array
    rewards: Array


class VectorRecorder:
    """The ``Recorder`` of many environments whose agents stay to the end.

    All environments share a clock, so that a step is written side by side. Arrays end
    in an axis of environments. Those of a team have an axis of agents before it; those
    of a single agent may have it.

    Args:
        scope: Names and sizes of what is recorded of one environment.
        success: Whether an episode that ended was a success.
        count: The number of environments.
    """

    def __init__(self, scope: Scope, success: Success | None, count: int) -> None:
        self._success = success
        # Chosen beforehand by copy and number of the episode, so that runs repeat.
        chance = np.random.default_rng(0).random((count, _CHOSEN))
        self._chosen: Mask = chance < 1.0 / detail_every(count)
        agents = len(scope.agents)
        self._columns = len(scope.features), agents, count
        self._clock = 0
        #: Time of the first state of each environment's episode, and of the earliest.
        self._begun = np.zeros(count, dtype=np.int64)
        self._earliest = 0
        #: Episodes that each environment has ended, modulo ``_CHOSEN``.
        self._number = np.zeros(count, dtype=np.int64)
        # Time is the first axis, modulo its size.
        self._rows: Array = np.zeros((64, *self._columns))
        self._actions: Array = np.zeros((64, count, agents, scope.components))
        # Base rewards, and what was added to them.
        self._paid: Array = np.zeros((64, 2, agents, count))

    @property
    def steps(self) -> Places:
        """Steps of each environment since its episode, or segment, began."""
        return self._clock - self._begun

    @property
    def full(self) -> Mask:
        """Environments whose segment has to be finished before the next step."""
        return self.steps >= LONGEST_SEGMENT

    def begin(self, columns: Array, which: Mask) -> None:
        """Starts episodes of some environments at a state."""
        row = self._rows[self._clock % len(self._rows)]
        np.copyto(row, columns.reshape(self._columns), where=which)
        self._begun[which] = self._clock

    def go_on(self, places: Places) -> None:
        """Starts further segments of some environments at the current state."""
        self._begun[places] = self._clock

    def step(
        self,
        columns: Array,
        actions: Array,
        base: npt.NDArray[np.floating],
        added: Array | None,
    ) -> None:
        """Writes one step of all environments.

        For an environment whose episode is over, this is no step of an episode.

        Args:
            columns: Features, shape ``(features, ..., environments)``.
            actions: Components of the actions, shape ``(environments, agents,
                components)``.
            base: Base rewards, shape ``(..., environments)``.
            added: What the signal added to them; ``None`` for nothing.
        """
        self._clock += 1
        if self._clock - self._earliest >= len(self._rows):
            self._earliest = int(self._begun.min())
            if self._clock - self._earliest >= len(self._rows):
                self._grow()
        at = self._clock % len(self._rows)
        self._rows[at] = columns.reshape(self._columns)
        self._actions[at] = actions
        paid = self._paid[at]
        paid[0] = base
        paid[1] = 0.0 if added is None else added

    def finish(
        self,
        places: Places,
        ends: Places,
        terminated: Mask,
        has_terms: Mask,
        paid: Array,
        invalid: Array,
    ) -> EpisodeVector:
        """Ends episodes, or segments of them, and returns what was recorded.

        Args:
            places: Their environments; in each, a step was made.
            ends: Step of the environment copy at which each ended.
            terminated: Which of them ended by termination.
            has_terms: Of which it is to be recorded what each term paid.
            paid: What each term paid, summed over agents, shape ``(episodes, terms)``.
            invalid: How many values of each term were not finite, in that shape.
        """
        _, agents, _ = self._columns
        begun = self._begun[places]
        size = self._clock + 1 - begun
        length = size - 1
        starts = np.zeros(len(places) + 1, dtype=np.int64)
        size.cumsum(out=starts[1:])
        first = starts[:-1]
        which = places.repeat(size)
        at = np.arange(starts[-1])
        at += (begun - first).repeat(size)
        at %= len(self._rows)
        rows = self._rows[at, :, :, which].swapaxes(1, 2)
        received = self._paid[at, :, :, which]
        received[first] = 0.0  # no step leads to a first state
        rewards = received[:, 0]
        base, added = _sums(received, starts) / agents
        numbers = np.empty(len(places), EPISODE)
        numbers["end"] = ends
        numbers["base_return"] = base
        numbers["shaped_return"] = base + added
        numbers["length"] = length
        numbers["success"] = self._succeeded(rows, starts, base)
        numbers["terminated"] = terminated
        rewarded = np.logical_or.reduceat(rewards > 0.0, first)
        numbers["rewarded"] = rewarded.any(axis=1)
        number = self._number[places]
        self._number[places] = (number + 1) % _CHOSEN
        terms = np.zeros((2, len(places), MAX_RECORDED_TERMS))
        terms[0, has_terms, : paid.shape[1]] = paid[has_terms] / agents
        terms[1, :, : invalid.shape[1]] = invalid
        return EpisodeVector(
            numbers,
            self._chosen[places, number],
            has_terms,
            terms[0],
            terms[1],
            starts,
            rows,
            self._actions[at, which],
            rewards,
        )

    def _succeeded(self, rows: Array, starts: Places, base: Array) -> Any:
        """Returns which episodes were a success, from their last rows."""
        success = self._success
        if success is None:
            return False
        everyone = np.ones(rows.shape[1], dtype=bool)
        length = np.diff(starts) - 1
        last = rows[starts[1:] - 1]
        numbers = zip(last, base.tolist(), length.tolist(), strict=True)
        return [success(row, everyone, *of_one) for row, *of_one in numbers]

    def _grow(self) -> None:
        """Doubles the time for which there is room."""
        size = len(self._rows)
        times = np.arange(self._earliest, self._clock)
        room = min(2 * size, LONGEST_SEGMENT + 1)
        for name in ("_rows", "_actions", "_paid"):
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]))
            new[times % room] = old[times % size]
            setattr(self, name, new)


def _sums(received: Array, starts: Places) -> Array:
    """Adds what each episode received, in the order in which a ``Recorder`` does.

    Args:
        received: Base rewards and what was added, shape ``(rows, 2, agents)``; 0 in the
            first row of each episode.
        starts: First row of every episode, and the row after the last one's rows.

    Returns:
        Shape ``(2, episodes)``.
    """
    rows, _, agents = received.shape
    flat = received.swapaxes(0, 1).reshape(2, rows * agents)
    # From the last zero before an episode's rewards to the last one of them.
    edges = (starts * agents).repeat(2)[1:-2]
    edges[::2] += agents - 1
    sums: Array = np.add.reduceat(flat, edges, axis=1)[:, ::2]
    if rows * agents > _AT_ONCE:
        for k in np.flatnonzero(np.diff(starts) * agents > _AT_ONCE).tolist():
            of_one = received[starts[k] + 1 : starts[k + 1]]
            sums[:, k] = [of_one[:, part].sum() for part in (0, 1)]
    return sums
