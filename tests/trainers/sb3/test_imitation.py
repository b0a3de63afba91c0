"""Imitation: every label belongs to its observation, and the policy follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import supersuit
import torch as th
from gymnasium import spaces
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecEnv,
    VecFrameStack,
    VecNormalize,
)

from also_wrappers.branches.randomness import randomness_restored
from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import (
    Action,
    Actions,
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Signal,
)
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.fork import EnoughError
from also_wrappers.trainers.sb3.imitation import ImitationCallback
from also_wrappers.trainers.sb3.likelihood import LikelihoodImitation
from also_wrappers.trainers.sb3.snapshots import describe_model, load, save
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import wrap
from tests.support.experts import recorded

ACTIONS = Actions((Action("left", 0), Action("stay", 1), Action("right", 2)))
FEATURES = FeatureMap(Feature("x", "obs[0]"))
TURN = Signal(
    expert=Expert(
        rules=(Rule(when="x > 0.2", do="left"), Rule(when="x < -0.2", do="right"))
    )
)
SILENT = Signal(expert=Expert(rules=(Rule(when="0", do="left"),)))
EVERY = Signal(expert=Expert(rules=(Rule(when="1", do="right"),)))
BOTH = Actions((Action("left", 0, (-1,)), Action("right", 2, (-1,))), {"it": ("x",)})
EITHER = Signal(expert=Expert(rules=(Rule(when="1", do="away it"),)))


class Flicker(gym.Env[Any, Any]):
    """Shows noise, in episodes of random lengths."""

    def __init__(self, seed: int = 0, in_dict: bool = False) -> None:
        box = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict({"seen": box}) if in_dict else box
        self.action_space = spaces.Discrete(3)
        self._in_dict = in_dict
        self._chance = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        ended, cut = self._chance.random(2) < 0.2
        return self._observe(), 0.0, bool(ended), bool(cut), {}

    def action_masks(self) -> Any:
        return [True, False, True]

    def _observe(self) -> Any:
        seen = self._chance.uniform(-1.0, 1.0, 2).astype(np.float32)
        return {"seen": seen} if self._in_dict else seen


def flickers(
    signal: Signal = TURN, in_dict: bool = False, actions: Actions = ACTIONS
) -> list[Callable[[], Any]]:
    path = "obs.seen[0]" if in_dict else "obs[0]"
    features = FeatureMap(Feature("x", path))

    def maker(k: int) -> Callable[[], Any]:
        return lambda: wrap(
            Flicker(k, in_dict), features, signal=signal, actions=actions
        )

    return [maker(k) for k in range(3)]


class Pair(Corridor):
    """The corridor with random places, so that every observation is new."""

    def _observe(self) -> dict[str, Any]:
        return {
            agent: self._randomness.uniform(-1.0, 1.0, 2).astype(np.float32)
            for agent in self.agents
        }


def pairs() -> PettingZooVecEnv:
    return PettingZooVecEnv(
        lambda: wrap(
            Pair(limit=7, mortal=True), FEATURES, signal=TURN, actions=ACTIONS
        ),
        num_envs=3,
    )


class Labels(BaseCallback):
    """Collects what was observed, as it is without wrappers, and its labels."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[float, int]] = []

    def _on_training_start(self) -> None:
        assert isinstance(self.model, OnPolicyAlgorithm)
        self._imitation = LikelihoodImitation(self.model, Earned())
        self._seen = [self._original()]

    def _original(self) -> Any:
        venv = self.training_env
        if isinstance(venv, VecNormalize):
            return venv.get_original_obs()
        return np.array(self.model._last_obs)[:, -2:]

    def _on_step(self) -> bool:
        self._imitation.step(self.locals["infos"], self.locals["dones"])
        venv = self.training_env
        self._seen.append(
            venv.get_original_obs()
            if isinstance(venv, VecNormalize)
            else self.locals["new_obs"][:, -2:]
        )
        return True

    def _on_rollout_end(self) -> None:
        self._imitation.end()
        assert self._imitation._rollout is not None
        labels = self._imitation._rollout.advice
        for seen, bits in zip(self._seen, labels, strict=False):
            self.pairs += zip(seen[:, 0].tolist(), bits.tolist(), strict=True)
        self._seen = self._seen[-1:]


