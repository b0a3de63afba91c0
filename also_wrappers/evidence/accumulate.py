"""From a block of episodes to accumulators, all episodes of the block at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence import block as columns
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.statistics import (
    AGGREGATES,
    MAX_EVENTS,
    Layout,
    add_scalars,
)
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.signal.batch import evaluate_batch
from also_wrappers.signal.language import Node, parse

__all__ = ["accumulate", "parse_events"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: ``np.sum`` without its wrapper.
_total = np.add.reduce
_per_episode = np.add.reduceat


def parse_events(named: Mapping[str, str], features: Sequence[str]) -> list[Node]:
    """The trees of named expressions, as many as can be recorded at a time.

    Raises:
        ConfigurationError: One of them is not valid.

    Example:
        >>> len(parse_events({"near": "team_max(x) > 0.9"}, ["x"]))
        1
    """
    nodes = []
    for name, text in list(named.items())[:MAX_EVENTS]:
        try:
            nodes.append(parse(text, features, allow_delta=True))
        except AlsoError as error:
            raise ConfigurationError(f"event {name!r}: {error}") from error
    return nodes


def accumulate(
    layout: Layout, values: Array, block: Block, events: Sequence[Node]
) -> None:
    """Adds the episodes of a block to accumulators, in place.

    Args:
        layout: Of both.
        values: The accumulators.
        block: The episodes; it is not changed.
        events: Trees of the named expressions to look for.
    """
    if not block.episodes:
        return
    steps = _Steps(layout, block)
    views = {name: layout.view(values, name) for name in layout.blocks}
    _episodes(steps, views, values)
    _agents(steps, views)
    _actions(steps, views, values)
    _features(steps, views)
    _events(steps, views, events)
    _terms(steps, views, values)


@dataclass(frozen=True)
class _Steps:
    """A block with what several statistics need of it."""

    layout: Layout
    block: Block

    @cached_property
    def count(self) -> int:
        return self.block.episodes

    @cached_property
    def end(self) -> int:
        return int(self.block.starts[self.count])

    @cached_property
    def numbers(self) -> Array:
        return self.block.numbers[: self.count]

    @cached_property
    def returns(self) -> Array:
        return self.numbers[:, columns.RETURN]

    @cached_property
    def time(self) -> Array:
        return self.numbers[:, columns.TIME]

    @cached_property
    def rows(self) -> Array:
        return self.block.rows[: self.end]

    @cached_property
    def alive(self) -> Mask:
        return self.block.alive[: self.end]

    @cached_property
    def first(self) -> Places:
        """First row of every episode."""
        return self.block.starts[: self.count]

    @cached_property
    def last(self) -> Places:
        return self.block.starts[1 : self.count + 1] - 1

    @cached_property
    def begin(self) -> Places:
        """First step of every episode, among all steps."""
        return self.first - np.arange(self.count)

    @cached_property
    def arrive(self) -> Mask:
        """Rows at which a step arrives."""
        mask = np.ones(self.end, dtype=bool)
        mask[self.first] = False
        return mask

    @cached_property
    def leave(self) -> Mask:
        """Rows from which a step leaves."""
        mask = np.ones(self.end, dtype=bool)
        mask[self.last] = False
        return mask

    @cached_property
    def acted(self) -> Mask:
        """Who took part in each step, shape ``(steps, agents)``."""
        return self.alive[self.arrive]

    @cached_property
    def second(self) -> Places:
        """Steps that have one before them in the same episode."""
        mask = np.ones(len(self.acted), dtype=bool)
        mask[self.begin] = False
        return np.flatnonzero(mask)

    @cached_property
    def at_reward(self) -> Mask:
        """Steps at which the team was paid something."""
        rewarded: Mask = _total(self.base, axis=1) > 0.0
        return rewarded

    @cached_property
    def base(self) -> Array:
        return self.block.base[: self.end][self.arrive]

    @cached_property
    def reward_steps(self) -> Array:
        """Paid steps of every episode."""
        steps: Array = _per_episode(self.at_reward.astype(float), self.begin)
        return steps

    def firsts(self, held: Mask) -> tuple[Places, Array]:
        """Episodes in which something held, and the step at which it did first."""
        at = np.flatnonzero(held)
        episode = np.searchsorted(self.begin, at, side="right") - 1
        which, index = np.unique(episode, return_index=True)
        return which, (at[index] - self.begin[which] + 1).astype(float)


def _episodes(s: _Steps, views: dict[str, Array], values: Array) -> None:
    base, shaped = s.returns, s.numbers[:, columns.SHAPED]
    length, time = s.numbers[:, columns.LENGTH], s.time
    _, first_reward = s.firsts(s.at_reward)
    add_scalars(
        values,
        [
            ("episodes", float(s.count)),
            ("steps", float(length.sum())),
            ("terminated", float(s.numbers[:, columns.TERMINATED].sum())),
            ("rewarded", float(len(first_reward))),
            ("successes", float(s.numbers[:, columns.SUCCESS].sum())),
            ("return", float(base.sum())),
            ("return_squared", float(base.dot(base))),
            ("shaped", float(shaped.sum())),
            ("shaped_squared", float(shaped.dot(shaped))),
            ("return_times_shaped", float(base.dot(shaped))),
            ("length", float(length.sum())),
            ("reward_steps", float(s.at_reward.sum())),
            ("first_reward", float(first_reward.sum())),
            ("time", float(time.sum())),
            ("time_squared", float(time.dot(time))),
            ("return_times_time", float(base.dot(time))),
        ],
    )
    lowest, highest = views["return_min"], views["return_max"]
    np.minimum(lowest, base.min(), out=lowest)
    np.maximum(highest, base.max(), out=highest)


def _agents(s: _Steps, views: dict[str, Array]) -> None:
    """Returns, and whether an agent's own state moves, stays or goes back."""
    views["agent_return"][...] += _total(s.base)
    views["agent_steps"][...] += _total(s.acted)
    pairs = s.acted[s.second] & s.acted[s.second - 1]
    views["pair_steps"][...] += _total(pairs)
    state = s.rows[:, :, list(s.layout.state)]
    reached, left = state[s.arrive], state[s.leave]
    still = (reached == left).all(axis=2)
    views["idle_steps"][...] += _total(still & s.acted)
    back = (reached[s.second] == left[s.second - 1]).all(axis=2) & ~still[s.second]
    views["back_steps"][...] += _total(back & s.acted[s.second])


