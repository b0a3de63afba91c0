"""From a block of episodes to accumulators, all episodes of the block at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.behaviour import movement, targets
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.statistics import (
    AGGREGATES,
    MAX_CONDITIONS,
    Layout,
    add_scalars,
)
from also_wrappers.evidence.steps import Steps
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.language.parser import Node, parse

__all__ = ["accumulate", "parse_conditions"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

#: ``np.sum`` without its wrapper.
_total = np.add.reduce


def parse_conditions(named: Mapping[str, str], features: Sequence[str]) -> list[Node]:
    """Parses named expressions, as many as can be recorded at a time.

    Raises:
        ConfigurationError: One of them is not valid.

    Example:
        >>> len(parse_conditions({"near": "team_max(x) > 0.9"}, ["x"]))
        1
    """
    nodes = []
    for name, text in list(named.items())[:MAX_CONDITIONS]:
        try:
            nodes.append(parse(text, features, allow_delta=True))
        except AlsoError as error:
            raise ConfigurationError(f"condition {name!r}: {error}") from error
    return nodes


def accumulate(
    layout: Layout, values: Array, block: Block, conditions: Sequence[Node]
) -> None:
    """Adds the episodes of a block to accumulators, in place.

    Args:
        layout: Names and sizes of what is recorded.
        values: The accumulators.
        block: The episodes, which are not changed.
        conditions: Trees of the named expressions to look for.
    """
    if not block.count:
        return
    steps = Steps(layout, block)
    views = {name: layout.view(values, name) for name in layout.blocks}
    with np.errstate(all="ignore"):  # a feature may be nan; its numbers then are
        _episodes(steps, views, values)
        _conditions(steps, views, conditions)
        _terms(steps, views, values)
        in_detail = block.in_detail()
        if in_detail is not block:
            steps = Steps(layout, in_detail)
        if not in_detail.count:
            return
        _detail(steps, values)
        _agents(steps, views)
        _actions(steps, views, values)
        movement(steps, views, values)
        targets(steps, views, values)
        _features(steps, views)


def _episodes(s: Steps, views: dict[str, Array], values: Array) -> None:
    base, shaped = s.returns, s.episodes["shaped_return"]
    length, time = s.length, s.time
    _, first_reward = s.first_rewards
    add_scalars(
        values,
        [
            ("episodes", float(s.count)),
            ("steps", float(length.sum())),
            ("terminated", float(s.episodes["terminated"].sum())),
            ("rewarded", float(len(first_reward))),
            ("successes", float(s.episodes["success"].sum())),
            ("return", float(base.sum())),
            ("return_squared", float(base.dot(base))),
            ("shaped", float(shaped.sum())),
            ("shaped_squared", float(shaped.dot(shaped))),
            ("return_times_shaped", float(base.dot(shaped))),
            ("length", float(length.sum())),
            ("reward_steps", float(s.at_reward.sum())),
            ("first_reward", float(first_reward.sum())),
            ("rewarded_return", float(base[s.rewarded].sum())),
            ("added_size", float(np.abs(shaped - base).sum())),
            ("time", float(time.sum())),
            ("time_squared", float(time.dot(time))),
            ("return_times_time", float(base.dot(time))),
            ("shaped_times_time", float(shaped.dot(time))),
        ],
    )
    lowest, highest = views["return_min"], views["return_max"]
    np.minimum(lowest, base.min(), out=lowest)
    np.maximum(highest, base.max(), out=highest)
    views["agent_return"][...] += _total(s.base, axis=1)


def _detail(s: Steps, values: Array) -> None:
    """Adds what the numbers of behaviour are compared by."""
    base, time = s.returns, s.time
    add_scalars(
        values,
        [
            ("detailed", float(s.count)),
            ("detailed_steps", float(s.length.sum())),
            ("detailed_reward_steps", float(s.at_reward.sum())),
            ("detailed_return", float(base.sum())),
            ("detailed_return_squared", float(base.dot(base))),
            ("detailed_time", float(time.sum())),
            ("detailed_time_squared", float(time.dot(time))),
        ],
    )


def _agents(s: Steps, views: dict[str, Array]) -> None:
    """Adds whether an agent's own state moves, stays or goes back."""
    views["agent_steps"][...] += _total(s.acted, axis=1)
    views["pair_steps"][...] += _total(s.again, axis=1)
    own = list(s.layout.state)
    state = s.rows if len(own) == s.rows.shape[1] else s.rows[:, own]
    still = (state[:, :, 1:] == state[:, :, :-1]).all(axis=1)
    views["idle_steps"][...] += _total(still & s.acted, axis=1)
    back = (state[:, :, 2:] == state[:, :, :-2]).all(axis=1) & ~still[:, 1:]
    follows = s.acted[:, 1:] & s.valid[:-1]
    views["back_steps"][...] += _total(back & follows, axis=1)


