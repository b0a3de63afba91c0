"""The wrapper contract, for every kind of environment that there is a wrapper for."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from mpe2 import simple_spread_v3
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.catalog import lbforaging
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.testing import (
    Corridor,
    check_deterministic,
    check_identity,
    corridor_features,
)
from also_wrappers.wrappers import wrap

FORAGING = "Foraging-8x8-2p-2f-coop-v3"
CASES: dict[str, tuple[Any, FeatureMap]] = {
    "corridor": (lambda: Corridor(mortal=True), corridor_features()),
    "foraging": (
        lambda: lbforaging.parallel_env(FORAGING),
        lbforaging.features(lbforaging.parallel_env(FORAGING)),
    ),
    "cartpole": (
        lambda: gym.make("CartPole-v1"),
        FeatureMap(Feature("angle", "obs[2]"), Feature("push", "action")),
    ),
    "pendulum": (
        lambda: gym.make("Pendulum-v1"),
        FeatureMap(Feature("cosine", "obs[0]"), Feature("torque", "action[0]")),
    ),
    "spread": (
        lambda: simple_spread_v3.parallel_env(N=2, max_cycles=25),
        FeatureMap(Feature("velocity", "obs[0:2]")),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_empty_signal_changes_nothing(name: str) -> None:
    make_env, features = CASES[name]
    check_identity(make_env, lambda env: wrap(env, features, signal=Signal()))


@pytest.mark.parametrize("name", CASES)
def test_shaped_environments_are_deterministic(name: str) -> None:
    make_env, features = CASES[name]
    term = Term(
        name="t", kind="progress", expression=f"{features.names[0]} ** 2", weight=1.0
    )
    signal = Signal(terms=(term,))
    check_deterministic(lambda: wrap(make_env(), features, signal=signal))


class Leaks(BaseParallelWrapper):
    """A wrapper that breaks the contract."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        return observations, {a: r + 1e-12 for a, r in rewards.items()}, *rest


class Forgets(BaseParallelWrapper):
    """A wrapper that keeps the seed to itself."""

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return self.env.reset(options=options)


def test_a_wrapper_that_breaks_the_contract_is_found() -> None:
    with pytest.raises(AssertionError, match="seed 0, step 1"):
        check_identity(Corridor, Leaks)
    with pytest.raises(AssertionError, match="two rollouts with one seed differ"):
        check_deterministic(lambda: Forgets(Corridor(length=40)))
