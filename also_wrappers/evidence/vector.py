"""Records many environment copies that step together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.block import detail_every
from also_wrappers.evidence.episodes import EPISODE, Episodes
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Success
from also_wrappers.evidence.statistics import MAX_RECORDED_TERMS, Layout

__all__ = ["EpisodeVector", "VectorRecorder"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: Numpy adds up to so many numbers that do not lie side by side at once.
_AT_ONCE = 8192
#: Odd numbers that mix a copy's place and the number of its episode.
_MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _HALF = np.uint64(1), np.uint64(32)


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
        layout: Names and sizes of what is recorded of one environment.
        success: Whether an episode that ended was a success.
        count: The number of environments.
    """

    def __init__(self, layout: Layout, success: Success | None, count: int) -> None:
        self._success = success
        self._every = np.uint64(detail_every(count))
        agents = len(layout.agents)
        self._columns = len(layout.features), agents, count
        self._clock = 0
        #: Time of the first state of each environment's episode, and of the earliest.
        self._begun = np.zeros(count, dtype=np.int64)
        self._earliest = 0
        self._number = np.zeros(count, dtype=np.uint64)
        # Time is the first axis, modulo its size.
        self._rows: Array = np.zeros((64, *self._columns))
        self._actions: Array = np.zeros((64, count, agents, layout.components))
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
        length = self._clock - self._begun[places]
        starts = np.concatenate(([0], np.cumsum(length + 1)))
        first = starts[:-1]
        which = np.repeat(places, length + 1)
        shift = np.repeat(self._begun[places] - first, length + 1)
        at = (np.arange(starts[-1]) + shift) % len(self._rows)
        rows = self._rows[at, :, :, which].swapaxes(1, 2)
        received = self._paid[at, :, :, which]
        received[first] = 0.0  # no step leads to a first state
        rewards = received[:, 0]
        base = _sums(rewards, starts) / agents
        numbers = np.empty(len(places), EPISODE)
        numbers["end"] = ends
        numbers["base_return"] = base
        numbers["shaped_return"] = base + _sums(received[:, 1], starts) / agents
        numbers["length"] = length
        numbers["success"] = self._succeeded(rows[starts[1:] - 1], base, length)
        numbers["terminated"] = terminated
        rewarded = (rewards > 0.0).any(axis=1)
        numbers["rewarded"] = np.logical_or.reduceat(rewarded, first)
        terms = np.zeros((2, len(places), MAX_RECORDED_TERMS))
        terms[0, has_terms, : paid.shape[1]] = paid[has_terms] / agents
        terms[1, :, : invalid.shape[1]] = invalid
        return EpisodeVector(
            numbers,
            self._detailed(places),
            has_terms,
            terms[0],
            terms[1],
            starts,
            rows,
            self._actions[at, which],
            rewards,
        )

    def _detailed(self, places: Places) -> Mask:
        """Counts the episodes that end, and returns which of them are detailed.

        That depends on the copy and on how many episodes it has ended alone, so that
        runs repeat.
        """
        with np.errstate(over="ignore"):
            mixed = (places.astype(np.uint64) + _ONE) * _MIX[0]
            mixed ^= (mixed >> _HALF) + self._number[places] * _MIX[1]
            mixed *= _MIX[0]
        self._number[places] += _ONE
        detailed: Mask = (mixed >> _HALF) % self._every == 0
        return detailed

    def _succeeded(self, rows: Array, base: Array, length: Places) -> Any:
        """Returns which episodes were a success, from their last rows."""
        success = self._success
        if success is None:
            return False
        everyone = np.ones(rows.shape[1], dtype=bool)
        numbers = zip(rows, base.tolist(), length.tolist(), strict=True)
        return [success(row, everyone, *of_episode) for row, *of_episode in numbers]

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


def _sums(parts: Array, starts: Places) -> Array:
    """Adds the rewards of each episode, in the order in which a ``Recorder`` does.

    Args:
        parts: Rewards, shape ``(rows, agents)``; 0 in the first row of each episode.
        starts: First row of every episode, and the row after the last one's rows.
    """
    agents = parts.shape[1]
    flat = parts.ravel()
    # From the last zero before an episode's rewards to the last one of them.
    edges = np.stack((starts[:-1] * agents + agents - 1, starts[1:] * agents), axis=1)
    sums: Array = np.add.reduceat(flat, edges.ravel()[:-1])[::2]
    for k in np.flatnonzero(np.diff(starts) * agents > _AT_ONCE).tolist():
        sums[k] = parts[starts[k] + 1 : starts[k + 1]].sum()
    return sums
