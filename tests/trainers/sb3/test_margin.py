"""The large margin: what it is, on which states, and that values follow it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from sb3_contrib import QRDQN
from stable_baselines3 import DQN
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Action, Actions, Expert, Rule, Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.imitation import check_imitates, make_imitation
from also_wrappers.trainers.sb3.margin import MarginImitation, large_margin, values_of
from also_wrappers.trainers.sb3.replay_buffer import (
    ShapedNStepReplayBuffer,
    ShapedReplayBuffer,
)
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape

ACTIONS = Actions((Action("stay", 0), Action("back", 1), Action("on", 2)))
TASK = Task("Walk.", corridor_features(), actions=ACTIONS)


def expert(*rules: tuple[str, str]) -> Signal:
    written = tuple(Rule(when=when, do=do) for when, do in rules)
    return Signal(expert=Expert(rules=written))


ON = expert(("place < 0.5", "on"), ("mate_place > 0.3", "stay"))


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(
        lambda: shape(Corridor(length=4, limit=9, mortal=True)), num_envs=3
    )


def make_model(folder: Path, signal: Signal, **settings: Any) -> Any:
    """A learner that has replayed nothing yet, in a run that posts a signal."""
    board = Board.create(folder, Posting(version=1, signal=signal, gamma=0.9))
    shape = Shape(TASK, board)
    algorithm = settings.pop("algorithm", DQN)
    venv: Any = make_venv(shape)
    if settings.pop("normalized", False):
        venv = VecNormalize(venv, norm_reward=False)
    width = {"n_quantiles": 7} if algorithm is QRDQN else {}
    kwargs = settings.pop("replay_buffer_kwargs", {})
    return algorithm(
        "MlpPolicy",
        venv,
        batch_size=64,
        learning_rate=1e-2,
        learning_starts=10**6,
        policy_kwargs={"net_arch": [16], **width},
        replay_buffer_kwargs={"shape": shape, **kwargs},
        seed=0,
        device="cpu",
        **{
            "buffer_size": 600,
            "replay_buffer_class": ShapedReplayBuffer,
            **settings,
        },
    )


def advised(place: float, mate: float) -> int:
    """What ``ON`` says, written by hand."""
    return 4 if place < 0.5 else 1 if mate > 0.3 else 0


def test_the_margin_is_the_formula() -> None:
    chance = np.random.default_rng(0)
    values = chance.normal(size=(200, 4)).astype(np.float32)
    good = chance.random((200, 4)) < 0.4
    good[np.arange(200), chance.integers(4, size=200)] = True
    computed = large_margin(th.tensor(values), th.tensor(good), 0.7).tolist()
    for row, allowed, loss in zip(values, good, computed, strict=True):
        every = [q + (0.0 if a else 0.7) for q, a in zip(row, allowed, strict=True)]
        best = max(q for q, a in zip(row, allowed, strict=True) if a)
        assert loss == pytest.approx(max(every) - best, abs=1e-6)
        assert loss >= 0.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"buffer_size": 30},
        {"buffer_size": 30, "optimize_memory_usage": True},
        {
            "replay_buffer_class": ShapedNStepReplayBuffer,
            "replay_buffer_kwargs": {"n_steps": 3, "gamma": 0.99},
        },
    ],
    ids=["plain", "wraps around", "memory optimised", "n-step"],
)
def test_advice_belongs_to_the_states_that_are_sampled(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    if settings.get("optimize_memory_usage"):
        settings["replay_buffer_kwargs"] = {"handle_timeout_termination": False}
    model = make_model(tmp_path / "board", ON, **settings)
    model.learn(500)
    observations, advice = model.replay_buffer.sample_advised(500)
    assert 50 < len(advice) == len(observations) < 450
    for (place, mate), bits in zip(observations.tolist(), advice.tolist(), strict=True):
        assert bits == advised(place, mate)
    assert set(advice.tolist()) == {1, 4}


def test_another_expert_speaks_of_the_past_as_well(tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", Signal())
    model.learn(300)
    buffer = model.replay_buffer
    assert len(buffer.sample_advised(100)[1]) == 0
    board = buffer.shape.board
    board.post(Posting(version=2, signal=expert(("1", "back")), gamma=0.9))
    _, advice = buffer.sample_advised(100)
    assert set(advice.tolist()) == {2}
    board.post(Posting(version=3, signal=expert(("1", "on")), gamma=0.9))
    assert set(buffer.sample_advised(100)[1].tolist()) == {4}
    board.post(Posting(version=4, signal=Signal(), gamma=0.9))
    assert len(buffer.sample_advised(100)[1]) == 0


def test_observations_are_normalised_as_the_model_sees_them(tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", expert(("1", "on")), normalized=True)
    model.learn(300)
    normalize = model.get_vec_normalize_env()
    state = np.random.get_state()
    plain, _ = model.replay_buffer.sample_advised(50)
    np.random.set_state(state)
    normal, _ = model.replay_buffer.sample_advised(50, normalize)
    np.testing.assert_allclose(normal, normalize.normalize_obs(plain.numpy()))
    assert not np.allclose(normal, plain)


@pytest.mark.parametrize("algorithm", [DQN, QRDQN])
def test_values_follow_the_advice(algorithm: Any, tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", ON, algorithm=algorithm)
    model.learn(300)
    model.learning_starts = 0
    imitation = MarginImitation(model, Earned())
    agreements = [imitation.start(1.0) for _ in range(200)]
    assert agreements[-1] is not None
    assert agreements[-1] > 0.95
    observations, advice = model.replay_buffer.sample_advised(500)
    values = values_of(model)(observations).detach()
    if algorithm is QRDQN:
        values = values.mean(dim=1)  # every action's, over its quantiles
    best = values.argmax(dim=1).tolist()
    agreed = [bits >> k & 1 for bits, k in zip(advice.tolist(), best, strict=True)]
    assert np.mean(agreed) > 0.95
    spoken = th.as_tensor(advice.reshape(-1, 1) >> np.arange(3) & 1 > 0)
    assert float(large_margin(values, spoken, 0.01).mean()) < 0.01


def test_nothing_is_pulled_before_the_model_learns_or_without_a_pull(
    tmp_path: Path,
) -> None:
    model = make_model(tmp_path / "board", ON)
    model.learn(300)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    imitation, state = MarginImitation(model, Earned()), str(np.random.get_state())
    assert imitation.start(1.0) is None
    model.learning_starts = 0
    assert imitation.start(0.0) is None
    assert str(np.random.get_state()) == state
    for name, value in model.policy.state_dict().items():
        assert th.equal(value, before[name])
    assert imitation.start(1.0) is not None


def test_an_episode_that_goes_on_is_not_counted_from_its_middle(tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", ON)
    model.learn(6)
    imitation = MarginImitation(model, Earned())
    infos = [{"shaping": {"base": 0.5}}] * 6
    imitation.step(infos, [False] * 6)
    for _ in range(2):  # a learn that follows begins in the midst of all episodes
        earned = Earned()
        imitation = MarginImitation(model, earned)
        imitation.step(infos, [True, *[False] * 5])
        assert earned.episodes == 0
        imitation.step(infos, [True] * 6)
        assert earned == Earned(0.5, 1)
        model._last_episode_starts = np.zeros(6, dtype=bool)


def test_an_audition_explores_and_leaves_no_trace(tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", ON)
    model.learn(300)
    assert model.exploration_rate > 0.0
    model.exploration_rate = 0.5
    trainer = SB3Trainer(model, make_venv, 300)
    before = str(model.action_space.np_random.bit_generator.state)
    played = [
        trainer.audition(model.replay_buffer.shape, 9, 3, 0.1, lambda steps: None)
        for _ in range(2)
    ]
    assert played[0] == played[1]
    assert str(model.action_space.np_random.bit_generator.state) == before


def test_learners_without_values_or_features_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path / "board", ON)
    assert isinstance(make_imitation(model, Earned()), MarginImitation)
    plain = DQN("MlpPolicy", make_venv(lambda env: env))
    with pytest.raises(ConfigurationError, match="ReplayBuffer keeps no features"):
        check_imitates(plain)

    class Other(OffPolicyAlgorithm):
        def __init__(self) -> None:
            self.action_space = plain.action_space

    with pytest.raises(ConfigurationError, match="Other has no value for each action"):
        check_imitates(Other())
