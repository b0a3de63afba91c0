"""Trains branches of an SB3 model from snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import EVALUATED, ForkOutcome
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.evaluation import play_episodes
from also_wrappers.trainers.sb3.imitation import Imitation, begin_imitation
from also_wrappers.trainers.sb3.seeding import seedable
from also_wrappers.trainers.sb3.snapshots import (
    describe_model,
    load,
    save,
    share_statistics,
)

__all__ = ["Algorithm", "EnoughError", "MakeVecEnv", "SB3Fork", "explores"]

#: Makes the training environments; puts ``shape`` around each of them.
MakeVecEnv = Callable[[Callable[[Any], Any]], VecEnv]

Algorithm = OnPolicyAlgorithm | OffPolicyAlgorithm

#: Trainer steps of a branch for each evaluation, so that evaluations cost less than the
#: branch; the most evaluations of a branch; and the episodes of an evaluation.
_STEPS_PER_LOOK, _LOOKS, _EPISODES_PER_LOOK = 4096, 5, 10


class SB3Fork:
    """Trains branches of an SB3 model in fresh environments.

    Args:
        model: The model.
        make_venv: Makes the model's environments with a given shape.
        total: Trainer steps that are planned.

    Raises:
        ConfigurationError: An attribute of the model cannot be pickled.
    """

    #: Modules to import early; making an optimizer imports the last one.
    preload = ("also_wrappers.trainers.sb3", "stable_baselines3", "torch._dynamo")

    def __init__(self, model: Algorithm, make_venv: MakeVecEnv, total: int) -> None:
        self._algorithm = type(model)
        self._description = describe_model(model)
        self._evaluates = explores(model)
        self._make_venv = make_venv
        self._total = total
        arguments = dict(getattr(model, "replay_buffer_kwargs", {}))
        arguments.pop("shape", None)
        self._buffer: dict[str, Any] | None = None
        if hasattr(model, "replay_buffer_kwargs"):
            self._buffer = arguments

    def warm(self) -> None:
        """Makes and closes the environments once."""
        self._make_venv(_unshaped).close()

    def __call__(
        self,
        start: Path,
        shape: Callable[[Any], Any],
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        """Trains a branch with the parent's schedules."""
        venv = seedable(self._make_venv(shape))
        settings: dict[str, Any] = {"tensorboard_log": None, "verbose": 0}
        if self._buffer is not None:
            settings["replay_buffer_kwargs"] = {**self._buffer, "shape": shape}
        earned = Earned()
        model = load(
            self._algorithm,
            self._description,
            start,
            venv,
            settings,
            new_signal,
            earned,
        )
        model.set_logger(Logger(None, []))  # SB3's own makes a folder for every branch
        model.set_random_seed(seed)
        first = model.num_timesteps
        judge = None
        if self._evaluates:
            judge = _Judge(model, self._make_venv, seed, steps)
        branch = _Branch(first + steps, judge, shape, earned)
        # SB3's learn adds the steps so far to its argument to get the total that
        # schedules depend on. With the rest of the parent's plan as the argument, a
        # branch follows the parent's schedules.
        try:
            model.learn(
                max(self._total - first, steps),
                callback=branch,
                reset_num_timesteps=False,
            )
        except EnoughError:
            pass
        finally:
            venv.close()
        if end is not None:
            save(model, end, earned)
        trained = model.num_timesteps - first
        return ForkOutcome(
            trained,
            trained // venv.num_envs,
            None if judge is None else np.array(judge.episodes, dtype=EVALUATED),
            0 if judge is None else judge.steps,
        )


class EnoughError(Exception):
    """Signals that a branch is trained, at the start of a rollout."""


class _Branch(BaseCallback):
    """Imitates a branch's expert, evaluates the branch on the way, and ends it.

    Attributes:
        imitation: Imitates the expert; ``None`` where no expert can be posted.
    """

    def __init__(
        self, steps: int, judge: _Judge | None, shape: Any, earned: Earned
    ) -> None:
        super().__init__()
        self.imitation: Imitation | None = None
        self._steps = steps
        self._judge = judge
        self._shape = shape
        self._earned = earned

    def _on_training_start(self) -> None:
        self._first = self.num_timesteps
        self.imitation = begin_imitation(self.model, self._shape, self._earned)
        self._posting = self._shape.board.read() if self.imitation else Posting()

    def _on_rollout_start(self) -> None:
        if self.imitation is not None:
            steps = (self.num_timesteps - self._first) // self.training_env.num_envs
            self.imitation.start(self._posting.pull(self._earned.mean, steps))
        if self._judge is not None:
            self._judge.look()
        if self.model.num_timesteps >= self._steps:
            raise EnoughError

    def _on_step(self) -> bool:
        if self.imitation is not None:
            self.imitation.step(self.locals["infos"], self.locals["dones"])
        return True

    def _on_rollout_end(self) -> None:
        if self.imitation is not None:
            self.imitation.end()
            if self._posting.signal.expert and not self.imitation.advised:
                raise ConfigurationError(
                    "no environment of the branch told what the expert advises; let "
                    "make_venv put the shape that it is given around each environment, "
                    "in a VecEnv that passes infos on"
                )


class _Judge:
    """Evaluates a branch at equal distances in the last half of its training.

    Attributes:
        episodes: The fields of ``EVALUATED`` of each episode, in order.
        steps: Trainer steps that were spent.
    """

    def __init__(
        self, model: Any, make_venv: MakeVecEnv, seed: int, steps: int
    ) -> None:
        self.episodes: list[tuple[int, float]] = []
        self.steps = 0
        self._model = model
        self._make_venv = make_venv
        self._seed = seed
        self._first = model.num_timesteps
        looks = max(min(steps // _STEPS_PER_LOOK, _LOOKS), 1)
        self._due = [
            self._first + steps * (1.0 + k / looks) / 2.0 for k in range(1, looks + 1)
        ]

    def look(self) -> None:
        """Evaluates the branch, if an evaluation is due."""
        now = self._model.num_timesteps
        while self._due and now >= self._due[0]:
            del self._due[0]
            end = (now - self._first) // self._model.n_envs
            self.episodes.extend((end, base) for base in self._evaluate())

    def _evaluate(self) -> list[float]:
        """Returns base returns with no more exploration than is left in the end."""
        model = self._model
        venv = share_statistics(model, self._make_venv(_unshaped))
        exploration = getattr(model, "exploration_rate", None)
        if exploration is not None:
            model.exploration_rate = model.exploration_final_eps
        try:
            seed = (self._seed + self.steps) % 2**31
            returns, steps = play_episodes(model, venv, _EPISODES_PER_LOOK, seed)
        finally:
            venv.close()
        if exploration is not None:
            model.exploration_rate = exploration
        self.steps += steps
        return returns


def _unshaped(env: Any) -> Any:
    return env


def explores(model: Any) -> bool:
    """True where training adds noise to the actions of the policy."""
    noise = getattr(model, "action_noise", None)
    return noise is not None or hasattr(model, "exploration_rate")
