"""The wrappers: they change rewards as the signal says, and nothing else."""

from __future__ import annotations

import warnings
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import supersuit
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.test import api_test, parallel_api_test
from pettingzoo.utils import BaseParallelWrapper, parallel_to_aec
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.testing import (
    Corridor,
    corridor_features,
)
from also_wrappers.testing.contracts import rollout
from also_wrappers.wrappers import (
    ShapeReward,
    ShapeRewardAEC,
    ShapeRewardParallel,
    ShapeRewardVector,
    TupleParallelEnv,
    wrap,
)

CORRIDOR = corridor_features()
CART = FeatureMap(Feature("angle", "obs[2]"), Feature("push", "action"))
TEAM = Signal(
    terms=(
        Term(
            name="near",
            kind="potential",
            expression="team_min(place) - mate_place",
            weight=0.7,
        ),
        Term(
            name="go", kind="bonus", expression="(move == 2) * delta(place)", weight=2.0
        ),
    )
)
UPRIGHT = Signal(
    terms=(
        Term(name="upright", kind="potential", expression="-abs(angle)", weight=3.0),
        Term(name="left", kind="bonus", expression="push == 0", weight=0.1),
    )
)


def corridor() -> Corridor:
    return Corridor(mortal=True)


def foraging() -> TupleParallelEnv:
    return lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")


def cart() -> Any:
    return gym.make("CartPole-v1")


FORAGING = lbforaging.features(foraging())


def test_apis() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parallel_api_test(ShapeRewardParallel(corridor(), CORRIDOR, TEAM), 300)
        api_test(
            ShapeRewardAEC(parallel_to_aec(corridor()), CORRIDOR, TEAM), num_cycles=300
        )
        env = ShapeReward(cart(), CART, UPRIGHT)
        check_env(env, skip_render_check=True)
        sb3_check_env(env)


def test_the_spec_rebuilds_the_environment() -> None:
    env = ShapeReward(cart(), CART, UPRIGHT)
    again = gym.make(env.spec)  # type: ignore[arg-type]
    assert isinstance(again, ShapeReward)
    assert rollout(again, 3, 50)[-1][1] == rollout(env, 3, 50)[-1][1]


@pytest.mark.parametrize("own", [False, True])
def test_a_pickled_wrapper_goes_on_alike(own: bool) -> None:
    env = ShapeRewardParallel(corridor(), CORRIDOR, TEAM)
    if own:
        env.reset(seed=0)
    again = cloudpickle.loads(cloudpickle.dumps(env))
    assert str(rollout(env, 5, 60)) == str(rollout(again, 5, 60))


def test_parallel_and_single_agent_rewards_agree() -> None:
    """A one-agent parallel environment pays what the Gymnasium wrapper pays."""

    class Single(gym.Env[Any, Any]):
        def __init__(self) -> None:
            self.inner = Corridor(agents=1)
            self.observation_space = self.inner.observation_space("agent_0")
            self.action_space = self.inner.action_space("agent_0")

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            found, told = self.inner.reset(seed=seed)
            return found["agent_0"], told["agent_0"]

        def step(self, action: Any) -> Any:
            parts = self.inner.step({"agent_0": action})
            return tuple(part["agent_0"] for part in parts)

    signal = Signal(
        terms=(Term(name="p", kind="potential", expression="place ** 2", weight=1.0),)
    )
    one = rollout(ShapeReward(Single(), CORRIDOR, signal), 3, 40)
    many = rollout(ShapeRewardParallel(Corridor(agents=1), CORRIDOR, signal), 3, 40)
    single = [step[1] for step in one if isinstance(step, tuple)]
    parallel = [step[1]["agent_0"] for step in many if isinstance(step, tuple)]
    assert single == parallel
    assert any(reward != 0.0 for reward in single)


