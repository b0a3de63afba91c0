"""The Recorder: one row per step into a buffer, all the rest at episode end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.statistics import AGGREGATES, Layout, add_scalars
from also_wrappers.signal.batch import evaluate_batch
from also_wrappers.signal.language import Node

__all__ = ["LONGEST_WINDOW", "Episode", "Recorder"]

Array = npt.NDArray[np.float64]

#: ``np.sum`` without its wrapper: short arrays are summed often here.
_total = np.add.reduce

#: Longer episodes are recorded in windows of this many steps.
LONGEST_WINDOW = 2000


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
        alive: Who took part, shape ``(length + 1, agents)``; likewise.
    """

    base_return: float
    shaped_return: float
    length: int
    success: bool
    terminated: bool
    rows: Array
    rewards: Array
    alive: npt.NDArray[np.bool_]


class Recorder:
    """Records the episodes of one environment copy into accumulators.

    Args:
        layout: The layout of the accumulators.
        state_columns: Feature columns that do not come from the action.
    """

    def __init__(self, layout: Layout, state_columns: Sequence[int]) -> None:
        self.layout = layout
        self._state_columns = list(state_columns)
        self._allocate(128)
        self._t = 0
        self._values: Array = np.zeros(0)
        self._views: dict[str, Array] = {}

    @property
    def steps(self) -> int:
        """Steps since the episode, or the window, began."""
        return self._t

    @property
    def full(self) -> bool:
        """Whether a window has to be finished before the next step."""
        return self._t >= LONGEST_WINDOW

    def begin(self, rows: Sequence[Sequence[float]], alive: Sequence[int]) -> None:
        """Starts an episode, or a further window of one, at a state."""
        self._t = 0
        self._rows[0] = rows
        self._alive[0] = False
        self._alive[0, list(alive)] = True

    def step(
        self,
        rows: Sequence[Sequence[float]],
        actions: Sequence[int],
        base: Sequence[float],
        added: Sequence[float],
        alive: Sequence[int],
    ) -> None:
        """Writes one step down. All arguments but ``alive`` have one item per agent."""
        t = self._t
        if t + 1 >= len(self._rows):
            self._grow()
        self._rows[t + 1] = rows
        self._actions[t] = actions
        self._base[t] = base
        self._added[t] = added
        if len(alive) == len(self.layout.agents):
            self._alive[t + 1] = True
        else:
            self._alive[t + 1] = False
            self._alive[t + 1, list(alive)] = True
        self._t = t + 1

    def finish(
        self,
        terminated: bool,
        events: Sequence[Node],
        success: Node | None,
    ) -> Episode:
        """Ends the episode; its numbers are then added with ``accumulate``.

        Args:
            terminated: Whether it ended by termination.
            events: Trees of the named expressions to look for.
            success: Tree over the features, ``base_return`` and ``episode_length``.
        """
        t = self._t
        rows = self._rows[: t + 1]
        alive = self._alive[: t + 1]
        base_return = float(_total(self._base[:t]).mean())
        shaped = base_return + float(_total(self._added[:t]).mean())
        succeeded = False
        if success is not None:
            tail = np.array([[base_return, float(t)]] * len(self.layout.agents))
            last = np.concatenate([rows[-1], tail], axis=1)
            held = evaluate_batch(success, last, last, alive[-1])
            succeeded = bool(np.nanmax(np.where(alive[-1], held, 0.0)) > 0.0)
        self._events = [
            evaluate_batch(node, rows[1:], rows[:-1], alive[1:]).max(axis=1) > 0.0
            for node in events
        ]
        return Episode(
            base_return, shaped, t, succeeded, terminated, rows, self._base[:t], alive
        )

    def accumulate(
        self,
        values: Array,
        episode: Episode,
        term_totals: Sequence[float] | None,
        term_invalid: Sequence[int],
    ) -> None:
        """Adds a finished episode to accumulators, in place.

        Args:
            values: Accumulators in this recorder's layout.
            episode: What ``finish`` returned.
            term_totals: What each term paid, or ``None`` if the signal of the episode
                is no longer the one whose terms these accumulators stand for.
            term_invalid: How many values of each term were not finite so far.
        """
        t = episode.length
        if t == 0:
            return
        layout = self.layout
        if values is not self._values:
            self._values = values
            self._views = {name: layout.view(values, name) for name in layout.blocks}
        views = self._views
        rows, alive = episode.rows, episode.alive
        acted = alive[1:]
        base = episode.base_return
        team_reward = _total(episode.rewards, axis=1)
        at_reward = team_reward > 0.0
        reward_steps = int(at_reward.sum())
        actions = self._actions[:t]

        scalars = [
            ("episodes", 1.0),
            ("steps", float(t)),
            ("terminated", float(episode.terminated)),
            ("rewarded", float(reward_steps > 0)),
            ("successes", float(episode.success)),
            ("return", base),
            ("return_squared", base * base),
            ("shaped", episode.shaped_return),
            ("shaped_squared", episode.shaped_return**2),
            ("return_times_shaped", base * episode.shaped_return),
            ("length", float(t)),
            ("reward_steps", float(reward_steps)),
        ]
        if reward_steps:
            scalars.append(("first_reward", float(np.argmax(at_reward)) + 1.0))
        lowest, highest = views["return_min"], views["return_max"]
        np.minimum(lowest, base, out=lowest)
        np.maximum(highest, base, out=highest)
        views["agent_return"][...] += _total(episode.rewards)
        steps = _total(acted)
        views["agent_steps"][...] += steps

        if layout.actions:
            counts = views["action_counts"]
            for i in range(len(layout.agents)):
                chosen = actions[acted[:, i], i]
                counts[i] += np.bincount(chosen, minlength=layout.actions)[
                    : layout.actions
                ]
            both = acted[1:] & acted[:-1]
            switched = (actions[1:] != actions[:-1]) & both
            views["switch_steps"][...] += _total(switched)
            together = acted.all(axis=1)
            same = (actions == actions[:, :1]).all(axis=1) & together
            scalars += [
                ("same_action_steps", float(same.sum())),
                ("together_steps", float(together.sum())),
            ]

        state = rows[:, :, self._state_columns]
        still = (state[1:] == state[:-1]).all(axis=2)
        views["idle_steps"][...] += _total(still & acted)
        if t > 1:
            back = (state[2:] == state[:-2]).all(axis=2) & ~still[1:]
            views["back_steps"][...] += _total(back & acted[1:])

        self._accumulate_features(episode, at_reward)

        for k, held in enumerate(self._events):
            if held.any():
                views["event_episodes"][k] += 1.0
                views["event_rewarded"][k] += float(reward_steps > 0)
                views["event_first"][k] += float(np.argmax(held)) + 1.0
                views["event_steps"][k] += float(held.sum())

        if term_totals is not None:
            scalars.append(("term_episodes", 1.0))
            paid = np.asarray(term_totals) / len(layout.agents)
            n = len(paid)
            views["term"][:n] += paid
            views["term_size"][:n] += np.abs(paid)
            views["term_squared"][:n] += paid * paid
            views["term_times_return"][:n] += paid * base
            invalid = views["term_invalid"][:n]
            np.maximum(invalid, term_invalid, out=invalid)
        add_scalars(values, scalars)

    def _accumulate_features(
        self, episode: Episode, at_reward: npt.NDArray[np.bool_]
    ) -> None:
        views = self._views
        rows, alive = episode.rows, episode.alive
        base = episode.base_return
        present = alive[:, :, None]
        every = bool(alive.all())
        known = rows if every else np.where(present, rows, 0.0)
        views["feature"][...] += _total(known[1:])
        views["feature_squared"][...] += _total(known[1:] * known[1:])

        count = np.maximum(_total(alive, axis=1), 1)[:, None]
        mean = _total(known, axis=1) / count
        least = rows.min(axis=1) if every else np.where(present, rows, np.inf).min(1)
        most = rows.max(axis=1) if every else np.where(present, rows, -np.inf).max(1)
        lowest, highest = views["feature_min"], views["feature_max"]
        np.minimum(lowest, least.min(axis=0), out=lowest)
        np.maximum(highest, most.max(axis=0), out=highest)
        apart = rows - mean[:, None, :]
        squares = apart * apart if every else np.where(present, apart * apart, 0.0)
        spread = np.sqrt(_total(squares, axis=1) / count)
        views["feature_spread"][...] += _total(spread[1:])
        views["feature_start"][...] += mean[0]
        views["feature_end"][...] += mean[-1]
        average = _total(mean[1:]) / episode.length
        views["episode_mean"][...] += average
        views["episode_mean_squared"][...] += average * average
        views["episode_mean_times_return"][...] += average * base
        if at_reward.any():
            views["rewarded_mean"][...] += average
            views["rewarded_mean_squared"][...] += average * average

        # The state that a step was taken from: what the reward was paid for.
        jump = mean[1:] - mean[:-1]
        views["jump"][...] += _total(jump)
        views["jump_squared"][...] += _total(jump * jump)
        team = np.stack((mean[:-1], least[:-1], most[:-1]))
        views["team"][...] += _total(team, axis=1)
        views["team_squared"][...] += _total(team * team, axis=1)
        if at_reward.any():
            views["jump_at_reward"][...] += _total(jump[at_reward])
            paid = team[:, at_reward]
            views["team_at_reward"][...] += _total(paid, axis=1)
            views["team_at_reward_squared"][...] += _total(paid * paid, axis=1)

    def _allocate(self, steps: int) -> None:
        agents, features = len(self.layout.agents), len(self.layout.features)
        self._rows = np.zeros((steps + 1, agents, features))
        self._alive = np.zeros((steps + 1, agents), dtype=bool)
        self._actions = np.zeros((steps, agents), dtype=np.int64)
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


assert AGGREGATES == ("mean", "min", "max")  # the order in _accumulate_features
