"""The wrapper contract, for every kind of environment that there is a wrapper for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
from pettingzoo.utils import BaseParallelWrapper, parallel_to_aec

from also_wrappers.catalog import lbforaging, mpe2, rware
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.testing import (
    Corridor,
    Turns,
    check_api,
    check_copies,
    check_deterministic,
    check_identity,
    check_same_rewards,
    check_swap,
    check_vector,
    check_wrapped,
    corridor_features,
)
from also_wrappers.testing.rollouts import one_agent
from also_wrappers.wrappers import Shaping, wrap
from tests.support.environments import Keyed, Walk

FORAGING = "Foraging-8x8-2p-2f-coop-v3"
CASES: dict[str, tuple[Any, FeatureMap]] = {
    "corridor": (partial(Corridor, mortal=True), corridor_features()),
    "turns": (Turns, corridor_features()),
    "turns_by_chance": (partial(Turns, agents=3, by_chance=True), corridor_features()),
    "foraging": (
        partial(lbforaging.parallel_env, FORAGING),
        lbforaging.features(lbforaging.parallel_env(FORAGING)),
    ),
    "warehouse": (
        partial(rware.parallel_env, "rware-tiny-2ag-v2"),
        rware.features(rware.parallel_env("rware-tiny-2ag-v2")),
    ),
    "cartpole": (
        partial(gym.make, "CartPole-v1", max_episode_steps=30),
        FeatureMap.from_spaces(gym.make("CartPole-v1")),
    ),
    "pendulum": (
        partial(gym.make, "Pendulum-v1", max_episode_steps=30),
        FeatureMap(Feature("cosine", "obs[0]"), Feature("torque", "action[0]")),
    ),
    "keyed": (Keyed, FeatureMap.from_spaces(Keyed())),
    "spread": (
        partial(simple_spread_v3.parallel_env, N=2, max_cycles=25),
        FeatureMap(Feature("velocity", "obs[0:2]")),
    ),
    "speaker_listener": (
        partial(simple_speaker_listener_v4.parallel_env, max_cycles=25),
        mpe2.speaker_listener_features(simple_speaker_listener_v4.parallel_env()),
    ),
    "tag": (
        partial(simple_tag_v3.parallel_env, max_cycles=25),
        mpe2.tag_features(simple_tag_v3.parallel_env()),
    ),
}


def some_signal(features: FeatureMap) -> Signal:
    """Terms of every kind; a bonus that reads the action where there is one."""
    state = [name for name in features.names if name not in features.action_names]
    one, other = state[0], state[-1]
    acted = sorted(features.action_names)[0] if features.action_names else one
    return Signal(
        terms=(
            Term(name="p", kind="potential", expression=f"{one} ** 2", weight=0.5),
            Term(
                name="q",
                kind="progress",
                expression=f"team_mean({other}) - {one}",
                weight=0.3,
            ),
            Term(
                name="b",
                kind="bonus",
                expression=f"where({acted} > 0, 0.1, delta({one}))",
                weight=1.0,
            ),
        )
    )


@pytest.mark.parametrize("name", CASES)
def test_everything_holds(name: str) -> None:
    make_env, features = CASES[name]
    check_wrapped(make_env, features, some_signal(features))


class Unseeded(Corridor):
    """Forgets what it is seeded with."""

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return super().reset(None, options)


def test_what_was_checked_is_told_and_who_ignores_the_seed() -> None:
    features = FeatureMap(Feature("place", lambda view: float(view.observation[0])))
    go = Signal(
        terms=(Term(name="go", kind="progress", expression="place", weight=1.0),)
    )
    checked = check_wrapped(Corridor, features, go, steps=40)
    assert "copies go on as the original does: cloudpickle" in checked
    assert "copies go on as the original does: pickle" not in checked
    assert "potentials sum up to their closed form for every agent" in checked
    with pytest.raises(AssertionError, match="the environment ignores its seed"):
        check_wrapped(partial(Unseeded, length=40), features, go, steps=40)


class Leaks(BaseParallelWrapper[str, Any, Any]):
    """A wrapper that breaks the contract."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        return observations, {a: r + 1e-12 for a, r in rewards.items()}, *rest


class Forgets(BaseParallelWrapper[str, Any, Any]):
    """A wrapper that keeps the seed to itself."""

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return self.env.reset(options=options)


