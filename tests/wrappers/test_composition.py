"""The wrappers among those of Gymnasium, PettingZoo and SuperSuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import supersuit
from gymnasium import wrappers as gymnasium_wrappers
from gymnasium.vector import SyncVectorEnv
from mpe2 import simple_spread_v3
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.testing.rollouts import rollout
from also_wrappers.wrappers import ShapeReward, ShapeRewardParallel, ShapeRewardVector

CART = FeatureMap(Feature("angle", "obs[2]"), Feature("push", "action"))
UPRIGHT = Signal(
    terms=(
        Term(name="upright", kind="potential", expression="-abs(angle)", weight=3.0),
        Term(name="left", kind="bonus", expression="push == 0", weight=0.1),
    )
)
GO = Signal(
    terms=(
        Term(name="go", kind="progress", expression="team_min(place)", weight=1.0),
        Term(name="on", kind="bonus", expression="move == 2", weight=0.01),
    )
)

#: Wrappers that leave rewards and the first elements of observations as they are.
SUPERSUIT: dict[str, Callable[[Any], Any]] = {
    "dtype": lambda env: supersuit.dtype_v0(env, np.float64),
    "pad_observations": supersuit.pad_observations_v0,
    "pad_action_space": supersuit.pad_action_space_v0,
    "frame_stack": lambda env: supersuit.frame_stack_v1(env, 1),
    "agent_indicator": supersuit.agent_indicator_v0,
}
GYMNASIUM: dict[str, Callable[[Any], Any]] = {
    "TimeLimit": lambda env: gymnasium_wrappers.TimeLimit(env, 9),
    "RecordEpisodeStatistics": gymnasium_wrappers.RecordEpisodeStatistics,
    "DtypeObservation": lambda env: gymnasium_wrappers.DtypeObservation(
        env, np.float64
    ),
    "FlattenObservation": gymnasium_wrappers.FlattenObservation,
    "TimeAwareObservation": gymnasium_wrappers.TimeAwareObservation,
    "OrderEnforcing": gymnasium_wrappers.OrderEnforcing,
}


def paid(env: Any) -> list[Any]:
    """Rewards of every step, with who ended how."""
    return [
        [dict(part) if isinstance(part, dict) else float(part) for part in step[1:]]
        for step in rollout(env, 3, 60)
        if isinstance(step, tuple)
    ]


@pytest.mark.parametrize("name", SUPERSUIT)
def test_supersuit_in_either_order(name: str) -> None:
    other = SUPERSUIT[name]
    alone = paid(ShapeRewardParallel(Corridor(), corridor_features(), GO))
    inside = paid(other(ShapeRewardParallel(Corridor(), corridor_features(), GO)))
    outside = paid(ShapeRewardParallel(other(Corridor()), corridor_features(), GO))
    assert inside == outside == alone


def test_black_death_in_either_order() -> None:
    """The dead are not paid, and the zeros that stand for them do not count."""
    potential = Term(name="p", kind="potential", expression="place + 1", weight=0.5)
    signal = Signal(terms=(*GO.terms, potential))
    alone, inside, outside = (
        ShapeRewardParallel(Corridor(mortal=True), corridor_features(), signal),
        supersuit.black_death_v3(
            ShapeRewardParallel(Corridor(mortal=True), corridor_features(), signal)
        ),
        ShapeRewardParallel(
            supersuit.black_death_v3(Corridor(mortal=True)), corridor_features(), signal
        ),
    )
    script = np.random.default_rng(0).choice([0, 1, 1, 2], size=(400, 2))
    deaths = 0
    for seed in range(20):
        for env in (alone, inside, outside):
            env.reset(seed=seed)
        moves = iter(script[20 * seed :])
        while alone.agents:
            actions = dict(zip(alone.possible_agents, next(moves), strict=True))
            deaths += len(alone.agents) == 1
            acting = {agent: actions[agent] for agent in alone.agents}
            expected = dict.fromkeys(actions, 0.0) | alone.step(acting)[1]
            cut = alone.unwrapped._steps >= 20
            for env in (inside, outside):
                rewards = env.step(actions)[1]
                if not (cut and env is outside):  # it does not see who was cut
                    assert rewards == pytest.approx(expected)
        for env in (inside, outside):
            rewards = env.step(actions)[1]
            assert rewards == dict.fromkeys(actions, 0.0)
            assert not env.agents
    assert deaths > 10


def test_stacked_frames_are_read_where_they_are() -> None:
    """With two frames, the newest is in the second half."""
    features = FeatureMap(
        Feature("place", "obs[2]"),
        Feature("mate_place", "obs[3]"),
        Feature("move", "action"),
    )
    stacked = supersuit.frame_stack_v1(Corridor(), 2)
    alone = paid(ShapeRewardParallel(Corridor(), corridor_features(), GO))
    assert paid(ShapeRewardParallel(stacked, features, GO)) == alone


@pytest.mark.parametrize("name", GYMNASIUM)
def test_gymnasium_in_either_order(name: str) -> None:
    other = GYMNASIUM[name]

    def cart() -> Any:
        return gym.make("CartPole-v1")

    inside, outside = (
        other(ShapeReward(cart(), CART, UPRIGHT)),
        ShapeReward(other(cart()), CART, UPRIGHT),
    )
    assert paid(inside) == paid(outside)
    assert outside.observation_space == other(cart()).observation_space
    assert inside.unwrapped.spec == outside.unwrapped.spec


def test_reward_wrappers_see_what_is_inside_them() -> None:
    def double(env: Any) -> Any:
        return gymnasium_wrappers.TransformReward(env, lambda r: 2.0 * float(r))

    bare = [step[0] for step in paid(gym.make("CartPole-v1"))]
    ours = ShapeReward(gym.make("CartPole-v1"), CART, UPRIGHT)
    added = [r - b for (r, *_), b in zip(paid(ours), bare, strict=True)]
    inside = double(ShapeReward(gym.make("CartPole-v1"), CART, UPRIGHT))
    outside = ShapeReward(double(gym.make("CartPole-v1")), CART, UPRIGHT)
    for env, factor in ((inside, 2.0), (outside, 1.0)):
        rewards = [step[0] for step in paid(env)]
        expected = [2.0 * b + factor * a for b, a in zip(bare, added, strict=True)]
        assert rewards == pytest.approx(expected)


def test_vector_wrappers_in_either_order() -> None:
    def vector() -> Any:
        return SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2)

    statistics = gymnasium_wrappers.vector.RecordEpisodeStatistics
    inside = statistics(ShapeRewardVector(vector(), CART, UPRIGHT))
    outside = ShapeRewardVector(statistics(vector()), CART, UPRIGHT)
    steps = []
    for env in (inside, outside):
        env.reset(seed=0)
        for _ in range(30):
            _, rewards, _, _, infos = env.step(np.array([0, 1]))
            steps.append((rewards.tolist(), infos["shaping"]["base"].tolist()))
    assert steps[:30] == steps[30:]


class Masked(BaseParallelWrapper[str, Any, Any]):
    """The corridor with Dict observations that hold an action mask."""

    def observation_space(self, agent: str) -> Any:
        return self._spaces[agent]

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self._spaces = {
            agent: gym.spaces.Dict(
                observation=env.observation_space(agent),
                action_mask=gym.spaces.MultiBinary(3),
            )
            for agent in env.possible_agents
        }

    def _masked(self, observations: Any) -> Any:
        mask = np.array([1, 0, 1], dtype=np.int8)
        return {
            a: {"observation": o, "action_mask": mask} for a, o in observations.items()
        }

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._masked(observations), infos

    def step(self, actions: Any) -> Any:
        observations, *rest = self.env.step(actions)
        return self._masked(observations), *rest


def test_masks_and_dict_observations_pass_through() -> None:
    bare = Masked(Corridor())
    features = FeatureMap.from_spaces(bare)
    assert features.names == ("obs_observation_0", "obs_observation_1", "action")
    go = Term(name="go", kind="progress", expression="obs_observation_0", weight=1.0)
    env = ShapeRewardParallel(Masked(Corridor()), features, Signal(terms=(go,)))
    assert env.observation_space("agent_0") == bare.observation_space("agent_0")
    assert env.observation_space("agent_0") is env.observation_space("agent_0")
    for one, other in zip(rollout(bare, 3, 40), rollout(env, 3, 40), strict=True):
        observation, same = (x[0] if isinstance(x, tuple) else x for x in (one, other))
        assert str(observation) == str(same)


def test_pictures_and_attributes_pass_through() -> None:
    bare = gym.make("CartPole-v1", render_mode="rgb_array")
    env = ShapeReward(gym.make("CartPole-v1", render_mode="rgb_array"), CART, UPRIGHT)
    for one in (bare, env):
        one.reset(seed=0)
        one.step(1)
    np.testing.assert_array_equal(bare.render(), env.render())
    assert env.get_wrapper_attr("gravity") == 9.8
    assert env.render_mode == "rgb_array"
    assert env.metadata == bare.metadata
    spread = ShapeRewardParallel(
        simple_spread_v3.parallel_env(N=2, render_mode="rgb_array"),
        FeatureMap(Feature("v", "obs[0]")),
        Signal(),
    )
    spread.reset(seed=0)
    assert spread.render().shape[2] == 3
    assert spread.unwrapped.world.agents[0].name == "agent_0"
