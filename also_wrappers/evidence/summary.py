"""From accumulators to evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.numbers import FAMILIES
from also_wrappers.evidence.numbers.counts import Counts, every_episode
from also_wrappers.evidence.numbers.coverage import visited
from also_wrappers.evidence.numbers.detail import detailed_episodes
from also_wrappers.evidence.numbers.family import Number
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.sums import Sums
from also_wrappers.signal.model import Signal

__all__ = ["summarise"]

Array = npt.NDArray[np.float64]

#: Fewer episodes than this say nothing about behaviour.
FEWEST_EPISODES = 20


def summarise(
    layout: Layout,
    values: Array,
    signal: Signal,
    conditions: Mapping[str, str] | None = None,
    *,
    has_success: bool = False,
    figures: Mapping[str, float | str] | None = None,
) -> Evidence:
    """Turns accumulators into evidence.

    Args:
        layout: Layout of ``values``.
        values: Merged accumulators of one window.
        signal: The signal that was active in it.
        conditions: Recorded expressions, in the order in which they were recorded.
        has_success: Whether the task declares what success is.
        figures: Numbers that no episode has, by key; a text says why there is none. See
            ``also_wrappers.evidence.numbers.stationarity``.

    Example:
        >>> layout = Layout(("a",), ("x",), ((5,),), (0,))
        >>> summarise(layout, layout.empty(), Signal()).insufficient
        ('0 episodes, at least 20 are needed',)
    """
    named = dict(conditions or {})
    sums = Sums(
        values, layout.blocks, layout, signal, named, has_success, figures or {}
    )
    numbers: dict[str, float] = {}
    unavailable: dict[str, str] = {}
    for key, number in _numbers(sums):
        if isinstance(number, str):
            unavailable[key] = number
        elif math.isfinite(number):
            numbers[key] = number
        else:
            unavailable[key] = "not finite"
    visits, visits_of = visited(sums)
    return Evidence(
        values=numbers,
        unavailable=unavailable,
        features=layout.features,
        agents=layout.agents,
        conditions=named,
        signal=signal,
        insufficient=_insufficient(sums),
        visits=visits,
        visits_of=visits_of,
    )


def _numbers(sums: Sums) -> Iterator[Number]:
    """Returns the numbers of all families, in the order of evidence."""
    if not every_episode(sums).episodes:
        yield from Counts().of_episodes(sums)
        return
    for family in FAMILIES:
        yield from family.of_episodes(sums)
    # Of no detailed episode, there is nothing to say of agents and features.
    nothing = not detailed_episodes(sums).episodes
    filled = [family for family in FAMILIES if not (family.in_detail and nothing)]
    for i in range(len(sums.scope.agents)):
        for family in filled:
            yield from family.of_agent(sums, i)
    if len(sums.scope.agents) > 1:
        for family in FAMILIES:
            yield from family.of_team(sums)
    for family in filled:
        yield from family.of_names(sums)


def _insufficient(sums: Sums) -> tuple[str, ...]:
    """Returns the reasons for which the numbers say nothing; none if they do."""
    episodes = detailed_episodes(sums).episodes
    if episodes >= FEWEST_EPISODES:
        return ()
    in_detail = " in detail" * (episodes < every_episode(sums).episodes)
    needed = f"at least {FEWEST_EPISODES} are needed"
    return (f"{episodes:.0f} episodes{in_detail}, {needed}",)
