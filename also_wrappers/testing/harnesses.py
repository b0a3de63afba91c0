"""Declares how the trainer contract drives a trainer adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from also_wrappers.trainer import Trainer

__all__ = ["ReplayHarness", "TrainerHarness"]


class TrainerHarness(Protocol):
    """Drives a trainer adapter for the contract: makes, trains and reads trainings.

    Example:
        For an adapter of Stable-Baselines3's PPO, in an environment of our own:

        >>> from stable_baselines3 import PPO
        >>> from also_wrappers import PettingZooVecEnv
        >>> from also_wrappers.testing import Corridor
        >>> from also_wrappers.trainers.sb3 import SB3Trainer
        >>> def make_venv(shape):
        ...     return PettingZooVecEnv(lambda: shape(Corridor(length=3, limit=6)), 2)
        >>> class Harness:
        ...     def make(self, shape):
        ...         model = PPO("MlpPolicy", make_venv(shape), n_steps=16,
        ...                     batch_size=16, n_epochs=1, seed=0, device="cpu")
        ...         return SB3Trainer(model, make_venv, total=1000)
        ...     def train(self, trainer, steps):
        ...         trainer.model.learn(steps, reset_num_timesteps=not trainer.steps)
        ...     def state(self, trainer):
        ...         return {k: v.numpy() for k, v in
        ...                 trainer.model.policy.state_dict().items()}
    """

    def make(self, shape: Callable[[Any], Any]) -> Trainer:
        """Returns a fresh training, with the same seeds at every call.

        The seeds include those of the global randomness. ``shape`` goes around each
        environment of the training.
        """

    def train(self, trainer: Trainer, steps: int) -> None:
        """Trains the mainline for ``steps`` trainer steps, in whole rollouts."""

    def state(self, trainer: Trainer) -> Mapping[str, npt.ArrayLike]:
        """Returns all that training depends on, as arrays by name.

        Training depends on parameters, the optimizer's state and counters.
        """


@runtime_checkable
class ReplayHarness(TrainerHarness, Protocol):
    """Drives a trainer adapter that has a replay buffer.

    Where ``make`` is given a shape with a board, the buffer pays by the board's
    posting.

    Example:
        A harness has this method besides those of ``TrainerHarness``, where the buffer
        is one of ``also_wrappers.trainers.sb3``:

        >>> class Rewards:
        ...     def rewards(self, trainer):
        ...         buffer = trainer.model.replay_buffer
        ...         return buffer.rewards[: buffer.size()]
    """

    def rewards(self, trainer: Trainer) -> npt.ArrayLike:
        """Returns the rewards of all stored transitions, in the order of storage.

        These are the rewards that the learner would get if it sampled them now.
        """
