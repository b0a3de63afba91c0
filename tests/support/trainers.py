"""Harnesses that drive our trainers through the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from sb3_contrib import QRDQN, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from also_wrappers.board.board import Board
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
from also_wrappers.trainers.sb3.replay_buffer import (
    ShapedNStepReplayBuffer,
    ShapedReplayBuffer,
)
from also_wrappers.trainers.sb3.snapshots import _statistics
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape
from examples.cleanrl_style import Settings, Training

#: These choose one of some actions, and play in the corridor.
BY_VALUES = (DQN, QRDQN)
TASK = Task("Walk to the end together.", corridor_features())
SIGNAL = Signal(
    terms=(Term(name="on", kind="progress", expression="place", weight=0.5),)
)
ACTIONS = Actions((Action("stay", 0), Action("back", 1), Action("on", 2)))
WITH_ACTIONS = Task(TASK.description, TASK.features, actions=ACTIONS)
WITH_EXPERT = Signal(
    terms=SIGNAL.terms, expert=Expert(rules=(Rule(when="place < 1", do="on"),))
)


def flat(prefix: str, state: Any) -> dict[str, Any]:
    """A nested state dictionary as arrays by name."""
    if isinstance(state, torch.Tensor):
        return {prefix: state.detach().numpy()}
    if isinstance(state, Mapping):
        parts = [flat(f"{prefix}.{key}", value) for key, value in state.items()]
        return {name: value for part in parts for name, value in part.items()}
    if isinstance(state, list):
        return flat(prefix, dict(enumerate(state)))
    return {prefix: np.array(str(state))}


class SB3Harness:
    """On-policy algorithms of Stable-Baselines3 and its contributions."""

    settings: dict[str, Any] = {}

    def __init__(self, algorithm: Any, policy: str = "MlpPolicy") -> None:
        self.algorithm = algorithm
        self.policy = policy

    def make(self, shape: Callable[[Any], Any]) -> SB3Trainer:
        settings: dict[str, Any] = {"n_steps": 16, "gamma": 0.97, **self.settings}
        if self.algorithm is not A2C:
            settings |= {"batch_size": 32, "n_epochs": 2}
        model = self.algorithm(
            self.policy,
            self.venv(shape),
            policy_kwargs={"net_arch": [8]},
            seed=1,
            device="cpu",
            **settings,
        )
        return SB3Trainer(model, self.venv, 4096)

    def venv(self, shape: Callable[[Any], Any]) -> Any:
        return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 4)

    def train(self, trainer: Any, steps: int) -> None:
        trainer.observe()
        trainer.model.learn(steps, reset_num_timesteps=trainer.steps == 0)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        model = trainer.model
        counters = {"n_updates": model._n_updates}
        parameters = flat("", model.get_parameters())
        return {**parameters, **flat("counters", counters)}


class Masked(gym.Wrapper[Any, Any, Any, Any]):
    """CartPole in which the first action is forbidden while the pole leans left."""

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1", max_episode_steps=20))
        self._leans = 0.0

    def reset(self, **options: Any) -> Any:
        seen, info = self.env.reset(**options)
        self._leans = float(seen[2])
        return seen, info

    def step(self, action: Any) -> Any:
        assert self.action_masks()[int(action)], "a forbidden action was taken"
        found = self.env.step(action)
        self._leans = float(found[0][2])
        return found

    def action_masks(self) -> list[bool]:
        return [self._leans > -0.02, True]


class MaskableHarness(SB3Harness):
    """sb3-contrib's MaskablePPO, whose masks come through our wrapper."""

    def __init__(self) -> None:
        super().__init__(MaskablePPO)

    def venv(self, shape: Callable[[Any], Any]) -> Any:
        return DummyVecEnv([lambda: shape(Masked()) for _ in range(2)])


class ContinuousHarness(SB3Harness):
    """On-policy algorithms on a pendulum, with noise that depends on the state."""

    settings = {"use_sde": True}

    def venv(self, shape: Callable[[Any], Any]) -> Any:
        return DummyVecEnv(
            [lambda: shape(gym.make("Pendulum-v1", max_episode_steps=9))] * 2
        )


