"""An expert in force is told at every reset and step, and changes nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.utils import parallel_to_aec

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import (
    Action,
    Actions,
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Signal,
    Term,
)
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.wrappers import ShapeReward, ShapeRewardVector, wrap
from also_wrappers.wrappers.shape import Shape

WALK = Actions((Action("stay", 0), Action("back", 1), Action("on", 2)))
ROLES = Signal(
    define={"gap": "1 - place"},
    expert=Expert(
        rules=(
            Rule(when="gap > 0", do="on", agents=("agent_0",)),
            Rule(when="team_min(place) > 0.5", do="back"),
        )
    ),
)
CART = FeatureMap(Feature("angle", "obs[2]"), Feature("push", "action"))
PUSH = Actions((Action("left", 0), Action("right", 1)))
UPRIGHT = Signal(
    expert=Expert(
        rules=(
            Rule(when="angle > 0.02", do="right"),
            Rule(when="angle < -0.02", do="left"),
        )
    )
)
LEFT = Signal(
    terms=(Term(name="still", kind="bonus", expression="-abs(angle)", weight=0.5),),
    expert=Expert(rules=(Rule(when="1", do="left"),)),
)


def cart() -> gym.Env[Any, Any]:
    return gym.make("CartPole-v1", max_episode_steps=12)


def roles(observations: Any) -> dict[str, int]:
    """What the expert of the corridor is to say, in plain words."""
    places = {agent: float(observed[0]) for agent, observed in observations.items()}
    back = 2 if min(places.values()) > 0.5 else 0
    return {
        agent: 4 if agent == "agent_0" and place < 1.0 else back
        for agent, place in places.items()
    }


def upright(observation: Any) -> int:
    return 2 if observation[2] > 0.02 else 1 if observation[2] < -0.02 else 0


def advice(infos: Any) -> dict[str, int]:
    return {agent: info["shaping"]["advice"] for agent, info in infos.items()}


def test_parallel_environments_tell_it_and_rewards_stay_as_they_are() -> None:
    env = wrap(Corridor(), corridor_features(), signal=ROLES, actions=WALK)
    plain = Corridor()
    random = np.random.default_rng(0)
    told = set()
    for seed in range(20):
        observations, infos = env.reset(seed=seed)
        plain.reset(seed=seed)
        assert infos["agent_0"]["shaping"].keys() == {"advice"}
        while True:
            assert advice(infos) == roles(observations)
            told |= set(advice(infos).values())
            if not env.agents:
                break
            actions = {agent: int(random.choice([0, 2, 2])) for agent in env.agents}
            observations, rewards, _, _, infos = env.step(actions)
            assert rewards == plain.step(actions)[1]
            assert infos["agent_1"]["shaping"]["signal"] == ROLES.id
    assert told == {0, 2, 4}


def test_an_agent_that_is_gone_is_told_nothing() -> None:
    corridor = Corridor(mortal=True, length=2)
    env = wrap(corridor, corridor_features(), signal=ROLES, actions=WALK)
    _, infos = env.reset(seed=0)
    *_, infos = env.step({"agent_0": 1, "agent_1": 0})
    assert advice(infos) == {"agent_0": 4, "agent_1": 0}
    *_, infos = env.step({"agent_1": 0})
    assert advice(infos) == {"agent_1": 0}


def test_turn_based_environments_tell_it_for_a_cycle() -> None:
    env = wrap(
        parallel_to_aec(Corridor()), corridor_features(), signal=ROLES, actions=WALK
    )
    for seed in range(5):
        env.reset(seed=seed)
        random = np.random.default_rng(seed)
        told = roles({agent: env.observe(agent) for agent in env.possible_agents})
        for k, agent in enumerate(env.agent_iter()):
            if k % 2 == 0:  # a cycle begins
                told = roles({a: env.observe(a) for a in env.possible_agents})
            *_, ended, cut, info = env.last()
            assert info["shaping"]["advice"] == told[agent]
            env.step(None if ended or cut else int(random.choice([0, 2, 2])))


def test_single_environments_tell_it() -> None:
    env = ShapeReward(cart(), CART, UPRIGHT, actions=PUSH)
    told = set()
    for action in (0, 1):
        observation, info = env.reset(seed=0)
        assert info == {"shaping": {"advice": upright(observation)}}
        over = False
        while not over:
            observation, reward, ended, cut, info = env.step(action)
            over = ended or cut
            assert reward == 1.0
            assert info["shaping"]["advice"] == upright(observation)
            told.add(info["shaping"]["advice"])
    assert {1, 2} <= told


def flat(infos: Any) -> Any:
    """Infos that can be compared: what is masked out does not count."""
    if not isinstance(infos, dict):
        return np.asarray(infos).tolist()
    out = {}
    for key, value in infos.items():
        mask = infos.get(f"_{key}")
        if not np.any(infos.get(key if key.startswith("_") else f"_{key}", True)):
            continue
        if mask is not None and not isinstance(value, dict):
            assert len(value) == len(mask)
            value = [v for v, shown in zip(value, mask, strict=True) if shown]
        if key not in ("final_obs", "_final_obs"):
            out[key] = flat(value)
    return out


@pytest.mark.parametrize("signal", [UPRIGHT, LEFT])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors_tell_what_stacked_singles_tell(
    mode: AutoresetMode, signal: Signal
) -> None:
    arguments: dict[str, Any] = {"signal": signal, "actions": PUSH}
    together = ShapeRewardVector(
        SyncVectorEnv([cart] * 3, autoreset_mode=mode), CART, **arguments
    )
    apart = SyncVectorEnv(
        [lambda: ShapeReward(cart(), CART, **arguments)] * 3, autoreset_mode=mode
    )
    infos = [env.reset(seed=4)[1] for env in (together, apart)]
    assert infos[0]["shaping"]["advice"].dtype == np.int64
    random = np.random.default_rng(0)
    ends = 0
    for _ in range(60):
        assert flat(infos[0]) == flat(infos[1])
        actions = random.integers(2, size=3)
        steps = [env.step(actions) for env in (together, apart)]
        for left, right in zip(steps[0][:4], steps[1][:4], strict=True):
            np.testing.assert_array_equal(left, right)
        infos = [step[4] for step in steps]
        over = steps[0][2] | steps[0][3]
        ends += int(over.sum())
        if mode == AutoresetMode.DISABLED and over.any():
            assert flat(infos[0]) == flat(infos[1])
            infos = [
                env.reset(options={"reset_mask": over.copy()})[1]
                for env in (together, apart)
            ]
    assert ends > 6


def test_without_an_expert_nothing_is_told() -> None:
    env = wrap(Corridor(), corridor_features(), signal=Signal(), actions=WALK)
    assert env.reset(seed=0)[1] == {"agent_0": {}, "agent_1": {}}
    *_, infos = env.step(dict.fromkeys(env.agents, 2))
    assert infos["agent_0"]["shaping"].keys() == {"base", "total", "signal"}
    vector = ShapeRewardVector(SyncVectorEnv([cart]), CART, Signal(), actions=PUSH)
    assert vector.reset(seed=0)[1] == {}
    assert "advice" not in vector.step(np.array([0]))[4]["shaping"]


def posting(signal: Signal, version: int) -> Posting:
    return Posting(version=version, signal=signal, gamma=0.9)


def test_an_expert_that_is_posted_is_in_force_from_the_next_reset_on(
    tmp_path: Path,
) -> None:
    board = Board.create(tmp_path / "board", posting(Signal(), 1))
    env = Shape(Task("Walk.", corridor_features(), actions=WALK), board)(Corridor())
    assert env.reset(seed=0)[1] == {"agent_0": {}, "agent_1": {}}
    board.post(posting(ROLES, 2))
    *_, infos = env.step(dict.fromkeys(env.agents, 0))
    assert "advice" not in infos["agent_0"]["shaping"]
    observations, infos = env.reset(seed=1)
    assert advice(infos) == roles(observations)
    copy = cloudpickle.loads(cloudpickle.dumps(env))
    assert advice(copy.reset(seed=1)[1]) == roles(observations)
    board.post(posting(Signal(), 3))
    assert env.reset(seed=2)[1] == {"agent_0": {}, "agent_1": {}}
    *_, infos = env.step(dict.fromkeys(env.agents, 0))
    assert "advice" not in infos["agent_0"]["shaping"]


def test_each_copy_of_a_vector_tells_of_the_expert_that_is_in_force_there(
    tmp_path: Path,
) -> None:
    board = Board.create(tmp_path / "board", posting(Signal(), 1))
    env = ShapeRewardVector(
        SyncVectorEnv([cart] * 2, autoreset_mode=AutoresetMode.DISABLED),
        CART,
        board=board,
        actions=PUSH,
    )
    assert env.reset(seed=0)[1] == {}
    board.post(posting(LEFT, 2))
    first, second = np.array([True, False]), np.array([False, True])
    _, infos = env.reset(options={"reset_mask": first.copy()})
    assert flat(infos["shaping"]) == {"advice": [1], "_advice": [True, False]}
    shaping = env.step(np.array([0, 1]))[4]["shaping"]
    assert shaping["_advice"].tolist() == [True, False]
    assert shaping["_base"].tolist() == [True, True]
    board.post(posting(UPRIGHT, 3))
    observations, _ = env.reset(options={"reset_mask": second.copy()})
    observations, *_, infos = env.step(np.array([0, 1]))
    assert infos["shaping"]["_advice"].all()
    assert infos["shaping"]["advice"].tolist() == [1, upright(observations[1])]


def test_an_expert_needs_actions_that_the_environment_has() -> None:
    with pytest.raises(ConfigurationError, match="nothing says what the actions are"):
        wrap(Corridor(), corridor_features(), signal=ROLES)
    many = Actions((*WALK.actions, Action("jump", 3)))
    with pytest.raises(ConfigurationError, match="'jump' has the index 3"):
        wrap(Corridor(), corridor_features(), signal=Signal(), actions=many)
    pendulum = FeatureMap(Feature("angle", "obs[0]"))
    with pytest.raises(ConfigurationError, match="needs a Discrete action space"):
        wrap(gym.make("Pendulum-v1"), pendulum, signal=UPRIGHT, actions=PUSH)
    with pytest.raises(ConfigurationError, match="rule 1 says 'on'"):
        wrap(Corridor(), corridor_features(), signal=ROLES, actions=PUSH)
    with pytest.raises(ConfigurationError, match="the place 'end' is read from 'gap'"):
        Task(
            "Walk.",
            corridor_features(),
            actions=Actions((Action("on", 2, (1,)),), {"end": ("gap",)}),
        )
