"""Episodes end for all, however each agent's own has ended."""

from __future__ import annotations

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)

from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

from also_wrappers.testing import Corridor
from also_wrappers.trainers.rllib import PettingZooEnv


def make_env() -> Corridor:
    return Corridor(limit=3, mortal=True)


def test_an_episode_ends_though_one_terminates_and_one_is_truncated() -> None:
    ours = PettingZooEnv({"make_env": make_env, "shape": lambda env: env})
    theirs = ParallelPettingZooEnv(make_env())
    for env, ends in ((ours, True), (theirs, False)):
        for seed in range(50):
            env.reset(seed=seed)
            env.step({"agent_0": 0, "agent_1": 0})
            env.step({"agent_0": 0, "agent_1": 0})
            _, _, terminated, truncated, _ = env.step({"agent_0": 1, "agent_1": 0})
            if terminated["agent_0"] and truncated["agent_1"]:
                break
        else:
            raise AssertionError("no episode ends in both ways")
        assert not terminated["__all__"]
        assert truncated["__all__"] == ends


def test_agents_that_have_left_are_not_waited_for() -> None:
    env = PettingZooEnv({"make_env": make_env, "shape": lambda env: env})
    assert env.possible_agents == ["agent_0", "agent_1"]
    env.reset(seed=0)
    for _ in range(3):
        actions = dict.fromkeys(env.agents, 1)
        _, _, terminated, truncated, _ = env.step(actions)
        if terminated["__all__"] or truncated["__all__"]:
            break
    assert env.agents == []
    assert terminated["__all__"] or truncated["__all__"]