class Normalized(SB3Harness):
    """PPO whose observations and rewards are normalised."""

    def __init__(self) -> None:
        super().__init__(PPO)

    def venv(self, shape: Callable[[Any], Any]) -> Any:
        return VecNormalize(super().venv(shape), clip_reward=np.inf)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        statistics = _statistics(trainer.model.get_vec_normalize_env())
        assert float(statistics["observations.count"]) > 1.0
        return {**super().state(trainer), **statistics}


PENDULUM = Task("Swing up.", FeatureMap(Feature("height", "obs[0]")))
UP = Signal(terms=(Term(name="up", kind="potential", expression="height", weight=1.0),))


class OffPolicyHarness(SB3Harness):
    """SAC, TD3 and DDPG on a pendulum, DQN in the corridor; each with a board of its
    own, which the replay buffer reads."""

    def __init__(self, algorithm: Any, folder: Path, **settings: Any) -> None:
        super().__init__(algorithm)
        self.folder = folder
        self.settings = settings
        self.task = TASK if algorithm in BY_VALUES else PENDULUM
        self._made = 0

    def make(self, shape: Callable[[Any], Any]) -> SB3Trainer:
        self._made += 1
        own = shape
        if not isinstance(own, Shape):
            own = Shape(self.task, Board.create(self.folder / str(self._made)))
        settings = {"replay_buffer_class": ShapedReplayBuffer} | self.settings
        held = {"shape": own, **settings.pop("replay_buffer_kwargs", {})}
        model = self.algorithm(
            self.policy,
            self.venv(own),
            learning_starts=100,
            buffer_size=600,  # wraps around
            batch_size=8,
            replay_buffer_kwargs=held,
            policy_kwargs={"net_arch": [8]},
            seed=1,
            device="cpu",
            **settings,
        )
        return SB3Trainer(model, self.venv, 4096)

    def venv(self, shape: Callable[[Any], Any]) -> Any:
        if self.algorithm in BY_VALUES:
            return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 2)
        return DummyVecEnv(
            [lambda: shape(gym.make("Pendulum-v1", max_episode_steps=9))] * 2
        )

    def state(self, trainer: Any) -> Mapping[str, Any]:
        model = trainer.model
        entropy = getattr(model, "log_ent_coef", None)
        counted = {
            name: getattr(model, name, None)
            for name in ("_n_calls", "exploration_rate", "_episode_num")
        }
        return {
            **super().state(trainer),
            **flat("entropy", entropy),
            **flat("counted", counted),
            **stored(model.replay_buffer),
            "noise": noise_of(model),
        }

    def rewards(self, trainer: Any) -> Any:
        buffer = trainer.model.replay_buffer
        return buffer.rewards[: buffer.size()]


def stored(buffer: Any) -> dict[str, Any]:
    """What a buffer holds. That a row of transitions is cut shows in its time-outs."""
    state: dict[str, Any] = buffer.state()
    if isinstance(buffer, ShapedNStepReplayBuffer):
        del state["timeouts"]
    return state


def noise_of(model: Any) -> Any:
    """Where noise that is correlated in time stands."""
    noises = getattr(getattr(model, "action_noise", None), "noises", [])
    return np.array([getattr(noise, "noise_prev", 0.0) for noise in noises])


class PlainHarness:
    """The plain PyTorch loop of the example."""

    def make(self, shape: Callable[[Any], Any]) -> Training:
        settings = Settings(copies=4, n_steps=16, epochs=2, batch=64, width=8)
        return Training(make_env, shape, 4096, seed=1, settings=settings)

    def train(self, trainer: Any, steps: int) -> None:
        trainer.train(trainer.steps + steps)

    def state(self, trainer: Any) -> Mapping[str, Any]:
        parts = {k: part.state_dict() for k, part in trainer._parts().items()}
        return flat("", parts)


def make_env(shape: Callable[[Any], Any]) -> Any:
    return shape(Corridor(length=4, limit=8))
