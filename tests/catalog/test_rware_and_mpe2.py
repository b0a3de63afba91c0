"""Vocabularies of rware and mpe2 against the environments' own internals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpe2 import simple_spread_v3
from pettingzoo.test import parallel_api_test

from also_wrappers.catalog import mpe2, rware
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import FeatureMap, View
from also_wrappers.testing import Corridor


def play(env: Any, features: FeatureMap, steps: int) -> Any:
    """Random play; yields what the features say of every agent."""
    random = np.random.default_rng(1)
    observations, _ = env.reset(seed=1)
    for _ in range(steps):
        for i, agent in enumerate(env.possible_agents):
            row = features.row(View(observations[agent], None, {}, None))
            yield i, dict(zip(features.names, row, strict=True))
        actions = {a: int(random.integers(5)) for a in env.agents}
        observations, *_ = env.step(actions)
        if not env.agents:
            observations, _ = env.reset()


def test_rware_features_equal_the_world() -> None:
    env = rware.parallel_env("rware-tiny-2ag-v2")
    features = rware.features(env)
    inner: Any = env.env.unwrapped
    carried = False
    for i, got in play(env, features, 400):
        robot = inner.agents[i]
        place = (robot.y, robot.x)
        assert (got["x"], got["y"]) == (robot.x, robot.y)
        assert got["carrying"] == bool(robot.carrying_shelf)
        assert got["on_highway"] == bool(inner.highways[place])
        shelf = [s for s in inner.shelfs if (s.y, s.x) == place]
        assert got["shelf_here"] == bool(shelf)
        requested = [s for s in shelf if s in inner.request_queue]
        assert got["requested_here"] == bool(requested)
        near = [
            s
            for s in inner.request_queue
            if abs(s.x - robot.x) <= 1 and abs(s.y - robot.y) <= 1
        ]
        assert got["requested_near"] == len(near)
        other = inner.agents[1 - i]
        close = abs(other.x - robot.x) <= 1 and abs(other.y - robot.y) <= 1
        assert got["robots_near"] == close
        carried = carried or bool(robot.carrying_shelf)
    assert carried, "nothing was ever carried"


def test_rware_is_a_parallel_environment_that_times_out() -> None:
    parallel_api_test(rware.parallel_env("rware-tiny-2ag-v2"), 50)
    env = rware.parallel_env("rware-tiny-2ag-v2")
    env.reset(seed=0)
    cut: dict[str, bool] = {}
    steps = 0
    while env.agents:
        _, _, ended, cut, _ = env.step(dict.fromkeys(env.agents, 0))
        steps += 1
        assert not any(ended.values())
    assert steps == 500
    assert all(cut.values())


@pytest.mark.parametrize("agents", [2, 3])
def test_spread_distances_equal_the_world(agents: int) -> None:
    env = simple_spread_v3.parallel_env(N=agents, max_cycles=30)
    features = mpe2.spread_features(env)
    for i, got in play(env, features, 60):
        world = env.unwrapped.world
        own = world.agents[i].state
        for k, landmark in enumerate(world.landmarks):
            apart = np.linalg.norm(landmark.state.p_pos - own.p_pos)
            assert got[f"landmark{k}_distance"] == pytest.approx(apart, abs=1e-5)
        mates = [a.state.p_pos for j, a in enumerate(world.agents) if j != i]
        nearest = min(np.linalg.norm(mate - own.p_pos) for mate in mates)
        assert got["mate_distance"] == pytest.approx(nearest, abs=1e-5)
        assert got["speed"] == pytest.approx(np.linalg.norm(own.p_vel), abs=1e-5)


def test_other_layouts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no environment 'rware-x'"):
        rware.parallel_env("rware-x")
    with pytest.raises(ConfigurationError, match="not an environment of rware"):
        rware.parallel_env("CartPole-v1")
    with pytest.raises(ConfigurationError, match="simple_spread with 2 agents"):
        mpe2.spread_features(Corridor())
    wide: Any = rware.parallel_env("rware-tiny-2ag-v2")
    wide.observation_spaces = {
        agent: Corridor().observation_space(agent) for agent in wide.possible_agents
    }
    with pytest.raises(ConfigurationError, match="flattened observations of 71"):
        rware.features(wide)
