"""The foraging vocabulary against the environment's own internals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import View


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
