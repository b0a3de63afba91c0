"""The vocabulary of rware against the environment's own internals."""

from __future__ import annotations

from typing import Any

import pytest
from pettingzoo.test import parallel_api_test

from also_wrappers.catalog import rware
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.testing import Corridor
from tests.support.play import play


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


def test_other_layouts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no environment 'rware-x'"):
        rware.parallel_env("rware-x")
    with pytest.raises(ConfigurationError, match="not an environment of rware"):
        rware.parallel_env("CartPole-v1")
    wide: Any = rware.parallel_env("rware-tiny-2ag-v2")
    wide.observation_spaces = {
        agent: Corridor().observation_space(agent) for agent in wide.possible_agents
    }
    with pytest.raises(ConfigurationError, match="flattened observations of 71"):
        rware.features(wide)
