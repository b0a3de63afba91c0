"""``PettingZooVecEnv``: what SB3 expects of a VecEnv."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.utils import BaseParallelWrapper
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Signal
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import ShapeRewardParallel


class AsDict(BaseParallelWrapper):
    """The corridor with Dict observations."""

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Dict(
            {"own": spaces.Box(0, 1, (1,)), "mate": spaces.Box(0, 1, (1,))}
        )

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        found, infos = self.env.reset(seed=seed, options=options)
        return self._split(found), infos

    def step(self, actions: Any) -> Any:
        found, *rest = self.env.step(actions)
        return self._split(found), *rest

    @staticmethod
    def _split(found: Any) -> Any:
        return {a: {"own": o[:1], "mate": o[1:]} for a, o in found.items()}


def shaped() -> ShapeRewardParallel:
    return ShapeRewardParallel(Corridor(limit=4), corridor_features(), Signal())


def test_it_tells_time_outs_and_pads_the_dead() -> None:
    venv = PettingZooVecEnv(lambda: Corridor(limit=4, mortal=True), 2)
    venv.seed(0)
    venv.reset()
    assert venv.num_envs == 4
    # Agent 0 of each copy walks back until it dies, agent 1 stays.
    for t in range(4):
        observations, rewards, dones, infos = venv.step(np.array([1, 0, 1, 0]))
        assert dones.dtype == np.bool_
        assert dones.tolist() == [t == 3] * 4
    assert [info["TimeLimit.truncated"] for info in infos] == [False, True] * 2
    assert not infos[0]["terminal_observation"].any()
    assert infos[1]["terminal_observation"].shape == (2,)
    assert np.asarray(observations).shape == (4, 2)
    assert rewards.tolist() == [0.0] * 4


def test_it_reports_episodes_as_monitor_does() -> None:
    venv = PettingZooVecEnv(lambda: Corridor(length=3, limit=4), 2)
    around = VecMonitor(PettingZooVecEnv(lambda: Corridor(length=3, limit=4), 2))
    ended = 0
    for one in (venv, around):
        one.seed(0)
        one.reset()
    for t in range(20):
        actions = np.random.default_rng(t).choice([0, 2], size=4)
        *_, dones, infos = venv.step(actions)
        *_, expected = around.step(actions)
        for done, info, other in zip(dones, infos, expected, strict=True):
            assert ("episode" in info) == done
            if done:
                ended += 1
                assert info["episode"].keys() == other["episode"].keys()
                assert info["episode"]["r"] == other["episode"]["r"]
                assert info["episode"]["l"] == other["episode"]["l"]
                assert info["episode"]["t"] >= 0.0
    assert ended > 8
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=16, device="cpu")
    model.learn(64)
    assert model.logger.name_to_value or model.ep_info_buffer
    assert {entry["r"] for entry in model.ep_info_buffer or ()} <= {0.0, 1.0}
    venv.reset()
    venv.step(np.zeros(4, dtype=int))
    venv.reset()  # an episode that was broken off does not count
    lengths = set()
    for _ in range(4):
        infos = venv.step(np.zeros(4, dtype=int))[3]
        lengths |= {info["episode"]["l"] for info in infos if "episode" in info}
    assert lengths == {4}


def test_it_equals_stacked_copies() -> None:
    venv = PettingZooVecEnv(Corridor, 3)
    venv.seed(5)
    found: Any = venv.reset()
    copies = [Corridor() for _ in range(3)]
    expected = [copy.reset(seed=5 + k)[0] for k, copy in enumerate(copies)]
    random = np.random.default_rng(0)
    for _ in range(60):
        for k, seen in enumerate(expected):
            for i, agent in enumerate(copies[k].possible_agents):
                np.testing.assert_array_equal(found[2 * k + i], seen[agent])
        actions = random.integers(3, size=6)
        found, rewards, _, _ = venv.step(actions)
        for k, copy in enumerate(copies):
            step = {f"agent_{i}": int(actions[2 * k + i]) for i in range(2)}
            expected[k], paid, *_ = copy.step(step)
            assert rewards[2 * k] == paid["agent_0"]
            if not copy.agents:
                expected[k] = copy.reset()[0]


def test_attributes_and_methods_reach_the_copies() -> None:
    venv = PettingZooVecEnv(shaped, 2)
    assert venv.get_attr("metadata")[3]["name"] == "corridor_v0"
    assert len(venv.get_attr("metadata", indices=[0, 2])) == 2
    venv.set_attr("_limit", 9, indices=0)
    limits = [env.env._limit for env in venv.envs]
    assert limits == [9, 4]
    venv.seed(0)
    venv.reset()
    states = venv.env_method("state")
    assert len(states) == 4
    np.testing.assert_array_equal(states[0], states[1])
    assert venv.env_is_wrapped(ShapeRewardParallel) == [True] * 4
    assert venv.env_is_wrapped(AsDict, indices=1) == [False]
    assert venv.has_attr("agents_per_env") is False
    assert venv.agents_per_env == 2


def test_dict_observations_are_learned_from() -> None:
    venv = VecMonitor(PettingZooVecEnv(lambda: AsDict(Corridor(limit=6)), 2))
    observations = venv.reset()
    assert isinstance(observations, dict)
    assert observations["own"].shape == (4, 1)
    for _ in range(6):
        _, _, _, infos = venv.step(np.zeros(4, dtype=int))
    assert set(infos[0]["terminal_observation"]) == {"own", "mate"}
    model = PPO("MultiInputPolicy", venv, n_steps=8, batch_size=16, device="cpu")
    model.learn(64)
    assert model.num_timesteps == 64


def test_what_it_cannot_share_is_refused() -> None:
    env = Corridor()
    with pytest.raises(ConfigurationError, match="a new environment at every call"):
        PettingZooVecEnv(lambda: env, 2)
    with pytest.raises(ConfigurationError, match="needs a PettingZoo ParallelEnv"):
        PettingZooVecEnv(lambda: object(), 1)

    class Uneven(BaseParallelWrapper):
        def action_space(self, agent: str) -> spaces.Space[Any]:
            return spaces.Discrete(2 + int(agent[-1]))

    with pytest.raises(ConfigurationError, match="pad_observations_v0"):
        PettingZooVecEnv(lambda: Uneven(Corridor()), 1)


@pytest.mark.parametrize(
    ("make_env", "num_envs", "said"),
    [
        (Corridor(), 2, "make_env is of type Corridor; give a function"),
        ([Corridor], 2, "make_env is of type list; give a function"),
        (lambda: None, 2, "make_env returned nothing"),
        (Corridor, 2.0, "num_envs is a whole number of copies from 1 up, not 2.0"),
        (Corridor, "2", "from 1 up, not '2'"),
        (Corridor, 0, "from 1 up, not 0"),
    ],
)
def test_a_wrong_argument_gets_a_sentence(
    make_env: Any, num_envs: Any, said: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        PettingZooVecEnv(make_env, num_envs)
    assert said in str(error.value)
