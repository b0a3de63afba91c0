"""The vocabulary of rware against the environment's own internals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pettingzoo.test import parallel_api_test

from also_wrappers.catalog import rware
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.testing import Corridor
from also_wrappers.wrappers import wrap
from tests.support.experts import earned, recorded
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


STEPS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


def test_what_is_around_a_robot_equals_the_world() -> None:
    env = rware.parallel_env("rware-tiny-2ag-v2")
    features = rware.features(env, experts=True)
    inner: Any = env.env.unwrapped
    rows, columns = inner.grid_size
    seen: Counter[str] = Counter()
    for i, got in play(env, features, 400):
        robot, other = inner.agents[i], inner.agents[1 - i]
        for name, (right, down) in STEPS.items():
            there = (robot.x + right, robot.y + down)
            shelves = [s for s in inner.shelfs if (s.x, s.y) == there]
            inside = 0 <= there[0] < columns and 0 <= there[1] < rows
            met = (other.x, other.y) == there
            behind = robot.carrying_shelf and shelves
            expected = {
                f"heading_{name}": robot.dir.name.lower() == name,
                f"shelf_{name}": bool(shelves),
                f"requested_{name}": any(s in inner.request_queue for s in shelves),
                f"robot_{name}": met,
                f"blocked_{name}": bool(met or behind or not inside),
            }
            for feature, value in expected.items():
                assert got[feature] == value, feature
                seen[feature] += value
        goals = [(y - robot.y, x - robot.x) for x, y in inner.goals]
        length = abs(got["goal_dy"]) + abs(got["goal_dx"])
        assert (got["goal_dy"], got["goal_dx"]) in goals
        assert length == min(abs(dy) + abs(dx) for dy, dx in goals)
    assert all(
        seen[f"{what}_{name}"] for what in ("heading", "shelf") for name in STEPS
    )


def test_to_go_somewhere_is_to_turn_and_drive_there() -> None:
    env = rware.parallel_env("rware-tiny-2ag-v2")
    features, actions = rware.features(env, experts=True), rware.actions(env)
    inner: Any = env.env.unwrapped
    for name, (right, down) in STEPS.items():
        signal = Signal(expert=Expert(rules=(Rule(when="1", do=f"go {name}"),)))
        shaped = wrap(env, features, signal=signal, actions=actions)
        for seed in range(8):
            _, infos = shaped.reset(seed=seed)
            robot = inner.agents[0]
            start = (robot.x, robot.y)
            there = (
                min(max(robot.x + right, 0), inner.grid_size[1] - 1),
                min(max(robot.y + down, 0), inner.grid_size[0] - 1),
            )
            blocked = (inner.agents[1].x, inner.agents[1].y) == there
            for _ in range(3):
                bits = infos["agent_0"]["shaping"]["advice"]
                chosen = bits.bit_length() - 1
                *_, infos = shaped.step({"agent_0": chosen, "agent_1": 0})
                if chosen == 1:
                    break
            assert (robot.x, robot.y) == (start if blocked else there)


def test_a_recorded_expert_delivers() -> None:
    env = rware.parallel_env("rware-tiny-2ag-v2")
    features, actions = rware.features(env, experts=True), rware.actions(env)
    assert earned(env, features, actions, recorded("warehouse"), 1) >= 8.0


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