class Counts(BaseParallelWrapper[str, Any, Any]):
    """A wrapper whose copies do not start as it does."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.copied = 0

    def __reduce__(self) -> Any:
        return _counted, (self.env,)

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        return observations, {a: r + self.copied for a, r in rewards.items()}, *rest


def _counted(env: Any) -> Counts:
    copy = Counts(env)
    copy.copied = 1
    return copy


class Lazy(gym.Wrapper[Any, Any, Any, Any]):
    """Pays one more from the second step of an episode on."""

    def reset(self, **arguments: Any) -> Any:
        self.steps = 0
        return self.env.reset(**arguments)

    def step(self, action: Any) -> Any:
        self.steps += 1
        observation, reward, *rest = self.env.step(action)
        return observation, float(reward) + (self.steps > 1), *rest


def test_what_breaks_the_contract_is_found() -> None:
    features = corridor_features()
    with pytest.raises(AssertionError, match="seed 0, step 1"):
        check_identity(Corridor, Leaks)
    with pytest.raises(AssertionError, match="two rollouts with one seed differ"):
        check_deterministic(lambda: Forgets(Corridor(length=40)))
    with pytest.raises(AssertionError, match="a copy by pickle differs"):
        check_copies(lambda: Counts(Corridor()))
    with pytest.raises(AssertionError, match="step 1, sub-environment 0"):
        check_vector(
            lambda: gym.make("CartPole-v1"),
            lambda env: Lazy(env) if isinstance(env, gym.Env) else env,
        )
    with pytest.raises(AssertionError, match="AEC against parallel"):
        check_same_rewards(
            Corridor, lambda env: env if hasattr(env, "last") else Leaks2(env)
        )
    with pytest.raises(AssertionError, match="AEC against parallel: told"):
        check_same_rewards(
            lambda: wrap(Corridor(), features, signal=some_signal(features)),
            lambda env: env if hasattr(env, "last") else Lies(env),
        )
    with pytest.raises(AssertionError, match="does not hold plain floats"):
        check_same_rewards(
            lambda: wrap(Corridor(), features, signal=some_signal(features)),
            lambda env: env if hasattr(env, "last") else Lies(env, np.float32(0)),
        )
    with pytest.raises(AssertionError, match="step 0, sub-environment 0: told None"):
        check_vector(Walk, lambda env: Silent(go(env)) if is_vector(env) else go(env))
    with pytest.raises(AssertionError, match="same space object"):
        check_api(Spaceless)
    with pytest.raises(AssertionError, match="empty signal changed something"):
        check_swap(lambda: Flickers(Corridor()), features, some_signal(features))


class Leaks2(Leaks):
    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        return observations, {a: r + 0.5 for a, r in rewards.items()}, *rest


class Lies(BaseParallelWrapper[str, Any, Any]):
    """Pays right and tells another base reward."""

    def __init__(self, env: Any, lie: Any = 7.0) -> None:
        super().__init__(env)
        self.lie = lie

    def step(self, actions: Any) -> Any:
        *rest, infos = self.env.step(actions)
        for info in infos.values():
            info["shaping"]["base"] = self.lie
        return *rest, infos


class Silent(VectorWrapper):
    """Pays right and tells nothing."""

    def step(self, actions: Any) -> Any:
        *rest, infos = self.env.step(actions)
        del infos["shaping"], infos["_shaping"]
        return *rest, infos


class Spaceless(Corridor):
    def action_space(self, agent: str) -> Any:
        return gym.spaces.Discrete(3)


class Flickers(BaseParallelWrapper[str, Any, Any]):
    """Pays by chance."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        luck = float(np.random.default_rng().random())
        return observations, dict.fromkeys(rewards, luck), *rest


def test_wrapping_twice_adds_twice() -> None:
    features = corridor_features()
    signal = some_signal(features)
    bare, once, twice = (
        Corridor(),
        wrap(Corridor(), features, signal=signal),
        wrap(wrap(Corridor(), features, signal=signal), features, signal=signal),
    )
    paid = []
    for env in (bare, once, twice):
        env.reset(seed=0)
        paid.append(env.step({"agent_0": 2, "agent_1": 1})[1]["agent_0"])
    assert paid[1] != paid[0]
    assert paid[2] - paid[1] == pytest.approx(paid[1] - paid[0])


