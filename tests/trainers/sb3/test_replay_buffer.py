"""Samples of the shaped buffers are paid what the active signal would have paid."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Fade, Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.replay_buffer import (
    Relabelling,
    ShapedDictReplayBuffer,
    ShapedNStepReplayBuffer,
    ShapedReplayBuffer,
)
from also_wrappers.trainers.sb3.trainer import check_model
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import wrap
from also_wrappers.wrappers.shape import Shape

GAMMA = 0.9
FEATURES = {
    "team": corridor_features(),
    "pole": FeatureMap(Feature("angle", "obs[2]"), Feature("speed", "obs[3]")),
    "dict": FeatureMap(
        Feature("angle", "obs.seen[2]"), Feature("speed", "obs.seen[3]")
    ),
}
OLD = Signal(terms=(Term(name="x", kind="bonus", expression="0 + 1", weight=0.3),))


def signal(kind: str) -> Signal:
    """All kinds of terms, with a reduction, a value that is not finite and a bound."""
    one, two = ("place", "team_max(place)")
    if kind != "team":
        one, two = ("angle", "speed / (angle - angle)")
    return Signal(
        terms=(
            Term(name="a", kind="potential", expression=f"1 - {one} ** 2", weight=1.5),
            Term(name="b", kind="progress", expression=two, weight=-0.5),
            Term(name="c", kind="bonus", expression=f"delta({one}) * 9", weight=1.0),
            Term(name="d", kind="potential", expression=f"7 * {one}", weight=0.2),
            Term(name="e", kind="bonus", expression="2", weight=1.0, bound=1.0),
        )
    )


class Seen(gym.ObservationWrapper[Any, Any, Any]):
    """Observations as dictionaries."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        space = spaces.Dict({"seen": env.observation_space, "one": spaces.Discrete(2)})
        self.observation_space = space

    def observation(self, observation: Any) -> dict[str, Any]:
        return {"seen": observation, "one": 1}


def make_venv(kind: str, shape: Callable[[Any], Any]) -> VecEnv:
    def pole() -> Any:
        env = gym.make("CartPole-v1", max_episode_steps=11)
        return shape(Seen(env) if kind == "dict" else env)

    if kind == "team":
        return PettingZooVecEnv(
            lambda: shape(Corridor(agents=3, limit=7, mortal=True)), 2
        )
    return DummyVecEnv([pole] * 3)


