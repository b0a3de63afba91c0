"""The contract of a family of numbers, and what families owe to one another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from also_wrappers.evidence import Layout
from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.accumulators import Accumulators
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.meanings import pattern_of
from also_wrappers.evidence.numbers import FAMILIES, SCALARS, Family
from also_wrappers.evidence.numbers.conditions import parse_conditions
from also_wrappers.evidence.numbers.coverage import visited
from also_wrappers.evidence.numbers.stationarity import expert_figures, policy_figures
from also_wrappers.evidence.recorder import Episode
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.trainer import Imitated

FEATURES = FeatureMap(
    Feature("x", "obs[0]", "", 0.0, 3.0),
    Feature("y", "obs[1]", "", 0.0, 3.0),
    Feature("food0_distance", "obs[2]"),
    Feature("food1_distance", "obs[3]"),
    Feature("food1_left", "obs[4]"),
)
PLAIN = FeatureMap(*[Feature(name, f"obs[{k}]") for k, name in enumerate("xyabc")])
TEAMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "discrete": ((4,), (4,)),
    "mixed": ((4,), (3, 2), (0, 0)),
    "no numbers": ((), ()),
    "alone": ((0,),),
}
CONDITIONS = {"high": "team_max(x) > 2.5", "never": "x > 9"}
SIGNAL = Signal(
    terms=tuple(
        Term(name=name, kind="bonus", expression="x", weight=1.0) for name in ("a", "b")
    )
)
by_family = pytest.mark.parametrize(
    "family", FAMILIES, ids=[type(family).__name__ for family in FAMILIES]
)


def layout_of(team: str, features: FeatureMap = FEATURES) -> Layout:
    agents = tuple(f"agent_{i}" for i in range(len(TEAMS[team])))
    return Layout.declare(agents, features, TEAMS[team])


def block_of(layout: Layout, *, paid: bool = True) -> Block:
    """Thirty episodes, some not in detail, with rewards and two foods or without."""
    random = np.random.default_rng(0)
    block = Block.empty(layout)
    agents = len(layout.agents)
    for number in range(30):
        length = int(random.integers(2, 9))
        rows = random.integers(0, 4, (length + 1, agents, 5)).astype(float)
        rows[:, :, 4] = paid
        rows[1 : 1 + number % 3] = rows[0]  # stays for a while
        rows[-1] = rows[-3]  # goes back
        actions = random.integers(0, 3, (length, agents, layout.components))
        rewards = (random.random((length, agents)) < 0.2 * paid).astype(float)
        alive = np.ones((length + 1, agents), dtype=bool)
        alive[length // 2 + 1 :, 1:] = number % 4 > 0
        base = float(rewards.sum()) / agents
        added = random.normal(size=2).tolist()
        episode = Episode(
            base_return=base,
            shaped_return=base + sum(added),
            length=length,
            success=base > 0.0,
            terminated=True,
            rows=rows,
            rewards=rewards,
            actions=actions.astype(float),
            alive=alive,
            paid=added,
            invalid=[number, 0],
        )
        block.append(episode, episode.numbers(10 * number))
        block.detailed[number] = number % 5 > 0
    return block


class Watched(Sums):
    """Sums that remember which accumulators were read or written."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        self.names.add(name)
        return super().__getitem__(name)

    def add(self, amounts: Mapping[str, float]) -> None:
        self.names.update(amounts)
        super().add(amounts)


def watch(layout: Layout, values: npt.NDArray[np.float64]) -> Watched:
    figures = policy_figures(layout.agents, [0.1] * len(layout.agents), 0.3)
    imitated = Imitated(1.0, (1,) * len(layout.agents), (0.5,) * len(layout.agents))
    figures |= expert_figures(layout.agents, {"return": 0.8}, [imitated])
    return Watched(values, layout.blocks, layout, SIGNAL, CONDITIONS, True, figures)


