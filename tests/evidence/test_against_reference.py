"""Blocks, merging and summary together give what plain loops over episodes give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.evidence import Layout, merge, summarise
from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.numbers.conditions import parse_conditions
from also_wrappers.evidence.recorder import Episode
from also_wrappers.signal import Feature, FeatureMap, Signal
from tests.support.reference_evidence import Story, expected

FEATURES = FeatureMap(
    Feature("x", "obs[0]", "", 0.0, 3.0),
    Feature("y", "obs[1]", "", 0.0, 3.0),
    Feature("food0_distance", "obs[2]"),
    Feature("food1_distance", "obs[3]"),
    Feature("food1_left", "obs[4]", "", 0.0, 1.0),
    Feature("push", "action"),
)
TEAMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "discrete": ((4,), (4,)),
    "mixed": ((4,), (3, 2), (0, 0)),
    "continuous": ((0, 0), (0, 0)),
    "alone": ((4,),),
}
CONDITIONS = {"high": "team_max(x) > 2.5"}


def make_episode(random: np.random.Generator, layout: Layout) -> Episode:
    """Random walks on a small grid; agents may die, the first last of all."""
    agents, length = len(layout.agents), int(random.integers(1, 12))
    rows = random.integers(0, 4, (length + 1, agents, len(layout.features)))
    rows = rows.astype(float)
    stay = random.random((length + 1, agents)) < 0.4
    for t in range(1, length + 1):
        rows[t, stay[t]] = rows[t - 1, stay[t]]
    rows[:, :, 4] = random.integers(0, 2, (length + 1, agents))
    alive = np.ones((length + 1, agents), dtype=bool)
    for i in range(1, agents):
        if random.random() < 0.4:
            alive[int(random.integers(1, length + 1)) + 1 :, i] = False
    actions = np.zeros((length, agents, layout.components))
    for i, sizes in enumerate(layout.actions):
        for d, size in enumerate(sizes):
            drawn = random.integers(0, max(size, 1), length)
            actions[:, i, d] = drawn if size else random.normal(size=length)
    paid = (random.random((length, agents)) < 0.15) & alive[1:]
    rewards = paid.astype(np.float64)
    base = float(rewards.sum()) / agents
    return Episode(
        base_return=base,
        shaped_return=base,
        length=length,
        success=False,
        terminated=True,
        rows=np.asarray(rows, dtype=np.float64),
        rewards=rewards,
        actions=actions,
        alive=alive,
        paid=None,
        invalid=(),
    )


def gather(layout: Layout, stories: list[Story], together: int) -> np.ndarray:
    """Accumulates in blocks of some episodes."""
    values = layout.empty()
    block = Block.empty(layout)
    nodes = parse_conditions(CONDITIONS, layout.features)
    for n, story in enumerate(stories, start=1):
        block.append(story.episode, story.episode.numbers(story.time))
        if n % together == 0:
            accumulate(layout, values, block, nodes)
            block.clear()
    accumulate(layout, values, block, nodes)
    return values


@pytest.mark.parametrize("team", TEAMS)
@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 9), st.integers(0, 24))
def test_it_is_what_plain_loops_give(
    team: str, seed: int, episodes: int, together: int, cut: int
) -> None:
    agents = tuple(f"agent_{i}" for i in range(len(TEAMS[team])))
    layout = Layout.declare(agents, FEATURES, TEAMS[team])
    assert layout.targets == ((2, -1), (3, 4))
    random = np.random.default_rng(seed)
    stories = [Story(make_episode(random, layout), 7 * n) for n in range(episodes)]
    parts = [gather(layout, part, together) for part in (stories[:cut], stories[cut:])]
    values = merge(layout, parts)
    whole = gather(layout, stories, together + 3)
    np.testing.assert_allclose(values, whole, atol=1e-9)
    np.testing.assert_array_equal(values, merge(layout, parts[::-1]))
    got = summarise(layout, values, Signal(), CONDITIONS).values
    wanted = expected(layout, stories, limit=2.5)
    if len(agents) == 1:
        wanted = {k: v for k, v in wanted.items() if not k.startswith("team.")}
    missing = [key for key in wanted if key not in got]
    assert not missing
    for key, value in wanted.items():
        assert got[key] == pytest.approx(value, abs=1e-6), key
