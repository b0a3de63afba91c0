"""Pulls SB3 policies towards what an expert advises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.agreement import Agreements
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.likelihood import LikelihoodImitation
from also_wrappers.trainers.sb3.margin import MarginImitation, values_of
from also_wrappers.trainers.sb3.replay_buffer import Relabelling
from also_wrappers.wrappers.shape import Shape

__all__ = [
    "Imitation",
    "ImitationCallback",
    "begin_imitation",
    "check_imitates",
    "imitates",
    "make_imitation",
]


class Imitation(Protocol):
    """Pulls a policy towards what an expert advises.

    A callback calls ``step`` after every step, ``end`` at a rollout's end, and
    ``start`` at the next rollout's start. So ``start`` comes after the algorithm's own
    update, which begins with the policy that collected the rollout, and before a pause,
    so that a snapshot never holds half an update.
    """

    @property
    def advised(self) -> bool:
        """True once an expert was in force in any environment."""

    @property
    def agreements(self) -> Agreements:
        """The sums of the policy's agreement with the expert."""

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Reads the advice and the base rewards in the infos of a step.

        Args:
            infos: The infos of the step, one per index of the VecEnv.
            dones: True for each index whose episode ended with the step, and was reset.
        """

    def end(self) -> None:
        """Keeps the states of a rollout to imitate, before the model's update."""

    def start(self, pull: float) -> float | None:
        """Pulls the policy towards the expert, after the model's update.

        Args:
            pull: Weight of the loss; with 0, nothing is done.

        Returns:
            The agreement with the expert before the pull, from 0 to 1; ``None`` where
            nothing was pulled.
        """


def make_imitation(model: Any, earned: Earned) -> Imitation:
    """Returns an imitation that fits a model's algorithm.

    Args:
        model: The model, whose environments were reset.
        earned: Gets the base returns of the episodes that end.

    Raises:
        ConfigurationError: The model cannot imitate.
    """
    check_imitates(model)
    if isinstance(model, OffPolicyAlgorithm):
        return MarginImitation(model, earned)
    return LikelihoodImitation(model, earned)


class ImitationCallback(BaseCallback):
    """Imitates the expert of a signal that stays, without a run.

    The environments tell the advice:
    ``also.wrap(env, features, signal=Signal(expert=...), actions=...)``. At each
    rollout, ``also/agreement`` is logged: the probability that the policy gives to the
    good actions, or, for DQN and QRDQN, how often the best action is a good one. DQN
    and QRDQN need the replay buffer of a run.

    Args:
        pull: Weight of the imitation beside the algorithm's own loss.

    Attributes:
        agreement: The agreement of the policy with the expert in the last rollout that
            was imitated; ``None`` before there was one.

    Raises:
        ConfigurationError: When training starts, if the model cannot imitate; at the
            first rollout's end, if no environment has an expert in force.

    Example:
        >>> from stable_baselines3 import PPO
        >>> import also_wrappers as also
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> on = also.Expert(rules=(also.Rule(when="place < 1", do="on"),))
        >>> signal = also.Signal(expert=on)
        >>> actions = also.Actions((also.Action("stay", 0), also.Action("on", 2)))
        >>> def make_env():
        ...     return also.wrap(
        ...         Corridor(), corridor_features(), signal=signal, actions=actions
        ...     )
        >>> venv = also.PettingZooVecEnv(make_env, num_envs=4)
        >>> model = PPO("MlpPolicy", venv, n_steps=16, batch_size=64, seed=0)
        >>> callback = ImitationCallback()
        >>> model = model.learn(1024, callback)
        >>> callback.agreement > 0.5
        True
    """

    def __init__(self, pull: float = 1.0) -> None:
        super().__init__()
        if not isinstance(pull, Real) or not 0.0 <= pull < math.inf:
            raise ConfigurationError(
                f"the pull is a weight from 0.0 up, such as 1.0, not {pull!r:.80}"
            )
        self.pull: float = pull
        self.agreement: float | None = None
        self._imitation: Imitation | None = None

    def _on_training_start(self) -> None:
        self._imitation = make_imitation(self.model, Earned())

    def _on_rollout_start(self) -> None:
        self._imitate()

    def _on_training_end(self) -> None:
        self._imitate()  # the last update is followed by imitation, too

    def _imitate(self) -> None:
        assert self._imitation is not None
        agreement = self._imitation.start(self.pull)
        if agreement is not None:
            self.agreement = agreement
            self.logger.record("also/agreement", agreement)

    def _on_step(self) -> bool:
        assert self._imitation is not None
        self._imitation.step(self.locals["infos"], self.locals["dones"])
        return True

    def _on_rollout_end(self) -> None:
        assert self._imitation is not None
        self._imitation.end()
        if not self._imitation.advised:
            raise ConfigurationError(
                "no environment told what an expert advises; make the model's "
                "environments with also.wrap(env, features, "
                "signal=Signal(expert=...), actions=...), in a VecEnv that passes "
                "infos on"
            )


