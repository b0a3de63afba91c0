"""Actions of each agent: how they are spread, and what better episodes do."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import Accumulator, Accumulators, summed
from also_wrappers.evidence.effects import Basis, entropy, moments
from also_wrappers.evidence.numbers.detail import detailed_episodes, steps_of
from also_wrappers.evidence.numbers.family import DEVIATIONS, Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Actions", "choices_of_team"]

Array = npt.NDArray[np.float64]

#: Actions with more choices than this show their entropy only.
_MOST_CHOICES = 10

_total = np.add.reduce


class Actions(Family):
    """Every component of every agent's action, discrete or continuous."""

    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns numbers of each agent, component and choice.

        Those by ``episode`` are of each choice's share in an episode, or of the mean
        of a continuous component, in the place of the first choice.
        """
        agents, components = len(scope.agents), scope.components
        shape = agents, components, scope.choices
        return {
            "switch_steps": summed(agents),
            "action_counts": summed(*shape),
            "action": summed(agents, components),
            "action_squared": summed(agents, components),
            "action_change": summed(agents, components),
            "episode_action": summed(*shape),
            "episode_action_squared": summed(*shape),
            "episode_action_times_return": summed(*shape),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the actions of the steps, and their shares in each episode."""
        actions = steps.actions
        change = np.abs(actions[:, :, 1:] - actions[:, :, :-1])
        totals["action_change"][...] += _total(change * steps.again[:, None], axis=2)
        taken = actions * steps.acted[:, None]
        totals["action"][...] += _total(taken, axis=2)
        totals["action_squared"][...] += _total(taken * taken, axis=2)
        counts = totals["action_counts"]
        switched = np.zeros(steps.again.shape, dtype=bool)
        for i, sizes in enumerate(steps.scope.actions):
            for d, size in enumerate(sizes):
                if size:
                    chosen = _choices(steps, actions[i, d], i, size)
                    counts[i, d, :size] += _total(chosen)
                    share = chosen / np.maximum(_total(chosen, axis=1), 1)[:, None]
                    switched[i] |= change[i, d] > 0.0
                else:
                    share = _means(steps, taken[i, d], i)[:, None]
                _add_episodes(steps, totals, share, i, d)
        totals["switch_steps"][...] += _total(switched & steps.again, axis=1)

    def of_agent(self, sums: Sums, i: int) -> Iterator[Number]:
        """Returns how an agent acts, one component after the other."""
        agent, sizes = sums.scope.agents[i], sums.scope.actions[i]
        if not sizes:
            yield f"{agent}.action.entropy", "actions are not numbers"
            return
        if any(sizes):
            _, pairs = steps_of(sums, i)
            yield f"{agent}.action.switch_rate", sums.at("switch_steps", i) / pairs
        basis = detailed_episodes(sums)
        for d, size in enumerate(sizes):
            key = f"{agent}.action" if len(sizes) == 1 else f"{agent}.action_{d}"
            if size > 1:
                yield from _discrete(sums, basis, i, d, size, key)
            elif size == 0:
                yield from _continuous(sums, basis, i, d, key)

    meanings = {
        "*.action.entropy": Meaning("0 to 1", "0 for one action only, 1 for all alike"),
        "*.action.switch_rate": Meaning(
            "share", "steps with another action than before"
        ),
        "*.action.mean": Meaning("action", "mean of a continuous action"),
        "*.action.std": Meaning("action", "its standard deviation"),
        "*.action.change": Meaning("action", "mean size of its change in a step"),
        "*.action.better": Meaning(
            DEVIATIONS, "the action in better episodes minus worse"
        ),
        "*.action.*.share": Meaning("share", "steps with this choice"),
        "*.action.*.better": Meaning(
            DEVIATIONS, "that share in better episodes minus worse"
        ),
    }


def choices_of_team(sums: Sums) -> Array:
    """Returns how often each agent made each choice of its first component.

    Returns:
        Shape ``(agents, choices)``.
    """
    return sums["action_counts"][:, 0]


def _choices(steps: Steps, actions: Array, i: int, size: int) -> npt.NDArray[np.int64]:
    """Counts how often an agent made each choice, shape ``(episodes, choices)``."""
    acted = steps.acted[i]
    chosen = np.clip(actions[acted].astype(np.int64), 0, size - 1)
    place = steps.episode[1:][acted] * size + chosen
    counts = np.bincount(place, minlength=steps.count * size)
    return counts.reshape(steps.count, size)


def _means(steps: Steps, taken: Array, i: int) -> Array:
    """Returns the mean of an agent's continuous component in every episode."""
    starts = steps.first  # an invalid step, after the last of an episode, adds nothing
    count = np.add.reduceat(steps.acted[i].astype(float), starts)
    means: Array = np.add.reduceat(taken, starts) / np.maximum(count, 1)
    return means


def _add_episodes(
    steps: Steps, totals: Accumulators, share: Array, i: int, d: int
) -> None:
    """Adds shares or means of every episode, shape ``(episodes, choices)``."""
    size = share.shape[1]
    totals["episode_action"][i, d, :size] += _total(share)
    totals["episode_action_squared"][i, d, :size] += _total(share * share)
    totals["episode_action_times_return"][i, d, :size] += steps.returns @ share


def _discrete(
    sums: Sums, basis: Basis, i: int, d: int, size: int, key: str
) -> Iterator[Number]:
    counts = sums["action_counts"][i, d, :size]
    share = counts / max(float(counts.sum()), 1.0)
    yield f"{key}.entropy", entropy(share) / math.log(size)
    if size > _MOST_CHOICES:
        return
    for choice in range(size):
        yield f"{key}.{choice}.share", float(share[choice])
        yield f"{key}.{choice}.better", _better(sums, basis, i, d, choice)


def _continuous(sums: Sums, basis: Basis, i: int, d: int, key: str) -> Iterator[Number]:
    steps, pairs = steps_of(sums, i)
    squares = sums.at("action_squared", i, d)
    mean, std = moments(steps, sums.at("action", i, d), squares)
    yield f"{key}.mean", mean
    yield f"{key}.std", std
    yield f"{key}.change", sums.at("action_change", i, d) / pairs
    yield f"{key}.better", _better(sums, basis, i, d, 0)


def _better(sums: Sums, basis: Basis, i: int, d: int, choice: int) -> float | str:
    share = moments(
        basis.episodes,
        sums.at("episode_action", i, d, choice),
        sums.at("episode_action_squared", i, d, choice),
    )
    return basis.better(sums.at("episode_action_times_return", i, d, choice), share)
