"""The vocabularies of mpe2 against the environments' own internals."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from mpe2 import (
    simple_reference_v3,
    simple_speaker_listener_v4,
    simple_spread_v3,
    simple_tag_v3,
)

from also_wrappers.catalog import mpe2
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.testing import Corridor
from also_wrappers.wrappers import wrap
from tests.support.experts import recorded
from tests.support.play import play


def apart(one: Any, other: Any) -> Any:
    """The distance of two things in the world, as the observations round it."""
    return pytest.approx(np.linalg.norm(one.state.p_pos - other.state.p_pos), abs=1e-5)


def speed(agent: Any) -> Any:
    return pytest.approx(np.linalg.norm(agent.state.p_vel), abs=1e-5)


def nearest(agent: Any, others: list[Any]) -> Any:
    return min(
        (apart(agent, other) for other in others), key=lambda near: near.expected
    )


@pytest.mark.parametrize("agents", [2, 3])
def test_spread(agents: int) -> None:
    env = simple_spread_v3.parallel_env(N=agents, max_cycles=30)
    for i, got in play(env, mpe2.spread_features(env), 60):
        world = env.unwrapped.world
        own = world.agents[i]
        for k, landmark in enumerate(world.landmarks):
            assert got[f"landmark{k}_distance"] == apart(own, landmark)
        mates = [a for a in world.agents if a is not own]
        assert got["mate_distance"] == nearest(own, mates)
        assert got["speed"] == speed(own)


@pytest.mark.parametrize("agents", [2, 3])
def test_where_things_are_in_spread(agents: int) -> None:
    env = simple_spread_v3.parallel_env(N=agents, max_cycles=30)
    for i, got in play(env, mpe2.spread_features(env, experts=True), 60):
        world = env.unwrapped.world
        own = world.agents[i]
        assert (got["own_vx"], got["own_vy"]) == pytest.approx(
            own.state.p_vel, abs=1e-5
        )
        for k, landmark in enumerate(world.landmarks):
            offset = (got[f"landmark{k}_dx"], got[f"landmark{k}_dy"])
            apart = landmark.state.p_pos - own.state.p_pos
            assert offset == pytest.approx(apart, abs=1e-5)
        assert np.hypot(got["mate_dx"], got["mate_dy"]) == pytest.approx(
            got["mate_distance"], abs=1e-6
        )


def test_actions_of_spread_push_where_they_say() -> None:
    env = simple_spread_v3.parallel_env(N=2, max_cycles=30)
    for action in mpe2.spread_actions(env).actions:
        env.reset(seed=0)
        world = env.unwrapped.world
        env.step(dict.fromkeys(env.agents, action.index))
        at = np.array([agent.state.p_pos for agent in world.agents])
        env.step(dict.fromkeys(env.agents, 0))
        moved = np.array([agent.state.p_pos for agent in world.agents]) - at
        up, right = action.step or (0.0, 0.0)
        np.testing.assert_allclose(moved, [[right, up]] * 2, rtol=0.4, atol=1e-9)


def test_a_recorded_expert_covers_both_landmarks() -> None:
    env = simple_spread_v3.parallel_env(N=2, max_cycles=30)
    features = mpe2.spread_features(env, experts=True)
    actions = mpe2.spread_actions(env)
    shaped = wrap(env, features, signal=recorded("spread"), actions=actions)
    chance = random.Random(0)
    covered = set()
    for seed in range(10):
        _, infos = shaped.reset(seed=seed)
        while shaped.agents:
            advice = {a: info["shaping"]["advice"] for a, info in infos.items()}
            good = {a: [k for k in range(5) if b >> k & 1] for a, b in advice.items()}
            chosen = {agent: chance.choice(best) for agent, best in good.items()}
            observations, *_, infos = shaped.step(chosen)
            apart = np.array([o[4:8].reshape(2, 2) for o in observations.values()])
            if np.linalg.norm(apart, axis=2).min(axis=0).max() < 0.3:
                covered.add(seed)
    assert len(covered) >= 8


def test_reference() -> None:
    env = simple_reference_v3.parallel_env(max_cycles=30)
    said = set()
    for i, got in play(env, mpe2.reference_features(env), 60):
        world = env.unwrapped.world
        own, mate = world.agents[i], world.agents[1 - i]
        assert own.goal_a is mate
        assert got["goal_distance"] == apart(own, mate.goal_b)
        assert got["mate_goal_distance"] == apart(mate, own.goal_b)
        assert world.landmarks[int(got["mate_goal"])] is own.goal_b
        assert got["heard"] == np.argmax(mate.state.c)
        said.add(got["heard"])
        for k, landmark in enumerate(world.landmarks):
            assert got[f"landmark{k}_distance"] == apart(own, landmark)
        assert got["mate_distance"] == apart(own, mate)
        assert got["speed"] == speed(own)
    assert len(said) > 5


def test_speaker_listener() -> None:
    env = simple_speaker_listener_v4.parallel_env(max_cycles=30)
    said = set()
    for _, got in play(env, mpe2.speaker_listener_features(env), 90):
        world = env.unwrapped.world
        speaker, listener = world.agents
        assert got["goal_distance"] == apart(listener, speaker.goal_b)
        assert world.landmarks[int(got["goal"])] is speaker.goal_b
        assert got["heard"] == np.argmax(speaker.state.c)
        said.add((got["goal"], got["heard"]))
        for k, landmark in enumerate(world.landmarks):
            assert got[f"landmark{k}_distance"] == apart(listener, landmark)
        assert got["speed"] == speed(listener)
    assert len(said) > 5


@pytest.mark.parametrize(("prey", "chasers", "obstacles"), [(1, 3, 2), (2, 1, 1)])
def test_tag(prey: int, chasers: int, obstacles: int) -> None:
    env = simple_tag_v3.parallel_env(
        num_good=prey, num_adversaries=chasers, num_obstacles=obstacles, max_cycles=30
    )
    for i, got in play(env, mpe2.tag_features(env), 60):
        world = env.unwrapped.world
        own = world.agents[i]
        assert got["chaser"] == own.adversary
        others = [a for a in world.agents if a is not own]
        against = [a for a in others if a.adversary != own.adversary]
        assert got["opponent_distance"] == nearest(own, against)
        mates = [a for a in others if a.adversary == own.adversary]
        assert got["mate_distance"] == (nearest(own, mates) if mates else 0.0)
        assert got["obstacle_distance"] == nearest(own, world.landmarks)
        place = np.abs(own.state.p_pos).max()
        assert got["edge"] == pytest.approx(place, abs=1e-5)
        assert got["speed"] == speed(own)


@pytest.mark.parametrize(
    "features",
    [
        mpe2.spread_features,
        mpe2.reference_features,
        mpe2.speaker_listener_features,
        mpe2.tag_features,
    ],
)
def test_other_layouts_are_refused(features: Any) -> None:
    with pytest.raises(ConfigurationError, match="observations of simple_"):
        features(Corridor())