def fill(family: Family, layout: Layout, block: Block) -> Watched:
    """Lets one family alone add a block."""
    totals = watch(layout, layout.empty())
    nodes = parse_conditions(CONDITIONS, layout.features)
    part = block.in_detail() if family.in_detail else block
    with np.errstate(all="ignore"):
        family.add(Steps(layout, part, nodes), totals)
    return totals


def windows() -> Iterator[Watched]:
    """The sums of windows in which numbers are there, and of some where they miss."""
    for team, features, paid in itertools.product(
        TEAMS, (FEATURES, PLAIN), (True, False)
    ):
        layout = layout_of(team, features)
        values = layout.empty()
        nodes = parse_conditions(CONDITIONS, layout.features)
        accumulate(layout, values, block_of(layout, paid=paid), nodes)
        yield watch(layout, values)


def numbers_of(family: Family, sums: Sums) -> dict[str, float | str]:
    agents = range(len(sums.scope.agents))
    numbers = [*family.of_episodes(sums), *family.of_names(sums)]
    numbers += [number for i in agents for number in family.of_agent(sums, i)]
    if len(agents) > 1:
        numbers += family.of_team(sums)
    repeated = [key for key, n in Counter(key for key, _ in numbers).items() if n > 1]
    assert repeated == []
    return dict(numbers)


def accumulators_of(family: Family) -> set[str]:
    return {*family.scalars, *family.arrays(layout_of("mixed"))}


@by_family
def test_the_keys_of_a_family_are_those_that_it_gives_a_meaning(family: Family) -> None:
    keys = {key for sums in windows() for key in numbers_of(family, sums)}
    assert {pattern_of(key) for key in keys} == set(family.meanings)
    for meaning in family.meanings.values():
        assert meaning.unit
        assert meaning.text
        assert "\n" not in meaning.text


@by_family
def test_a_number_is_a_float_or_the_reason_why_there_is_none(family: Family) -> None:
    for sums in windows():
        for key, number in numbers_of(family, sums).items():
            assert type(number) in (float, str), key
            assert number != ""


@by_family
def test_a_family_adds_to_all_of_its_accumulators_and_to_no_other(
    family: Family,
) -> None:
    touched: set[str] = set()
    for team in TEAMS:
        layout = layout_of(team)
        totals = fill(family, layout, block_of(layout))
        touched |= totals.names
        for name in set(layout.blocks) - accumulators_of(family):
            empty = layout.view(layout.empty(), name)
            np.testing.assert_array_equal(totals[name], empty, name)
    assert touched == accumulators_of(family)


@by_family
@pytest.mark.parametrize("team", TEAMS)
def test_a_family_alone_adds_what_it_adds_among_all(family: Family, team: str) -> None:
    layout = layout_of(team)
    values = layout.empty()
    block = block_of(layout)
    accumulate(layout, values, block, parse_conditions(CONDITIONS, layout.features))
    alone = fill(family, layout, block)
    for name in accumulators_of(family):
        np.testing.assert_array_equal(alone[name], layout.view(values, name), name)


def test_whatever_is_added_up_is_read() -> None:
    read: set[str] = set()
    for sums in windows():
        visited(sums)
        for family in FAMILIES:
            numbers_of(family, sums)
        read |= sums.names
    assert read == set(layout_of("mixed").blocks)


def test_no_accumulator_and_no_key_belongs_to_two_families() -> None:
    accumulators = [name for family in FAMILIES for name in accumulators_of(family)]
    assert len(accumulators) == len(set(accumulators)) > 50
    patterns = [pattern for family in FAMILIES for pattern in family.meanings]
    assert len(patterns) == len(set(patterns)) > 50
    for sums in windows():
        keys = [key for family in FAMILIES for key in numbers_of(family, sums)]
        assert len(keys) == len(set(keys))


def test_single_numbers_come_first_in_every_layout() -> None:
    for team in TEAMS:
        layout = layout_of(team)
        values = np.arange(float(layout.size))
        assert [layout.scalar(values, name) for name in SCALARS] == [
            float(place) for place in range(len(SCALARS))
        ]
        assert Accumulators(values, layout.blocks).at(SCALARS[-1]) == len(SCALARS) - 1