def _actions(s: _Steps, views: dict[str, Array], values: Array) -> None:
    actions = s.block.actions[: s.end][s.arrive]
    acted = s.acted
    switched = np.zeros(acted.shape, dtype=bool)
    change = np.zeros(actions.shape)
    change[s.second] = np.abs(actions[s.second] - actions[s.second - 1])
    both = np.zeros(acted.shape, dtype=bool)
    both[s.second] = acted[s.second] & acted[s.second - 1]
    for i, sizes in enumerate(s.layout.actions):
        mine = actions[acted[:, i], i]
        for d, size in enumerate(sizes):
            if size:
                chosen = mine[:, d].astype(np.int64)
                counts = np.bincount(chosen, minlength=size)[:size]
                views["action_counts"][i, d, :size] += counts
                switched[:, i] |= change[:, i, d] > 0.0
        views["action"][i] += _total(mine)
        views["action_squared"][i] += _total(mine * mine)
        views["action_change"][i] += _total(change[both[:, i], i])
    views["switch_steps"][...] += _total(switched & both)
    if s.layout.alike:
        together = acted.all(axis=1)
        same = (actions == actions[:, :1]).all(axis=(1, 2)) & together
        amounts = ("same_action_steps", same), ("together_steps", together)
        add_scalars(values, [(name, float(mask.sum())) for name, mask in amounts])