@pytest.mark.parametrize(
    "make_venv",
    [
        lambda: DummyVecEnv(flickers()),
        lambda: SubprocVecEnv(flickers(), start_method="fork"),
        lambda: VecNormalize(DummyVecEnv(flickers())),
        lambda: VecFrameStack(DummyVecEnv(flickers()), 2),
        pairs,
    ],
    ids=["dummy", "subproc", "normalize", "stack", "pettingzoo"],
)
def test_labels_belong_to_their_observations_across_resets(
    make_venv: Callable[[], VecEnv],
) -> None:
    venv = make_venv()
    model = PPO("MlpPolicy", venv, n_steps=16, batch_size=16, seed=0, device="cpu")
    labels = Labels()
    model.learn(100, labels)
    model.learn(100, labels, reset_num_timesteps=False)  # in the midst of episodes
    venv.close()
    first = labels.pairs[len(labels.pairs) // 2 :][: venv.num_envs]
    known = [pair for pair in labels.pairs if pair not in first]
    assert len(known) > 150
    for x, bits in known:
        gone = isinstance(venv, PettingZooVecEnv) and x == 0.0  # shown as zeros
        assert bits == (0 if gone else 1 if x > 0.2 else 4 if x < -0.2 else 0)
    assert {bits for _, bits in known} == {0, 1, 4}


def probabilities(model: Any, x: float, **more: Any) -> Any:
    policy = model.policy
    seen = np.array([[x, 0.0]], dtype=np.float32)
    observation = {"seen": seen} if "Dict" in str(model.observation_space) else seen
    tensor = policy.obs_to_tensor(observation)[0]
    with th.no_grad():
        return policy.get_distribution(tensor, **more).distribution.probs[0].numpy()


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("in_dict", [False, True])
def test_the_policy_does_as_advised(algorithm: Any, in_dict: bool) -> None:
    venv = DummyVecEnv(flickers(in_dict=in_dict))
    kind = "MultiInputPolicy" if in_dict else "MlpPolicy"
    settings = {"batch_size": 64} if algorithm is PPO else {}
    model = algorithm(
        kind, venv, n_steps=64, learning_rate=3e-3, seed=0, device="cpu", **settings
    )
    callback = ImitationCallback()
    model.learn(64 * 3 * 8, callback)
    assert callback.agreement is not None
    assert callback.agreement > 0.8
    assert probabilities(model, 0.8)[0] > 0.9
    assert probabilities(model, -0.8)[2] > 0.9


def test_the_states_of_the_last_rollout_are_imitated_too() -> None:
    """An update that nothing follows must not be what a training ends with."""
    callback = ImitationCallback()
    model = PPO("MlpPolicy", corridors(), n_steps=32, batch_size=64, seed=5)
    model.learn(1, callback)
    first = callback.agreement
    assert first is not None
    model.learn(1, callback, reset_num_timesteps=False)
    assert callback.agreement is not None
    assert callback.agreement > first


def test_the_aim_is_uniform_over_the_good_actions() -> None:
    venv = DummyVecEnv(flickers(EITHER, actions=BOTH))
    model = PPO(
        "MlpPolicy", venv, n_steps=64, batch_size=64, learning_rate=3e-3, seed=0
    )
    policy: Any = model.policy
    with th.no_grad():
        policy.action_net.bias.copy_(th.tensor([2.0, 0.0, 0.0]))
    model.learn(64 * 3 * 8, ImitationCallback())
    # Away from x: any step to the left where x is positive, and no other way.
    likely = probabilities(model, 0.5)
    assert likely[1] < 0.05
    # The algorithm's own updates are noise here. The sum of the good actions'
    # probabilities would have left them where they began, at .88 and .12.
    np.testing.assert_allclose(likely[[0, 2]], 0.5, atol=0.25)


@pytest.mark.parametrize(("signal", "pull"), [(SILENT, 1.0), (TURN, 0.0)])
def test_without_advice_or_pull_training_is_the_same_bit_for_bit(
    signal: Signal, pull: float
) -> None:
    ends = []
    for callback in (None, ImitationCallback(pull)):
        venv = DummyVecEnv(flickers(signal))
        model = PPO("MlpPolicy", venv, n_steps=16, batch_size=16, seed=1)
        model.learn(200, callback)
        ends.append(model)
    assert same(*ends)


def same(one: Any, other: Any) -> bool:
    states = one.policy.state_dict(), other.policy.state_dict()
    return all(th.equal(a, b) for a, b in zip(*map(dict.values, states), strict=True))


def test_what_a_mask_forbids_is_not_imitated() -> None:
    right = Signal(
        expert=Expert(rules=(Rule(when="x > 0", do="stay"), Rule(when="1", do="right")))
    )
    venv = DummyVecEnv(flickers(right))
    model = MaskablePPO("MlpPolicy", venv, n_steps=64, batch_size=64, seed=0)
    imitation = Labels()
    model.learn(192, imitation)
    policy = {name: value.clone() for name, value in model.policy.state_dict().items()}
    agreement = imitation._imitation.start(1.0)
    assert agreement is not None
    assert 0.2 < agreement < 0.8, "only what is not masked counts"
    assert any(
        not th.equal(value, policy[name])
        for name, value in model.policy.state_dict().items()
    )
    for value in model.policy.state_dict().values():
        assert value.isfinite().all()
    before = probabilities(model, -0.5, action_masks=np.array([[True, False, True]]))
    assert before[1] < 1e-6


def corridors() -> PettingZooVecEnv:
    on = Signal(expert=Expert(rules=(Rule(when="place < 1", do="right"),)))
    return PettingZooVecEnv(
        lambda: wrap(Corridor(), corridor_features(), signal=on, actions=ACTIONS), 4
    )


class Pausing(ImitationCallback):
    """Imitates, then calls a function once, and leaves after so many steps."""

    def __init__(
        self, until: int, pull: float, act: Callable[[Any], None] | None = None
    ) -> None:
        super().__init__(pull)
        self._until = until
        self._act = act

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        if self._act is not None and self.num_timesteps >= 512:
            self._act(self.model)
            self._act = None
        if self.num_timesteps >= self._until:
            raise EnoughError


def trained(model: Any, callback: Pausing) -> Any:
    with pytest.raises(EnoughError):
        model.learn(10**6, callback, reset_num_timesteps=False)
    return model


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_branches_repeat_and_leave_no_trace(algorithm: Any, tmp_path: Path) -> None:
    settings = {"n_steps": 32, "batch_size": 64} if algorithm is PPO else {"n_steps": 8}

    def made() -> Any:
        return algorithm("MlpPolicy", corridors(), seed=5, device="cpu", **settings)

    def branch(path: Path, pull: float) -> Any:
        described = describe_model(made())
        model = load(algorithm, described, path, corridors(), {"verbose": 0}, False)
        model.set_random_seed(11)
        return trained(model, Pausing(model.num_timesteps + 512, pull))

    branches: list[Any] = []

    def fork(model: Any) -> None:
        with randomness_restored():
            save(model, tmp_path / "snapshot")
            branches.extend(
                branch(tmp_path / "snapshot", pull) for pull in (1.0, 1.0, 0.0)
            )

    plain = trained(made(), Pausing(1536, 1.0))
    forked = trained(made(), Pausing(1536, 1.0, fork))
    assert same(plain, forked)
    assert same(branches[0], branches[1])
    assert not same(branches[0], branches[2])


def test_vectors_that_lose_the_infos_of_resets_are_refused() -> None:
    env = wrap(Corridor(), corridor_features(), signal=EVERY, actions=ACTIONS)
    venv = supersuit.concat_vec_envs_v1(
        supersuit.pettingzoo_env_to_vec_env_v1(env), 2, base_class="stable_baselines3"
    )
    model = PPO("MlpPolicy", venv, n_steps=16, batch_size=16)
    with pytest.raises(ConfigurationError, match="use PettingZooVecEnv, DummyVecEnv"):
        model.learn(100, ImitationCallback())


def test_models_that_cannot_imitate_are_refused() -> None:
    venv = DummyVecEnv(flickers())
    pendulum = DummyVecEnv([lambda: gym.make("Pendulum-v1")])
    for model, message in (
        (DQN("MlpPolicy", venv), "replay_buffer_class=ShapedReplayBuffer and"),
        (RecurrentPPO("MlpLstmPolicy", venv), "depends on hidden states"),
        (PPO("MlpPolicy", pendulum), "have to say a direction, .*actions discrete"),
        (SAC("MlpPolicy", pendulum), "have to say a direction, .*actions discrete"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            model.learn(100, ImitationCallback())


def test_without_an_expert_in_force_it_says_what_to_do() -> None:
    venv = DummyVecEnv(flickers(Signal()))
    model = PPO("MlpPolicy", venv, n_steps=16, batch_size=16)
    with pytest.raises(ConfigurationError, match="no environment told what an expert"):
        model.learn(100, ImitationCallback())
    for pull in (-1.0, "1", None, Signal()):
        with pytest.raises(ConfigurationError, match="the pull is a weight"):
            ImitationCallback(pull)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_sparse_task_is_learned_in_a_fraction_of_the_steps() -> None:
    """Plain PPO has seen next to no reward by then."""

    def foraging(shaped: bool) -> Callable[[], Any]:
        def make() -> Any:
            env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
            features = lbforaging.features(env, experts=True)
            actions = lbforaging.actions(env)
            signal = recorded("foraging")
            return (
                wrap(env, features, signal=signal, actions=actions) if shaped else env
            )

        return make

    model = PPO(
        "MlpPolicy",
        PettingZooVecEnv(foraging(shaped=True), 16),
        n_steps=64,
        batch_size=256,
        n_epochs=5,
        learning_rate=1e-3,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [128, 128]},
        seed=0,
        device="cpu",
    )
    model.learn(49_152, ImitationCallback())
    bare = foraging(shaped=False)
    evaluation = evaluate(model, lambda shape: PettingZooVecEnv(bare, 10), episodes=100)
    assert evaluation.mean > 0.6
