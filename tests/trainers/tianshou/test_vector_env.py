"""Parallel environments as environments of Tianshou."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("tianshou")

from tianshou.algorithm import PPO
from tianshou.data import Collector

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.testing import Corridor
from also_wrappers.trainers.tianshou import ParallelVectorEnv
from tests.support.tianshou import make_discrete


def test_every_agent_of_every_copy_is_an_index() -> None:
    env = ParallelVectorEnv([lambda: Corridor(length=9)] * 2)
    alone = Corridor(length=9)
    env.seed(5)
    alone.reset(seed=6)
    seen, _ = env.reset()
    expected, _ = alone.reset()
    assert len(env) == 4
    assert env.agents_per_env == 2
    for moves in ((2, 1), (2, 2), (0, 2)):
        assert [row.tolist() for row in seen[2:]] == [
            expected[agent].tolist() for agent in alone.possible_agents
        ]
        seen, paid, ended, cut, infos = env.step(np.array([1, 1, *moves]))
        expected, *_ = alone.step(dict(zip(alone.possible_agents, moves, strict=True)))
        assert [*paid, *ended, *cut] == [0.0] * 12
        assert len(infos) == 4


def test_ends_and_time_outs_are_told_apart() -> None:
    env = ParallelVectorEnv([lambda: Corridor(length=3, limit=4)] * 2)
    env.reset()
    for _ in range(2):
        _, paid, ended, cut, _ = env.step(np.array([2, 2, 0, 0]))
    assert paid.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert ended.tolist() == [True, True, False, False]
    env.reset(np.array([0, 1]))
    for _ in range(2):
        _, _, ended, cut, _ = env.step(np.array([0, 0, 0, 0]))
    assert ended.tolist() == [False] * 4
    assert cut.tolist() == [False, False, True, True]


def test_who_ends_early_sees_zeros_until_all_end() -> None:
    env = ParallelVectorEnv([lambda: Corridor(length=3, limit=3, mortal=True)])
    env.seed(0)
    env.reset()
    env.step(np.array([1, 2]))
    seen, paid, ended, cut, _ = env.step(np.array([2, 0]))
    assert seen[0].tolist() == [0.0, 0.0]
    assert not (ended | cut).any()
    _, paid, ended, cut, _ = env.step(np.array([2, 0]))
    assert paid[0] == 0.0
    assert (ended | cut).all()
    assert ended[0]
    assert ended[1] != cut[1]


def test_a_collector_plays_whole_episodes() -> None:
    env = ParallelVectorEnv([lambda: Corridor(length=4, limit=8)] * 3)
    collector = Collector(make_discrete(PPO, env), env)
    collector.reset()
    assert len(collector.collect(n_episode=8).returns) == 8


def test_half_a_copy_cannot_be_stepped() -> None:
    env = ParallelVectorEnv([Corridor] * 2)
    env.reset()
    with pytest.raises(ConfigurationError, match="'agent_1' was left out"):
        env.step(np.array([0, 0, 0]), np.array([0, 1, 2]))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="DummyVectorEnv"):
        ParallelVectorEnv([lambda: gym.make("CartPole-v1")])
    with pytest.raises(ConfigurationError, match="env_fns is empty"):
        ParallelVectorEnv([])