def _features(s: _Steps, views: dict[str, Array]) -> None:
    rows, alive = s.rows, s.alive
    every = bool(alive.all())
    present = alive[:, :, None]
    known = rows if every else np.where(present, rows, 0.0)
    reached = known[s.arrive]
    views["feature"][...] += _total(reached)
    views["feature_squared"][...] += _total(reached * reached)

    count = np.maximum(_total(alive, axis=1), 1)[:, None]
    mean = _total(known, axis=1) / count
    least = rows.min(axis=1) if every else np.where(present, rows, np.inf).min(axis=1)
    most = rows.max(axis=1) if every else np.where(present, rows, -np.inf).max(axis=1)
    lowest, highest = views["feature_min"], views["feature_max"]
    np.minimum(lowest, least.min(axis=0), out=lowest)
    np.maximum(highest, most.max(axis=0), out=highest)
    apart = rows - mean[:, None, :]
    squares = apart * apart if every else np.where(present, apart * apart, 0.0)
    spread = np.sqrt(_total(squares, axis=1) / count)
    views["feature_spread"][...] += _total(spread[s.arrive])
    _episode_features(s, views, mean)

    # The state that a step was taken from: what the reward was paid for.
    jump = mean[s.arrive] - mean[s.leave]
    views["jump"][...] += _total(jump)
    views["jump_squared"][...] += _total(jump * jump)
    team = np.stack([aggregate[s.leave] for aggregate in (mean, least, most)])
    views["team"][...] += _total(team, axis=1)
    views["team_squared"][...] += _total(team * team, axis=1)
    views["jump_at_reward"][...] += _total(jump[s.at_reward])
    paid = team[:, s.at_reward]
    views["team_at_reward"][...] += _total(paid, axis=1)
    views["team_at_reward_squared"][...] += _total(paid * paid, axis=1)


def _episode_features(s: _Steps, views: dict[str, Array], mean: Array) -> None:
    """What the team's means did in each episode, and how that goes with its return."""
    reached = mean[s.arrive]
    begin, end = mean[s.first], mean[s.last]
    views["feature_start"][...] += _total(begin)
    views["feature_end"][...] += _total(end)
    views["episode_high"][...] += _total(np.maximum.reduceat(mean, s.first))
    views["episode_low"][...] += _total(np.minimum.reduceat(mean, s.first))
    average = _per_episode(reached, s.begin) / s.numbers[:, columns.LENGTH, None]
    change = end - begin
    views["episode_mean"][...] += _total(average)
    views["episode_mean_squared"][...] += _total(average * average)
    views["episode_mean_times_return"][...] += s.returns @ average
    views["episode_mean_times_time"][...] += s.time @ average
    views["episode_change_squared"][...] += _total(change * change)
    views["episode_change_times_return"][...] += s.returns @ change
    good = average[s.reward_steps > 0.0]
    views["rewarded_mean"][...] += _total(good)
    views["rewarded_mean_squared"][...] += _total(good * good)


def _events(s: _Steps, views: dict[str, Array], events: Sequence[Node]) -> None:
    for k, node in enumerate(events):
        held = evaluate_batch(node, s.rows[s.arrive], s.rows[s.leave], s.acted)
        true = held.max(axis=1) > 0.0
        which, first = s.firsts(true)
        views["event_episodes"][k] += float(len(which))
        views["event_rewarded"][k] += float((s.reward_steps[which] > 0.0).sum())
        views["event_first"][k] += float(first.sum())
        views["event_steps"][k] += float(true.sum())


def _terms(s: _Steps, views: dict[str, Array], values: Array) -> None:
    has = s.numbers[:, columns.HAS_TERMS] > 0.0
    if not has.any():
        return
    paid = s.block.paid[: s.count][has]
    add_scalars(values, [("term_episodes", float(has.sum()))])
    views["term"][...] += _total(paid)
    views["term_size"][...] += _total(np.abs(paid))
    views["term_squared"][...] += _total(paid * paid)
    views["term_times_return"][...] += s.returns[has] @ paid
    invalid = s.block.invalid[: s.count][has].max(axis=0)
    np.maximum(views["term_invalid"], invalid, out=views["term_invalid"])


assert AGGREGATES == ("mean", "min", "max")  # the order in _features