class Play:
    """A buffer that was filled under an old signal, and what another would have paid.

    Attributes:
        buffer: The buffer.
        expected: Rewards under the other signal, in the order of the buffer's rows.
        steps: Transitions stored per index.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        buffer_class: type[Relabelling],
        steps: int = 130,
        size: int = 50,
        **settings: Any,
    ) -> None:
        bootstraps = bool(settings.get("handle_timeout_termination", True))
        posting = Posting(
            version=3, signal=OLD, gamma=GAMMA, bootstraps_truncation=bootstraps
        )
        self.board = Board.create(folder / "board", posting)
        self.shape = Shape(Task("Go.", FEATURES[kind]), self.board)
        self.other = signal(kind)
        venv = make_venv(kind, self.shape)
        reference = make_venv(
            kind,
            lambda env: wrap(
                env,
                FEATURES[kind],
                signal=self.other,
                gamma=GAMMA,
                bootstraps_truncation=bootstraps,
            ),
        )
        self.buffer = buffer_class(
            size * venv.num_envs,
            venv.observation_space,
            venv.action_space,
            "cpu",
            n_envs=venv.num_envs,
            shape=self.shape,
            **settings,
        )
        random = np.random.default_rng(0)
        assert isinstance(venv.action_space, spaces.Discrete)
        choices = int(venv.action_space.n)
        paid = np.zeros((steps, venv.num_envs), dtype=np.float64)
        for other in (venv, reference):
            other.seed(5)
        seen = venv.reset()
        reference.reset()
        self.old: list[npt.NDArray[Any]] = []
        for t in range(steps):
            actions = random.integers(choices, size=venv.num_envs)
            after, rewards, dones, infos = venv.step(actions)
            paid[t] = reference.step(actions)[1]
            following: Any = after
            for i in np.flatnonzero(dones):
                last = infos[i]["terminal_observation"]
                if isinstance(following, dict):
                    for key in following:
                        following[key] = following[key].copy()
                        following[key][i] = last[key]
                else:
                    following = following.copy()
                    following[i] = last
            self.buffer.add(seen, following, actions, rewards, dones, infos)
            self.old.append(rewards)
            seen = after
        self.expected = np.zeros((size, venv.num_envs))
        for t in range(max(0, steps - size), steps):
            self.expected[t % size] = paid[t]
            self.old[t % size] = self.old[t]

    def swap(self, **update: Any) -> None:
        posting = self.board.read()
        update = {"signal": self.other, "version": posting.version + 1} | update
        self.board.post(posting.model_copy(update=update))


FORMS = [
    ("team", ShapedReplayBuffer, {}),
    ("team", ShapedReplayBuffer, {"handle_timeout_termination": False}),
    ("pole", ShapedReplayBuffer, {}),
    ("pole", ShapedNStepReplayBuffer, {"n_steps": 4, "gamma": GAMMA}),
    (
        "pole",
        ShapedReplayBuffer,
        {"optimize_memory_usage": True, "handle_timeout_termination": False},
    ),
    ("dict", ShapedDictReplayBuffer, {}),
]


@pytest.mark.parametrize("steps", [40, 130], ids=["part", "wrapped"])
@pytest.mark.parametrize(("kind", "form", "settings"), FORMS)
def test_a_swap_changes_the_past(
    kind: str, form: Any, settings: dict[str, Any], steps: int, tmp_path: Path
) -> None:
    play = Play(kind, tmp_path, form, steps, **settings)
    filled = slice(0, min(steps, 50))
    old = np.array(play.old[:50])[filled]
    np.testing.assert_allclose(play.buffer.rewards[filled], old, atol=1e-5)
    play.swap()
    found = play.buffer.rewards[filled]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, play.expected[filled], atol=2e-5)
    assert np.abs(found - old).max() > 0.1
    play.swap(signal=Signal())
    base = play.buffer.rewards[filled]
    assert set(np.unique(base)) <= {0.0, 1.0}
    play.swap(strength=0.25)
    weak = play.buffer.rewards[filled]
    np.testing.assert_allclose(weak - base, 0.25 * (found - base), atol=2e-5)


@pytest.mark.parametrize(("kind", "form", "settings"), FORMS)
def test_samples_are_paid_by_the_new_signal(
    kind: str, form: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    play = Play(kind, tmp_path, form, **settings)
    play.swap()
    buffer, count, steps = play.buffer, 400, settings.get("n_steps", 1)
    np.random.seed(1)
    batch = buffer.sample(count)
    np.random.seed(1)  # SB3 draws the rows, then the indices
    if buffer.optimize_memory_usage:
        rows = (np.random.randint(1, 50, size=count) + buffer.pos) % 50
    else:
        rows = np.random.randint(0, 50, size=count)
    places = np.random.randint(0, buffer.n_envs, size=count)
    expected = []
    for row, place in zip(rows, places, strict=True):
        total = 0.0
        for n in range(steps):
            at = (row + n) % 50
            total += GAMMA**n * play.expected[at, place]
            if buffer.dones[at, place] or at == (buffer.pos - 1) % 50:
                break
        expected.append(total)
    found = batch.rewards.flatten()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_signal_that_fades_fades_in_the_samples(tmp_path: Path) -> None:
    play = Play("pole", tmp_path, ShapedReplayBuffer)
    play.swap(fade=Fade(begin=0, end=260))
    half = np.asarray(play.buffer.rewards[:]) - 1.0
    np.testing.assert_allclose(half, (play.expected - 1.0) / 2.0, atol=2e-5)


@pytest.mark.parametrize(("kind", "form", "settings"), FORMS)
def test_what_is_stored_travels(
    kind: str, form: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    play = Play(kind, tmp_path, form, 40, **settings)
    play.swap()
    expected = play.buffer.rewards[:]
    other = Play(kind, tmp_path / "other", form, 3, **settings).buffer
    other.load(play.buffer.state())
    assert (other.pos, other.full) == (40, False)
    np.testing.assert_array_equal(
        other.rewards.base[:40], play.buffer.rewards.base[:40]
    )
    np.testing.assert_array_equal(
        other.rewards.rows[:40], play.buffer.rewards.rows[:40]
    )
    again = pickle.loads(pickle.dumps(play.buffer))  # as SB3's save_replay_buffer
    np.testing.assert_array_equal(again.rewards[:], expected)


def test_rows_of_transitions_are_cut_where_environments_change(tmp_path: Path) -> None:
    play = Play("pole", tmp_path, ShapedNStepReplayBuffer, 40, n_steps=3, gamma=GAMMA)
    play.buffer.cut()
    ended = np.maximum(play.buffer.dones[39], play.buffer.timeouts[39])
    np.testing.assert_array_equal(ended, 1.0)
    assert play.buffer.timeouts[:39].sum() == 3 * (39 // 11)
    kept: dict[str, Any] = {
        "optimize_memory_usage": True,
        "handle_timeout_termination": False,
    }
    play = Play("pole", tmp_path, ShapedReplayBuffer, 40, **kept)
    play.buffer.cut()
    np.testing.assert_array_equal(play.buffer.dones[39], 1.0)
    plain = Play("pole", tmp_path, ShapedReplayBuffer, 40).buffer
    before = plain.state()["dones"].copy()
    plain.cut()
    np.testing.assert_array_equal(plain.state()["dones"], before)


class Doubled(gym.RewardWrapper[Any, Any]):
    """Changes rewards outside of the shape."""

    def reward(self, reward: Any) -> float:
        return 2.0 * float(reward)


def model_of(folder: Path, outside: Callable[[Any], Any], **settings: Any) -> Any:
    board = Board.create(folder / "board", Posting(version=1))
    shape = Shape(Task("Up.", FEATURES["pole"]), board)
    venv = DummyVecEnv([lambda: outside(shape(gym.make("CartPole-v1")))])
    held = {"shape": shape, **settings.pop("replay_buffer_kwargs", {})}
    settings = {"replay_buffer_class": ShapedReplayBuffer} | settings
    return DQN(
        "MlpPolicy",
        venv,
        buffer_size=100,
        device="cpu",
        replay_buffer_kwargs=held,
        **settings,
    )


def test_what_cannot_be_relabelled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="something changes rewards outside"):
        model_of(tmp_path, Doubled).learn(10)
    with pytest.raises(ConfigurationError, match="no environment tells its features"):
        model_of(tmp_path, lambda env: gym.make("CartPole-v1")).learn(10)
    with pytest.raises(ConfigurationError, match=r"shape must be run\.shape"):
        model_of(tmp_path, lambda e: e, replay_buffer_kwargs={"shape": lambda e: e})
    with pytest.raises(ConfigurationError, match="observations that are dictionaries"):
        model_of(tmp_path, lambda e: e, replay_buffer_class=ShapedDictReplayBuffer)
    held = {"n_steps": 3, "gamma": 0.5}
    kind = ShapedNStepReplayBuffer
    model = model_of(
        tmp_path, lambda e: e, replay_buffer_class=kind, replay_buffer_kwargs=held
    )
    with pytest.raises(ConfigurationError, match=r"'gamma': 0\.99 into replay"):
        check_model(model)
    with pytest.raises(ConfigurationError, match="keeps the rewards of earlier"):
        check_model(DQN("MlpPolicy", gym.make("CartPole-v1"), buffer_size=10))
    model.replay_buffer = HerReplayBuffer.__new__(HerReplayBuffer)
    with pytest.raises(ConfigurationError, match="goals that were set afterwards"):
        check_model(model)


def test_a_saved_model_can_be_used_where_its_run_is_not(tmp_path: Path) -> None:
    model = model_of(tmp_path, lambda env: env)
    model.learn(20)
    model.save(tmp_path / "model")
    (tmp_path / "board").rename(tmp_path / "elsewhere")
    again = DQN.load(tmp_path / "model")
    seen = np.zeros(4, dtype=np.float32)
    expected = model.predict(seen, deterministic=True)
    np.testing.assert_array_equal(
        again.predict(seen, deterministic=True)[0], expected[0]
    )


def test_an_episode_without_an_agent_pays_it_nothing(tmp_path: Path) -> None:
    play = Play("team", tmp_path, ShapedReplayBuffer)
    play.swap()
    after = play.buffer.rewards.rows[:, :, 1, :, -1]
    absent = after.reshape(len(after), -1) == 0.0
    assert absent.any()
    assert (play.buffer.rewards[:][absent] == 0.0).all()
    assert torch.isfinite(play.buffer.sample(64).rewards).all()


def store_again(play: Play, at: int, order: list[int], into: Relabelling) -> None:
    """Stores a step of a full buffer once more, its environments in an order."""
    rewards = play.buffer.rewards
    agents = len(order) // rewards.rows.shape[1]
    infos: list[dict[str, Any]] = []
    for i in order:
        told = {"base": rewards.base[at, i], "total": rewards.base[at, i]}
        told |= {"rows": rewards.rows[at, i // agents], "place": i % agents}
        infos.append({"shaping": told})
    space = play.buffer.observation_space
    seen = np.zeros((len(order), *(space.shape or ())), dtype=space.dtype)
    done = np.zeros(len(order))
    into.add(seen, seen, done.astype(int), rewards.base[at, order], done, infos)


def test_a_step_of_a_team_is_stored_once(tmp_path: Path) -> None:
    play = Play("team", tmp_path, ShapedReplayBuffer)
    held = play.buffer.rewards
    assert play.buffer.n_envs == 6
    assert held.rows.shape == (50, 2, 2, 3, len(FEATURES["team"]) + 1)
    assert held.places.tolist() == [0, 1, 2, 0, 1, 2]


def test_what_is_overwritten_is_paid_anew(tmp_path: Path) -> None:
    play = Play("team", tmp_path, ShapedReplayBuffer)
    play.swap()
    paid, at = play.buffer.rewards[:], play.buffer.pos
    other = int(np.abs(paid - paid[at]).max(axis=1).argmax())
    store_again(play, other, list(range(6)), play.buffer)
    np.testing.assert_array_equal(play.buffer.rewards[at], paid[other])
    assert (paid[at] != paid[other]).any()


def test_agents_of_a_team_may_lie_apart(tmp_path: Path) -> None:
    play = Play("team", tmp_path, ShapedReplayBuffer)
    play.swap()
    order = [0, 3, 1, 4, 2, 5]
    apart = ShapedReplayBuffer(
        300,
        play.buffer.observation_space,
        play.buffer.action_space,
        "cpu",
        n_envs=6,
        shape=play.shape,
    )
    for at in range(50):
        store_again(play, at, order, apart)
    np.testing.assert_array_equal(apart.rewards[:], play.buffer.rewards[:][:, order])
    few = np.array([3, 40]), np.array([1, 5])
    np.testing.assert_array_equal(apart.rewards[few], apart.rewards[:][few])
