"""Features are read where they are declared to be, or refused clearly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from mpe2 import simple_reference_v3, simple_speaker_listener_v4

from also_wrappers.exceptions import FeatureError
from also_wrappers.signal import (
    Feature,
    FeatureGroup,
    FeatureMap,
    Signal,
    Term,
    View,
)
from also_wrappers.wrappers import wrap

VIEW = View(
    {"goal": np.array([1.0, 2.0]), "nested": {"x": (3.0, 4.0)}},
    np.array([0.5, -0.5]),
    {"health": 7},
    np.array([8.0, 9.0]),
)


def test_paths() -> None:
    features = FeatureMap(
        Feature("goal", "obs.goal[0:2]"),
        Feature("deep", "obs['nested'].x[1]"),
        Feature("health", "info.health"),
        Feature("state", "state[-1]"),
        Feature("push", "action[1]"),
        Feature("norm", lambda view: float(np.linalg.norm(view.observation["goal"]))),
    )
    assert features.names == (
        "goal_0",
        "goal_1",
        "deep",
        "health",
        "state",
        "push",
        "norm",
    )
    assert features.row(VIEW) == pytest.approx([1, 2, 4, 7, 9, -0.5, 5**0.5])
    assert features.action_names == {"push"}
    assert features.needs_state
    again = cloudpickle.loads(cloudpickle.dumps(features))
    assert again.row(VIEW) == features.row(VIEW)


def test_a_group_reads_several_at_once() -> None:
    group = FeatureGroup(
        lambda view: [1.0, 2.0], (Feature("a", ""), Feature("b", "", "the second"))
    )
    features = FeatureMap(group, Feature("c", "obs[0]"))
    assert features.row(View([3.0])) == [1.0, 2.0, 3.0]
    assert features.describe()[1] == "b: the second"
    bad = FeatureMap(FeatureGroup(lambda view: [1.0], group.features))
    with pytest.raises(FeatureError, match="declares 2 features and its function"):
        bad.check(VIEW, "agent")


def test_a_batched_group_is_asked_once_for_all_views() -> None:
    sizes = []

    def measure(views: Sequence[View]) -> np.ndarray:
        sizes.append(len(views))
        return np.array([(view.observation.sum(), view.agent == "b") for view in views])

    sums = FeatureGroup(measure, (Feature("sum", ""), Feature("b", "")), batched=True)
    first = Feature("first", lambda view: view.observation[0, 0])
    features = FeatureMap(first, sums)
    pictures = {agent: np.full((2, 2), k) for k, agent in enumerate("abc")}
    rows = features.rows("abc", pictures, {}, {}, None)
    assert rows == [[0.0, 0.0, 0.0], [1.0, 4.0, 1.0], [2.0, 8.0, 0.0]]
    assert features.row(View(pictures["c"], agent="c")) == rows[2]
    views = [View(picture, agent=agent) for agent, picture in pictures.items()]
    columns = features.columns(None, None, lambda: views, 3)
    assert columns.T.tolist() == [list(row) for row in rows]
    assert sizes == [3, 1, 3]
    assert features.rows((), {}, {}, {}, None) == []


@pytest.mark.parametrize("shape", [(2,), (1, 3), (2, 2)])
def test_a_batched_group_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    both = (Feature("a", ""), Feature("b", ""))
    bad = FeatureMap(FeatureGroup(lambda views: np.zeros(shape), both, batched=True))
    with pytest.raises(FeatureError, match=r"return one of shape \(1, 2\)"):
        bad.check(VIEW, "agent")


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Feature("x", "observation[0]x"), "not understood"),
        (Feature("x", "env.secret"), "must begin with one of obs"),
        (Feature("x y", "obs[0]"), "cannot be a feature's name"),
        (Feature("and", "obs[0]"), "cannot be a feature's name"),
        (Feature("x", "obs[2:2]"), "empty"),
    ],
)
def test_bad_declarations(feature: Feature, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        FeatureMap(feature)


def test_names_are_unique() -> None:
    with pytest.raises(FeatureError, match="two features named 'x'"):
        FeatureMap(Feature("x", "obs[0]"), Feature("x", "obs[1]"))


def test_a_feature_that_does_not_fit_is_named() -> None:
    features = FeatureMap(Feature("far", "obs[14]"))
    with pytest.raises(FeatureError, match=r"'far' \(obs\[14\]\).*shape \(4,\)"):
        features.check(View(np.zeros(4)), "agent_0")


def test_what_info_lacks_at_reset_is_said_and_can_have_a_default() -> None:
    features = FeatureMap(Feature("health", "info.health"))
    with pytest.raises(FeatureError, match="'agent' at reset, whose info has"):
        features.check(View(np.zeros(4), None, {"other": 1}), "agent")
    with pytest.raises(FeatureError, match=r"KeyError: 'health'; give .* default="):
        features.check(View(np.zeros(4), 1, {}), "agent")
    lenient = FeatureMap(
        Feature("health", "info.health", default=3.0),
        Feature("arms", "info.arms[0:2]", default=0.0),
    )
    lenient.check(View(np.zeros(4)), "agent")
    assert lenient.row(View(np.zeros(4))) == [3.0, 0.0, 0.0]
    hurt = {"health": 1, "arms": [7.0]}
    assert lenient.row(View(np.zeros(4), 1, hurt)) == [1.0, 7.0, 0.0]
    with pytest.raises(FeatureError, match="a default, which is for paths into info"):
        FeatureMap(Feature("x", "obs[0]", default=1.0))


class Quiet(gym.Wrapper[Any, Any, Any, Any]):
    """Tells its health at steps only."""

    def step(self, action: Any) -> Any:
        *rest, info = self.env.step(action)
        return *rest, {**info, "health": 0.5}


def test_an_environment_whose_reset_tells_less_is_shaped() -> None:
    grow = Term(name="grow", kind="progress", expression="health", weight=1.0)
    features = FeatureMap(Feature("health", "info.health"))

    def cart() -> Any:
        return Quiet(gym.make("CartPole-v1"))

    with pytest.raises(FeatureError, match="at reset"):
        wrap(cart(), features, signal=Signal(terms=(grow,))).reset(seed=0)
    features = FeatureMap(Feature("health", "info.health", default=0.0))
    env = wrap(cart(), features, signal=Signal(terms=(grow,)))
    vector = wrap(SyncVectorEnv([cart] * 2), features, signal=Signal(terms=(grow,)))
    env.reset(seed=0)
    vector.reset(seed=0)
    assert env.step(1)[1] == 1.5
    assert vector.step(np.array([1, 1]))[1].tolist() == [1.5, 1.5]
    assert env.step(1)[1] == 1.0


def test_from_spaces() -> None:
    class Env:
        observation_space = spaces.Dict(
            {
                "pos": spaces.Box(-1, 1, (2,)),
                "door": spaces.Discrete(3),
                "keys": spaces.Tuple(
                    [spaces.MultiBinary(1), spaces.MultiDiscrete([4])]
                ),
                "action_mask": spaces.MultiBinary(5),
            }
        )
        action_space = spaces.Box(-2, 2, (2,))

    features = FeatureMap.from_spaces(Env())
    assert features.names == (
        "obs_door",
        "obs_keys_0_0",
        "obs_keys_1_0",
        "obs_pos_0",
        "obs_pos_1",
        "action_0",
        "action_1",
    )
    assert features.action_names == {"action_0", "action_1"}
    assert "obs_keys_1_0 in [0, 3]: obs['keys'][1][0]" in features.describe()
    seen = {"pos": np.array([0.5, -0.5]), "door": 2, "keys": ([1], [3])}
    assert features.row(View(seen)) == [2.0, 1.0, 3.0, 0.5, -0.5, 0.0, 0.0]
    acted = View(seen, np.array([1.5, -1.5]))
    assert features.row(acted)[-2:] == [1.5, -1.5]
    picture = gym.Env[Any, Any]()
    picture.observation_space = spaces.Box(0, 1, (84, 84))
    picture.action_space = spaces.Discrete(2)
    with pytest.raises(FeatureError, match="declare a FeatureMap"):
        FeatureMap.from_spaces(picture)


def test_from_spaces_says_where_agents_differ() -> None:
    env = simple_speaker_listener_v4.parallel_env()
    with pytest.raises(FeatureError, match=r"'speaker_0' observes .* 'listener_0'"):
        FeatureMap.from_spaces(env)
    alike = simple_reference_v3.parallel_env()
    assert len(FeatureMap.from_spaces(alike)) == 22


SPACES = {
    "flat": spaces.Box(-1, 1, (4,)),
    "nested": spaces.Dict(
        a=spaces.Box(-1, 1, (2, 2)),
        b=spaces.Tuple([spaces.Discrete(3), spaces.MultiDiscrete([4, 5])]),
    ),
}


def empty(space: Any) -> Any:
    return create_empty_array(space, 3)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("action", [spaces.Discrete(4), spaces.Box(-1, 1, (2,))])
def test_a_batch_reads_as_one_after_the_other(space: Any, action: Any) -> None:
    class Env:
        observation_space = space
        action_space = action

    declared = FeatureMap.from_spaces(Env()).features
    features = FeatureMap(
        *declared, Feature("sum", lambda view: float(np.sum(view.action) + view.state))
    )
    spread = [space.sample() for _ in range(3)], [action.sample() for _ in range(3)]
    batch, acted = (
        concatenate(part, spread[k], empty(part))
        for k, part in enumerate((space, action))
    )
    views = [View(spread[0][k], spread[1][k], {}, 1.0) for k in range(3)]
    rows = features.columns(batch, acted, lambda: views, 3)
    for k, view in enumerate(views):
        expected = features.row(view)
        assert rows[:, k].tolist() == expected
        one = {"a": view.observation}, {"a": view.action}, {"a": view.info}
        assert list(features.rows(["a"], *one, view.state)[0]) == expected