def check_imitates(model: Any) -> None:
    """Refuses models that cannot imitate, before any training.

    Args:
        model: The model, with its environments.

    Raises:
        ConfigurationError: The model cannot imitate; the sentence has the reason, and
            what to do instead.
    """
    name = type(model).__name__
    if not isinstance(model.action_space, spaces.Discrete):
        raise ConfigurationError(
            "an expert says which of a few actions are good, so it cannot be imitated "
            f"in the action space {model.action_space}, for which it would have to say "
            "a direction, and the policy its density there; make the actions discrete"
        )
    if isinstance(model, OffPolicyAlgorithm):
        if values_of(model) is None:
            raise ConfigurationError(
                f"{name} has no value for each action that could be pulled towards an "
                "expert; use DQN or sb3-contrib's QRDQN"
            )
        if not isinstance(model.replay_buffer, Relabelling):
            raise ConfigurationError(
                f"{type(model.replay_buffer).__name__} keeps no features, so what an "
                f"expert advises in the states that {name} replays is not known; use a "
                "run (also.Run), replay_buffer_class=ShapedReplayBuffer and "
                "replay_buffer_kwargs={'shape': run.shape}"
            )
    elif not isinstance(model, OnPolicyAlgorithm):
        raise ConfigurationError(
            f"{name} is no algorithm of Stable-Baselines3 whose policy could be pulled "
            "towards an expert while it learns; use PPO, A2C, DQN or sb3-contrib's "
            "MaskablePPO or QRDQN"
        )
    elif hasattr(model.policy, "lstm_actor"):
        raise ConfigurationError(
            f"what the policy of {name} does depends on hidden states that a rollout "
            "does not keep for every step, so it cannot be pulled towards an expert; "
            "use PPO with stacked observations (VecFrameStack) instead"
        )
    venv: Any = model.get_env()
    if not hasattr(venv.unwrapped, "reset_infos"):
        raise ConfigurationError(
            f"{type(venv.unwrapped).__name__} does not keep the infos of resets, so "
            "what an expert advises for first states is lost; use PettingZooVecEnv, "
            "DummyVecEnv or SubprocVecEnv"
        )


def imitates(model: Any) -> bool:
    """True where a model can imitate."""
    try:
        check_imitates(model)
    except ConfigurationError:
        return False
    return True


def begin_imitation(model: Any, shape: Any, earned: Earned) -> Imitation | None:
    """Returns the imitation of experts that a run posts; ``None`` without any.

    Args:
        model: The model, whose environments were reset.
        shape: The shape around each environment.
        earned: Gets the base returns of the episodes that end.

    Returns:
        The imitation; ``None`` where no expert can be posted, or the model cannot
        imitate any.
    """
    speaks = isinstance(shape, Shape) and shape.task.actions is not None
    return make_imitation(model, earned) if speaks and imitates(model) else None
