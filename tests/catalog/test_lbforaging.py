"""The foraging vocabulary against the environment's own internals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import View
from tests.support.experts import earned, recorded
from tests.support.play import play


@pytest.mark.parametrize(
    "env_id", ["Foraging-8x8-2p-2f-coop-v3", "Foraging-10x10-3p-3f-v3"]
)
def test_distances_equal_those_of_the_world(env_id: str) -> None:
    env = lbforaging.parallel_env(env_id)
    features = lbforaging.features(env)
    inner: Any = env.env.unwrapped
    scale = sum(inner.field_size)
    random = np.random.default_rng(0)
    seen_left = set()
    for episode in range(8):
        observations, _ = env.reset(seed=episode)
        while env.agents:
            foods = list(zip(*np.nonzero(inner.field), strict=True))
            seen_left.add(len(foods))
            places = [player.position for player in inner.players]
            for i, agent in enumerate(env.possible_agents):
                row = features.row(View(observations[agent], None, {}, None))
                got = dict(zip(features.names, row, strict=True))

                def steps(a: Any, b: Any) -> float:
                    return float(abs(a[0] - b[0]) + abs(a[1] - b[1]) - 1)

                assert got["foods_left"] == len(foods)
                assert got["level"] == inner.players[i].level
                mates = [p for j, p in enumerate(places) if j != i]
                assert got["mate_distance"] * scale == pytest.approx(
                    min(steps(places[i], mate) for mate in mates)
                )
                if not foods:
                    assert got["nearest_food_distance"] == 0.0
                    continue
                own = [steps(places[i], food) for food in foods]
                team = [sum(steps(p, food) for p in places) for food in foods]
                shared = own[int(np.argmin(team))]
                assert got["nearest_food_distance"] * scale == pytest.approx(min(own))
                assert got["shared_food_distance"] * scale == pytest.approx(shared)
                assert got["food0_distance"] * scale == pytest.approx(own[0])
                assert got[f"food{len(foods) - 1}_left"] == 1.0
            if random.random() < 0.05 and foods:
                inner.field[foods[0]] = 0  # as if it had been collected
                inner._gen_valid_moves()
            actions = {agent: random.choice([1, 2, 3, 4, 5, 5]) for agent in env.agents}
            observations, *_ = env.step(actions)
    assert len(seen_left) > 1


def test_time_outs_are_truncations_and_the_team_is_paid_together() -> None:
    env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
    env.reset(seed=0)
    steps = 0
    while env.agents:
        _, rewards, ended, cut, _ = env.step(dict.fromkeys(env.agents, 0))
        steps += 1
        assert set(rewards.values()) == {0.0}
    assert steps == 50
    assert all(cut.values())
    assert not any(ended.values())


def test_the_adapter_is_a_parallel_environment() -> None:
    parallel_api_test(lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3"), 200)


@pytest.mark.parametrize("env_id", ["Foraging-9000x1-v3", "CartPole-v1", "nonsense"])
def test_unknown_environments_are_refused(env_id: str) -> None:
    with pytest.raises(ConfigurationError, match="foraging"):
        lbforaging.parallel_env(env_id)


@pytest.mark.parametrize(
    "env_id", ["Foraging-8x8-2p-2f-coop-v3", "Foraging-10x10-3p-3f-v3"]
)
def test_offsets_and_what_blocks_a_move_equal_those_of_the_world(env_id: str) -> None:
    env = lbforaging.parallel_env(env_id)
    features = lbforaging.features(env, experts=True)
    assert features.names[: len(lbforaging.features(env))] == (
        lbforaging.features(env).names
    )
    inner: Any = env.env.unwrapped
    rows, columns = inner.field_size
    blocked = 0
    for i, got in play(env, features, 300):
        own = inner.players[i].position
        others = [p.position for j, p in enumerate(inner.players) if j != i]
        foods = list(zip(*np.nonzero(inner.field), strict=True))
        for k, food in enumerate(foods):
            assert got[f"food{k}_dy"] == pytest.approx((food[0] - own[0]) / rows)
            assert got[f"food{k}_dx"] == pytest.approx((food[1] - own[1]) / columns)
        mates = [((y - own[0]) / rows, (x - own[1]) / columns) for y, x in others]
        mate = (got["mate_dy"], got["mate_dx"])
        assert min(abs(mate[0] - y) + abs(mate[1] - x) for y, x in mates) < 1e-6
        for name, (down, right) in {
            "up": (-1, 0),
            "down": (1, 0),
            "left": (0, -1),
            "right": (0, 1),
        }.items():
            there = (own[0] + down, own[1] + right)
            inside = 0 <= there[0] < rows and 0 <= there[1] < columns
            free = inside and there not in others and there not in foods
            assert got[f"blocked_{name}"] == float(not free)
            blocked += not free
    assert blocked > 50


def test_actions_do_what_their_names_say() -> None:
    env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
    inner: Any = env.env.unwrapped
    moved = set()
    for action in lbforaging.actions(env).actions:
        for seed in range(20):
            env.reset(seed=seed)
            before = [player.position for player in inner.players]
            env.step(dict.fromkeys(env.agents, action.index))
            for player, (y, x) in zip(inner.players, before, strict=True):
                # In the units of the offsets: sides of the field.
                step = ((player.position[0] - y) / 8, (player.position[1] - x) / 8)
                assert step in ((0, 0), action.step)
                moved.add(step)
    assert len(moved) == 5


def test_a_recorded_expert_collects_the_foods() -> None:
    env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
    features = lbforaging.features(env, experts=True)
    actions = lbforaging.actions(env)
    assert earned(env, features, actions, recorded("foraging"), 20) > 0.8


def test_experts_have_to_see_the_whole_field() -> None:
    env = lbforaging.parallel_env("Foraging-2s-8x8-2p-2f-coop-v3")
    lbforaging.features(env)
    with pytest.raises(ConfigurationError, match="agents see 2 cells"):
        lbforaging.features(env, experts=True)
