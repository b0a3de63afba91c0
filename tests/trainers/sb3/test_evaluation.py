"""``evaluate``: what a model earns of the base reward."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

import also_wrappers as also
from also_wrappers.branches.randomness import randomness_states
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.evaluation import evaluate, play_episodes
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.trainers import SIGNAL, Masked

Shape = Callable[[Any], Any]


def unshaped(env: Any) -> Any:
    return env


def corridors(shape: Shape) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=3, limit=8)), 4)


def normalized(shape: Shape) -> VecNormalize:
    return VecNormalize(corridors(shape))


def pendulums(shape: Shape) -> DummyVecEnv:
    return DummyVecEnv([lambda: shape(gym.make("Pendulum-v1", max_episode_steps=9))])


def masked(shape: Shape) -> DummyVecEnv:
    return DummyVecEnv([lambda: shape(Masked()) for _ in range(2)])


def small(
    venv: VecEnv, algorithm: Any = PPO, policy: str = "MlpPolicy", **settings: Any
) -> Any:
    """A model with a tiny net."""
    net = {"net_arch": [8]}
    return algorithm(policy, venv, policy_kwargs=net, seed=1, device="cpu", **settings)


class Walks:
    """Walks on in the first copy, which succeeds, and stays in the others."""

    def predict(
        self, observations: Any, state: Any, starts: Any, deterministic: bool
    ) -> tuple[Any, Any]:
        assert not deterministic
        actions = np.zeros(len(observations), dtype=int)
        actions[:2] = 2
        return actions, state


def test_an_evaluation_counts_as_many_episodes_of_every_copy() -> None:
    model = small(corridors(unshaped))
    model.predict = Walks().predict
    found = evaluate(model, corridors, 10)
    # The first copy ends in 2 steps, the others in 8: 3 episodes of each are counted.
    assert found.episodes == 12
    assert found.mean == 0.25
    assert found.std == pytest.approx(np.std([1.0] * 3 + [0.0] * 9, ddof=1))
    assert found.standard_error == pytest.approx(found.std / 12**0.5)
    assert found.env_steps == 3 * 8 * 4


@pytest.mark.parametrize(
    ("algorithm", "policy", "make_venv"),
    [
        (PPO, "MlpPolicy", corridors),
        (PPO, "MlpPolicy", normalized),
        (DQN, "MlpPolicy", corridors),
        (SAC, "MlpPolicy", pendulums),
        (MaskablePPO, "MlpPolicy", masked),
        (RecurrentPPO, "MlpLstmPolicy", corridors),
    ],
)
def test_the_same_seed_gives_the_same_result_and_leaves_randomness_alone(
    algorithm: Any, policy: str, make_venv: Callable[[Shape], VecEnv]
) -> None:
    model = small(make_venv(unshaped), algorithm, policy)
    model.exploration_rate = 0.5  # DQN's
    first = evaluate(model, make_venv, 20)
    random.random()
    np.random.random()
    torch.rand(1)
    model.action_space.sample()
    before = randomness_states(), model.action_space.np_random.bit_generator.state
    assert evaluate(model, make_venv, 20) == first
    after = randomness_states(), model.action_space.np_random.bit_generator.state
    assert after == before
    assert any(evaluate(model, make_venv, 20, seed=s) != first for s in (7, 8, 9))


def test_a_memory_lasts_for_an_episode() -> None:
    model = small(corridors(unshaped), RecurrentPPO, "MlpLstmPolicy")
    passed: list[tuple[Any, Any]] = []
    predict = model.predict

    def record(seen: Any, state: Any, starts: Any, **options: Any) -> Any:
        passed.append((state, starts.copy()))
        return predict(seen, state, starts, **options)

    model.predict = record
    evaluate(model, corridors, 4)
    assert passed[0][0] is None
    assert passed[0][1].all()
    assert not passed[1][1].any()
    assert all(state is not None for state, _ in passed[1:])
    assert any(np.abs(state[0]).sum() > 0.0 for state, _ in passed[1:])


@pytest.mark.parametrize("norm_obs", [True, False])
def test_observations_are_normalised_as_the_models_are(norm_obs: bool) -> None:
    def make_venv(shape: Shape) -> VecNormalize:
        return VecNormalize(corridors(shape), norm_obs=norm_obs)

    model = small(make_venv(unshaped), n_steps=32, batch_size=64)
    model.learn(512)
    own = model.get_vec_normalize_env()
    assert own is not None
    seen: list[Any] = []
    predict = model.predict

    def record(observations: Any, *rest: Any, **options: Any) -> Any:
        seen.append(observations)
        return predict(observations, *rest, **options)

    model.predict = record
    counted = own.obs_rms.count if norm_obs else 0.0
    found = evaluate(model, make_venv, 8)
    assert 0.0 <= found.mean <= 1.0  # rewards are not normalised
    start = np.zeros((1, 2), dtype=np.float32)
    assert seen[0][0] == pytest.approx(own.normalize_obs(start)[0])
    if norm_obs:
        assert np.abs(seen[0][0]).max() > 0.1
        assert own.obs_rms.count == counted


def no_shape(shape: Shape) -> PettingZooVecEnv:
    signal = also.wrap(Corridor(length=3, limit=8), corridor_features(), signal=SIGNAL)
    return PettingZooVecEnv(lambda: signal, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "ppo.zip"}, "str is no model of Stable-Baselines3"),
        ({"make_venv": None}, "make_venv is of type NoneType; give a function"),
        ({"make_venv": corridors(unshaped)}, "of type PettingZooVecEnv; give a func"),
        ({"make_venv": lambda shape: Corridor()}, "returned Corridor; it must return"),
        ({"make_venv": pendulums}, "not those of the model: Observation spaces do not"),
        ({"make_venv": normalized}, "VecNormalize is around .* put it into make_venv"),
        ({"make_venv": no_shape}, "pay a shaped reward; let make_venv put the shape"),
        ({"episodes": 1}, "episodes=1 are no evaluation; give a whole number of 2"),
        ({"episodes": 2.5}, "episodes=2.5 are no evaluation"),
        ({"seed": "x"}, "seed='x' is no seed; give a whole number from 0"),
        ({"seed": -1}, "seed=-1 is no seed"),
        ({"model": PPO}, "the class PPO is no model of Stable-Baselines3"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    change: dict[str, Any], message: str
) -> None:
    model = small(corridors(unshaped))
    arguments: dict[str, Any] = {"model": model, "make_venv": corridors, "episodes": 4}
    before = randomness_states()
    with pytest.raises(ConfigurationError, match=message):
        evaluate(**(arguments | change))
    assert randomness_states() == before


def test_a_model_that_was_loaded_can_be_evaluated(tmp_path: Path) -> None:
    model = small(corridors(unshaped))
    model.save(tmp_path / "model.zip")
    loaded = PPO.load(tmp_path / "model.zip", device="cpu")
    assert also.evaluate(loaded, corridors, 8) == evaluate(model, corridors, 8)


def test_environments_are_closed_also_where_an_evaluation_fails() -> None:
    closed: list[bool] = []

    class Closes(PettingZooVecEnv):
        def close(self) -> None:
            closed.append(True)

        def step_wait(self) -> Any:
            raise RuntimeError("the floor is wet")

    def make_venv(shape: Shape) -> Closes:
        return Closes(lambda: shape(Corridor(length=3, limit=8)), 4)

    model = small(corridors(unshaped))
    space = model.action_space
    with pytest.raises(RuntimeError, match="wet"):
        evaluate(model, make_venv, 4)
    assert closed == [True]
    assert model.action_space is space


def test_evaluation_episodes_must_end() -> None:
    endless = PettingZooVecEnv(lambda: Corridor(length=40, limit=10**9), 2)
    with pytest.raises(ConfigurationError, match="did not end within 30 steps"):
        play_episodes(Walks(), endless, 4, seed=0, longest=30)