WALK = FeatureMap(Feature("place", "obs[0]"), Feature("push", "action"))
ON = Signal(
    terms=(
        Term(name="near", kind="potential", expression="place - 3", weight=0.5),
        Term(name="go", kind="progress", expression="place ** 2", weight=2.0),
        Term(name="push", kind="bonus", expression="push - 0.25", weight=0.1),
    )
)
GAMMA = 0.9
#: An episode that terminates and one that is truncated.
EPISODES = [[1, 0, 1, 1], [0, 1, 0, 0, 1, 0]]


def go(env: Any) -> Any:
    """Puts the wrapper around a walk."""
    return wrap(env, WALK, signal=ON, gamma=GAMMA)


def is_vector(env: Any) -> bool:
    return isinstance(env, VectorEnv)


def expected() -> list[Shaping]:
    """What every step of the walk must tell, computed from the definitions of terms."""
    shapings = []
    for pushes in EPISODES:
        place = 0
        terms = {"near": 0.0, "go": 0.0, "push": 0.0}
        for t, push in enumerate(pushes):
            then, place = place, place + push
            done = place == 3
            paid = {
                "near": 0.5 * ((0.0 if done else GAMMA * (place - 3)) - (then - 3)),
                "go": 2.0 * (place**2 - then**2),
                "push": 0.1 * (push - 0.25),
            }
            terms = {name: terms[name] + paid[name] for name in terms}
            base = float(done)
            total = base + sum(paid.values())
            shaping = Shaping(base=base, total=total, signal=ON.id)
            if t == len(pushes) - 1:
                shaping["terms"] = terms
            shapings.append(shaping)
    return shapings


def single_tells() -> list[Any]:
    env = go(Walk())
    shapings = []
    for pushes in EPISODES:
        env.reset(seed=0)
        shapings += [env.step(push)[4]["shaping"] for push in pushes]
    return shapings


def parallel_tells() -> list[Any]:
    env = go(one_agent(Walk)())
    shapings = []
    for pushes in EPISODES:
        env.reset(seed=0)
        steps = [env.step({"agent": push}) for push in pushes]
        shapings += [step[4]["agent"]["shaping"] for step in steps]
    return shapings


def aec_tells() -> list[Any]:
    env = go(parallel_to_aec(one_agent(Walk)()))
    shapings = []
    for pushes in EPISODES:
        env.reset(seed=0)
        for push in pushes:
            env.step(push)
            shapings.append(env.last()[4]["shaping"])
    return shapings


def element(value: Any, k: int) -> Any:
    """One element of a vector's info: of an array, or of all that a dict has for it."""
    if not isinstance(value, dict):
        return value[k]
    names = [name for name in value if f"_{name}" in value and value[f"_{name}"][k]]
    return {name: element(value[name], k) for name in names}


def vector_tells(mode: AutoresetMode) -> list[Any]:
    """What a walk is told beside another one, which only ever stays."""
    env = go(SyncVectorEnv([Walk] * 2, autoreset_mode=mode))
    env.reset(seed=0)
    shapings = []
    for pushes in EPISODES:
        for push in pushes:
            _, _, ended, cut, infos = env.step(np.array([0, push]))
            info = element(infos, 1)
            final = mode == AutoresetMode.SAME_STEP and (ended | cut)[1]
            shapings.append(info["final_info"]["shaping"] if final else info["shaping"])
            if mode == AutoresetMode.DISABLED and (ended | cut).any():
                env.reset(options={"reset_mask": ended | cut})
        if mode == AutoresetMode.NEXT_STEP:
            infos = env.step(np.array([0, 1]))[4]
            assert "shaping" not in element(infos, 1)
    return shapings


TELLS: dict[str, Callable[[], list[Any]]] = {
    "single": single_tells,
    "parallel": parallel_tells,
    "aec": aec_tells,
    **{f"vector, {mode.value}": partial(vector_tells, mode) for mode in AutoresetMode},
}


@pytest.mark.parametrize("kind", TELLS)
def test_every_wrapper_tells_the_same(kind: str) -> None:
    shapings = TELLS[kind]()
    for shaping, right in zip(shapings, expected(), strict=True):
        assert shaping.keys() == right.keys()
        assert shaping["signal"] == right["signal"]
        for number in ("base", "total", "terms"):
            assert shaping.get(number) == pytest.approx(right.get(number), abs=1e-12)