def _actions(s: Steps, views: dict[str, Array], values: Array) -> None:
    actions = s.block.actions[1 : s.end].transpose(1, 2, 0).copy()
    change = np.abs(actions[:, :, 1:] - actions[:, :, :-1])
    views["action_change"][...] += _total(change * s.again[:, None], axis=2)
    taken = actions * s.acted[:, None]
    views["action"][...] += _total(taken, axis=2)
    views["action_squared"][...] += _total(taken * taken, axis=2)
    switched = np.zeros(s.again.shape, dtype=bool)
    starts = s.first  # an invalid step, after the last of an episode, adds nothing
    for i, sizes in enumerate(s.layout.actions):
        for d, size in enumerate(sizes):
            if size:
                _choices(s, views, actions[i, d], i, d, size)
                switched[i] |= change[i, d] > 0.0
            else:
                steps = np.maximum(np.add.reduceat(s.acted[i].astype(float), starts), 1)
                share = np.add.reduceat(taken[i, d], starts) / steps
                _episode_share(s, views, share[:, None], i, d)
    views["switch_steps"][...] += _total(switched & s.again, axis=1)
    if s.layout.alike:
        together = s.acted.all(axis=0)
        same = (actions == actions[:1]).all(axis=(0, 1)) & together
        amounts = ("same_action_steps", same), ("together_steps", together)
        add_scalars(values, [(name, float(mask.sum())) for name, mask in amounts])


def _choices(
    s: Steps, views: dict[str, Array], actions: Array, i: int, d: int, size: int
) -> None:
    """Adds how often each choice was made, in all and per episode."""
    acted = s.acted[i]
    chosen = np.clip(actions[acted].astype(np.int64), 0, size - 1)
    place = s.episode[1:][acted] * size + chosen
    counts = np.bincount(place, minlength=s.count * size).reshape(s.count, size)
    views["action_counts"][i, d, :size] += _total(counts)
    share = counts / np.maximum(_total(counts, axis=1), 1)[:, None]
    _episode_share(s, views, share, i, d)


def _episode_share(
    s: Steps, views: dict[str, Array], share: Array, i: int, d: int
) -> None:
    size = share.shape[1]
    views["episode_action"][i, d, :size] += _total(share)
    views["episode_action_squared"][i, d, :size] += _total(share * share)
    views["episode_action_times_return"][i, d, :size] += s.returns @ share


def _features(s: Steps, views: dict[str, Array]) -> None:
    rows, alive = s.rows, s.alive
    every = bool(alive.all())
    present = alive[:, None]
    known = rows if every else np.where(present, rows, 0.0)
    all_steps = s.weights[:, 0]
    reached = known[:, :, 1:]
    views["feature"][...] += reached @ all_steps
    views["feature_squared"][...] += (reached * reached) @ all_steps

    count = np.maximum(_total(alive), 1)
    mean = _total(known) / count
    least = (rows if every else np.where(present, rows, np.inf)).min(axis=0)
    most = (rows if every else np.where(present, rows, -np.inf)).max(axis=0)
    lowest, highest = views["feature_min"], views["feature_max"]
    np.minimum(lowest, least.min(axis=1), out=lowest)
    np.maximum(highest, most.max(axis=1), out=highest)
    apart = rows - mean
    squares = apart * apart if every else np.where(present, apart * apart, 0.0)
    spread = np.sqrt(_total(squares) / count)
    views["feature_spread"][...] += spread[:, 1:] @ all_steps
    _episode_features(s, views, mean)

    # The state that a step was taken from: what the reward was paid for.
    jump = mean[:, 1:] - mean[:, :-1]
    jumps, paid_jumps = (jump @ s.weights).T
    views["jump"][...] += jumps
    views["jump_at_reward"][...] += paid_jumps
    views["jump_squared"][...] += (jump * jump) @ all_steps
    team = np.stack((mean, least, most))[:, :, :-1]
    usual = team @ s.weights
    squares = (team * team) @ s.weights
    views["team"][...] += usual[:, :, 0]
    views["team_squared"][...] += squares[:, :, 0]
    views["team_at_reward"][...] += usual[:, :, 1]
    views["team_at_reward_squared"][...] += squares[:, :, 1]


def _episode_features(s: Steps, views: dict[str, Array], mean: Array) -> None:
    """Adds what the team's means did in each episode, and how that goes with return."""
    begin, end = mean[:, s.first], mean[:, s.last]
    views["feature_start"][...] += _total(begin, axis=1)
    views["feature_end"][...] += _total(end, axis=1)
    highs = np.maximum.reduceat(mean, s.first, axis=1)
    lows = np.minimum.reduceat(mean, s.first, axis=1)
    views["episode_high"][...] += _total(highs, axis=1)
    views["episode_low"][...] += _total(lows, axis=1)
    sums = np.add.reduceat(mean, s.first, axis=1) - begin
    average = sums / s.length
    change = end - begin
    views["episode_mean"][...] += _total(average, axis=1)
    views["episode_mean_squared"][...] += _total(average * average, axis=1)
    views["episode_mean_times_return"][...] += average @ s.returns
    views["episode_mean_times_time"][...] += average @ s.time
    views["episode_change_squared"][...] += _total(change * change, axis=1)
    views["episode_change_times_return"][...] += change @ s.returns


def _conditions(s: Steps, views: dict[str, Array], conditions: Sequence[Node]) -> None:
    rows, alive = s.block.rows[: s.end], s.block.alive[: s.end]
    for k, node in enumerate(conditions):
        value = evaluate_batch(node, rows[1:], rows[:-1], alive[1:])
        true = (value.max(axis=1) > 0.0) & s.valid
        which, first = s.firsts(true)
        views["condition_episodes"][k] += float(len(which))
        views["condition_rewarded"][k] += float(s.rewarded[which].sum())
        views["condition_first"][k] += float(first.sum())
        views["condition_steps"][k] += float(true.sum())
        views["condition_times_return"][k] += float(s.returns[which].sum())
        views["condition_times_time"][k] += float(s.time[which].sum())


def _terms(s: Steps, views: dict[str, Array], values: Array) -> None:
    has = s.block.has_terms[: s.count]
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