def test_parallel_and_aec_rewards_agree() -> None:
    """Sums over an episode, agent by agent, are the same through both APIs."""
    for seed in range(5):
        parallel = ShapeRewardParallel(Corridor(), CORRIDOR, TEAM)
        turns = ShapeRewardAEC(parallel_to_aec(Corridor()), CORRIDOR, TEAM)
        random = np.random.default_rng(seed)
        script = random.integers(3, size=(50, 2))
        parallel.reset(seed=seed)
        by_parallel: dict[str, list[float]] = {a: [] for a in parallel.agents}
        t = 0
        while parallel.agents:
            actions = {a: int(script[t, i]) for i, a in enumerate(parallel.agents)}
            _, rewards, *_ = parallel.step(actions)
            for agent, reward in rewards.items():
                by_parallel[agent].append(reward)
            t += 1
        turns.reset(seed=seed)
        by_turns: dict[str, list[float]] = {a: [] for a in turns.agents}
        taken = dict.fromkeys(turns.agents, 0)
        for agent in turns.agent_iter():
            _, reward, ended, cut, info = turns.last()
            if taken[agent]:
                by_turns[agent].append(float(reward))
                assert "shaping" in info
            if ended or cut:
                turns.step(None)
                continue
            turns.step(int(script[taken[agent], int(agent[-1])]))
            taken[agent] += 1
        for agent, paid in by_parallel.items():
            assert by_turns[agent] == pytest.approx(paid)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_equals_stacked_singles(mode: AutoresetMode) -> None:
    copies = 3
    vector = ShapeRewardVector(
        SyncVectorEnv([cart] * copies, autoreset_mode=mode), CART, UPRIGHT
    )
    random = np.random.default_rng(0)
    script = random.integers(2, size=(80, copies))
    vector.reset(seed=0)
    got: list[list[float]] = [[] for _ in range(copies)]
    filler = np.zeros(copies, dtype=bool)
    for actions in script:
        _, rewards, ended, cut, _ = vector.step(actions)
        over = ended | cut
        for k in range(copies):
            if not filler[k]:
                got[k].append(float(rewards[k]))
        filler = (
            over if mode == AutoresetMode.NEXT_STEP else np.zeros(copies, dtype=bool)
        )
        if mode == AutoresetMode.DISABLED and over.any():
            vector.reset(options={"reset_mask": over})
    for k in range(copies):
        env = ShapeReward(cart(), CART, UPRIGHT)
        env.reset(seed=k)
        expected = []
        skip = False
        for actions in script:
            if skip and mode == AutoresetMode.NEXT_STEP:
                skip = False
                env.reset()
                continue
            _, reward, done, out, _ = env.step(int(actions[k]))
            expected.append(float(reward))
            skip = done or out
            if skip and mode != AutoresetMode.NEXT_STEP:
                env.reset()
        assert got[k] == pytest.approx(expected)


def test_supersuit_wrappers_compose_in_either_order() -> None:
    inside = supersuit.black_death_v3(ShapeRewardParallel(corridor(), CORRIDOR, TEAM))
    outside = ShapeRewardParallel(
        supersuit.frame_stack_v1(Corridor(), 2), CORRIDOR, TEAM
    )
    for env in (inside, outside):
        env.reset(seed=0)
        total = 0.0
        while env.agents:
            _, rewards, *_ = env.step(dict.fromkeys(env.agents, 2))
            total += sum(abs(reward) for reward in rewards.values())
        assert total > 0.0


def test_info_tells_base_and_total_and_the_terms_at_the_end() -> None:
    env = ShapeRewardParallel(Corridor(), CORRIDOR, TEAM)
    env.reset(seed=0)
    told: dict[str, Any] = {}
    base = 0.0
    while env.agents:
        _, rewards, _, _, told = env.step(dict.fromkeys(env.agents, 2))
        shaping = told["agent_0"]["shaping"]
        assert shaping["total"] == pytest.approx(rewards["agent_0"])
        base += shaping["base"]
    assert base == 1.0
    assert set(shaping["terms"]) == {"near", "go"}


def test_attributes_and_state_are_reached_through_the_wrapper() -> None:
    features = FeatureMap(Feature("other", "state[1]"))
    signal = Signal(
        terms=(Term(name="s", kind="progress", expression="other", weight=1.0),)
    )
    env = ShapeRewardParallel(Corridor(), features, signal)
    assert env.metadata["name"] == "corridor_v0"
    env.reset(seed=0)
    _, rewards, *_ = env.step({"agent_0": 0, "agent_1": 2})
    assert rewards == {
        "agent_0": pytest.approx(0.2),
        "agent_1": pytest.approx(0.2),
    }


class Numbered(BaseParallelWrapper):
    """The corridor with numbers for names."""

    def __init__(self) -> None:
        super().__init__(Corridor())
        self.possible_agents = [0, 1]

    @property
    def agents(self) -> list[int]:
        return [int(agent[-1]) for agent in self.env.agents]

    def action_space(self, agent: int) -> Any:
        return self.env.action_space(f"agent_{agent}")

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return tuple(self._numbered(part) for part in self.env.reset(seed, options))

    def step(self, actions: Any) -> Any:
        named = {f"agent_{agent}": action for agent, action in actions.items()}
        return tuple(self._numbered(part) for part in self.env.step(named))

    @staticmethod
    def _numbered(part: Any) -> Any:
        return {int(agent[-1]): value for agent, value in part.items()}


def test_agents_may_be_called_anything() -> None:
    only = Term(
        name="on", kind="progress", expression="place", weight=5.0, agents=("1",)
    )
    env: Any = ShapeRewardParallel(Numbered(), CORRIDOR, Signal(terms=(only,)))
    env.reset(seed=0)
    _, rewards, *_ = env.step({0: 2, 1: 2})
    assert rewards == {0: 0.0, 1: pytest.approx(1.0)}


def test_bad_arguments() -> None:
    with pytest.raises(ConfigurationError, match=r"either signal= .* or board="):
        ShapeRewardParallel(Corridor(), CORRIDOR)
    with pytest.raises(ConfigurationError, match="neither a Gymnasium"):
        wrap(object(), CORRIDOR, signal=Signal())
    with pytest.raises(ConfigurationError, match="TupleParallelEnv"):
        wrap(foraging().env, FORAGING, signal=Signal())
    with pytest.raises(ConfigurationError, match="tuple observation and action spaces"):
        TupleParallelEnv(cart(), time_limit=10)
