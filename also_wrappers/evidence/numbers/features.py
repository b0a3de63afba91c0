"""Features: what values they have, what better episodes have, what rewards follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import (
    Accumulator,
    Accumulators,
    highest,
    lowest,
    summed,
)
from also_wrappers.evidence.effects import Basis, effect, moments
from also_wrappers.evidence.numbers.detail import (
    detailed_episodes,
    steps_of_all,
    steps_of_team,
)
from also_wrappers.evidence.numbers.family import DEVIATIONS, Family, Meaning, Number
from also_wrappers.evidence.numbers.outcomes import NO_REWARD
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Features"]

Array = npt.NDArray[np.float64]

#: How a feature of several agents becomes one number of the team.
_AGGREGATES = ("mean", "min", "max")

_total = np.add.reduce


class Features(Family):
    """Every feature, of each agent and of the team."""

    scalars = ("detailed_reward_steps",)
    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns numbers of each feature, agent and aggregate over the team.

        Those by ``episode`` are of the team's mean in an episode, those ``at_reward``
        of the state that a rewarded step was taken from, and a ``jump`` is the change
        of the team's mean in a step.
        """
        features = len(scope.features)
        by_agent = len(scope.agents), features
        by_aggregate = len(_AGGREGATES), features
        return {
            "feature": summed(*by_agent),
            "feature_squared": summed(*by_agent),
            "feature_min": lowest(features),
            "feature_max": highest(features),
            "feature_spread": summed(features),
            "feature_start": summed(features),
            "feature_end": summed(features),
            "episode_high": summed(features),
            "episode_low": summed(features),
            "episode_mean": summed(features),
            "episode_mean_squared": summed(features),
            "episode_mean_times_return": summed(features),
            "episode_mean_times_time": summed(features),
            "episode_change_squared": summed(features),
            "episode_change_times_return": summed(features),
            "team": summed(*by_aggregate),
            "team_squared": summed(*by_aggregate),
            "team_at_reward": summed(*by_aggregate),
            "jump": summed(features),
            "jump_squared": summed(features),
            "jump_at_reward": summed(features),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the features of the steps, of each agent and of the team."""
        rows, alive = steps.rows, steps.alive
        every = bool(alive.all())
        present = alive[:, None]
        known = rows if every else np.where(present, rows, 0.0)
        all_steps = steps.weights[:, 0]
        reached = known[:, :, 1:]
        totals["feature"][...] += reached @ all_steps
        totals["feature_squared"][...] += (reached * reached) @ all_steps

        count = np.maximum(_total(alive), 1)
        mean = _total(known) / count
        least = (rows if every else np.where(present, rows, np.inf)).min(axis=0)
        most = (rows if every else np.where(present, rows, -np.inf)).max(axis=0)
        smallest, largest = totals["feature_min"], totals["feature_max"]
        np.minimum(smallest, least.min(axis=1), out=smallest)
        np.maximum(largest, most.max(axis=1), out=largest)
        if len(rows) > 1:
            apart = rows - mean
            squares = apart * apart if every else np.where(present, apart * apart, 0.0)
            spread = np.sqrt(_total(squares) / count)
            totals["feature_spread"][...] += spread[:, 1:] @ all_steps
        _add_episodes(steps, totals, mean)
        _add_before_reward(steps, totals, np.stack((mean, least, most)))

    def of_names(self, sums: Sums) -> Iterator[Number]:
        """Returns the numbers of one feature after the other."""
        basis = detailed_episodes(sums)
        for f, name in enumerate(sums.scope.features):
            yield from _values(sums, basis, f, f"feature.{name}")
            yield from _effects(sums, basis, f, f"feature.{name}")
            yield from _before_reward(sums, f, f"feature.{name}")

    meanings = {
        "feature.*.mean": Meaning("feature", "mean over agents and steps"),
        "feature.*.std": Meaning("feature", "standard deviation over agents and steps"),
        "feature.*.min": Meaning("feature", "smallest value seen"),
        "feature.*.max": Meaning("feature", "largest value seen"),
        "feature.*.start": Meaning("feature", "team mean at the start of an episode"),
        "feature.*.end": Meaning("feature", "team mean at its end"),
        "feature.*.change": Meaning("feature", "end minus start"),
        "feature.*.lowest": Meaning("feature", "smallest team mean of an episode"),
        "feature.*.highest": Meaning("feature", "largest team mean of an episode"),
        "feature.*.spread": Meaning("feature", "standard deviation between agents"),
        "feature.*.alike": Meaning("-1 to 1", "correlation between agents at a step"),
        "feature.*.better": Meaning(
            DEVIATIONS, "its mean in better episodes minus worse"
        ),
        "feature.*.better_error": Meaning(DEVIATIONS, "standard error of that"),
        "feature.*.change_better": Meaning(
            DEVIATIONS, "its change in better episodes minus worse"
        ),
        "feature.*.late": Meaning(DEVIATIONS, "its mean in late episodes minus early"),
        "feature.*.reward_mean": Meaning(DEVIATIONS, "team mean just before a reward"),
        "feature.*.reward_min": Meaning(
            DEVIATIONS, "smallest in the team just before a reward"
        ),
        "feature.*.reward_max": Meaning(
            DEVIATIONS, "largest in the team just before a reward"
        ),
        "feature.*.reward_jump": Meaning(
            "feature", "its change by a paid step, from usual"
        ),
        "feature.*.jump_std": Meaning(
            "feature", "standard deviation of its change in a step"
        ),
    }


def _add_episodes(steps: Steps, totals: Accumulators, mean: Array) -> None:
    """Adds what the team's means did in each episode, and how that goes with return."""
    first = steps.first
    begin, end = mean[:, first], mean[:, steps.last]
    totals["feature_start"][...] += _total(begin, axis=1)
    totals["feature_end"][...] += _total(end, axis=1)
    highs = np.maximum.reduceat(mean, first, axis=1)
    lows = np.minimum.reduceat(mean, first, axis=1)
    totals["episode_high"][...] += _total(highs, axis=1)
    totals["episode_low"][...] += _total(lows, axis=1)
    sums = np.add.reduceat(mean, first, axis=1) - begin
    average = sums / steps.length
    change = end - begin
    totals["episode_mean"][...] += _total(average, axis=1)
    totals["episode_mean_squared"][...] += _total(average * average, axis=1)
    totals["episode_mean_times_return"][...] += average @ steps.returns
    totals["episode_mean_times_time"][...] += average @ steps.time
    totals["episode_change_squared"][...] += _total(change * change, axis=1)
    totals["episode_change_times_return"][...] += change @ steps.returns


def _add_before_reward(steps: Steps, totals: Accumulators, team: Array) -> None:
    """Adds the states that steps were taken from, all of them and the rewarded ones.

    Args:
        steps: The steps.
        totals: The accumulators.
        team: By aggregate over the team, shape ``(aggregates, features, rows)``.
    """
    totals.add({"detailed_reward_steps": float(steps.at_reward.sum())})
    jump = team[0, :, 1:] - team[0, :, :-1]
    jumps, paid_jumps = (jump @ steps.weights).T
    totals["jump"][...] += jumps
    totals["jump_at_reward"][...] += paid_jumps
    totals["jump_squared"][...] += (jump * jump) @ steps.weights[:, 0]
    before = team[:, :, :-1]
    usual = before @ steps.weights
    totals["team"][...] += usual[:, :, 0]
    totals["team_at_reward"][...] += usual[:, :, 1]
    squares = (before * before) @ steps.weights
    totals["team_squared"][...] += squares[:, :, 0]


def _values(sums: Sums, basis: Basis, f: int, key: str) -> Iterator[Number]:
    """Returns what values a feature has, by agents, steps and episodes."""
    episodes = basis.episodes
    total = float(sums["feature"][:, f].sum())
    squares = float(sums["feature_squared"][:, f].sum())
    mean, std = moments(steps_of_all(sums), total, squares)
    yield f"{key}.mean", mean
    yield f"{key}.std", std
    yield f"{key}.min", sums.at("feature_min", f)
    yield f"{key}.max", sums.at("feature_max", f)
    start, end = _start_and_end(sums, basis, f)
    yield f"{key}.start", start
    yield f"{key}.end", end
    yield f"{key}.change", end - start
    yield f"{key}.lowest", sums.at("episode_low", f) / episodes
    yield f"{key}.highest", sums.at("episode_high", f) / episodes
    agents = len(sums.scope.agents)
    if agents > 1:
        yield f"{key}.spread", sums.at("feature_spread", f) / steps_of_team(sums)
        _, between = _usual(sums, 0, f)
        if std > 1e-12:
            alike = (agents * (between / std) ** 2 - 1.0) / (agents - 1.0)
            yield f"{key}.alike", max(-1.0, min(1.0, alike))


def _effects(sums: Sums, basis: Basis, f: int, key: str) -> Iterator[Number]:
    """Returns how a feature differs between episodes."""
    count = basis.episodes
    squares = sums.at("episode_mean_squared", f)
    average = moments(count, sums.at("episode_mean", f), squares)
    both = sums.at("episode_mean_times_return", f)
    yield f"{key}.better", basis.better(both, average)
    better = effect(count, both, average, basis.returns)
    if better is not None:
        yield f"{key}.better_error", better[1]
    start, end = _start_and_end(sums, basis, f)
    squares = sums.at("episode_change_squared", f)
    change = moments(count, count * (end - start), squares)
    both = sums.at("episode_change_times_return", f)
    yield f"{key}.change_better", basis.better(both, change)
    yield f"{key}.late", basis.late(sums.at("episode_mean_times_time", f), average)


def _before_reward(sums: Sums, f: int, key: str) -> Iterator[Number]:
    """Returns how a feature differs just before a reward."""
    rewards = sums.at("detailed_reward_steps")
    if not rewards:
        yield f"{key}.reward_mean", NO_REWARD
        return
    for g, aggregate in enumerate(_AGGREGATES):
        usual, std = _usual(sums, g, f)
        if std > 1e-12:
            paid = sums.at("team_at_reward", g, f) / rewards
            yield f"{key}.reward_{aggregate}", (paid - usual) / std
    squares = sums.at("jump_squared", f)
    usual, std = moments(steps_of_team(sums), sums.at("jump", f), squares)
    yield f"{key}.reward_jump", sums.at("jump_at_reward", f) / rewards - usual
    yield f"{key}.jump_std", std


def _start_and_end(sums: Sums, basis: Basis, f: int) -> tuple[float, float]:
    """Returns a feature's team mean at the start and the end of an episode."""
    start, end = sums.at("feature_start", f), sums.at("feature_end", f)
    return start / basis.episodes, end / basis.episodes


def _usual(sums: Sums, g: int, f: int) -> tuple[float, float]:
    """Returns mean and standard deviation over steps of an aggregate of a feature."""
    squares = sums.at("team_squared", g, f)
    return moments(steps_of_team(sums), sums.at("team", g, f), squares)
