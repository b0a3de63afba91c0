"""Makes SB3's replay buffers pay what the active signal pays.

The buffers keep base rewards and the team's features; what the signal adds is computed
when a batch is sampled (as the library ``imitation`` relabels with a learned reward).
So a swap changes the past as well, and an off-policy learner never mixes two signals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.vec_env import VecNormalize

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.sb3.rewards import Arrays, Rewards
from also_wrappers.wrappers.shape import Shape

__all__ = [
    "Relabelling",
    "ShapedDictReplayBuffer",
    "ShapedNStepReplayBuffer",
    "ShapedReplayBuffer",
]

#: Arrays of SB3's buffers besides rewards; some buffers have no ``next_observations``.
_ARRAYS = ("observations", "next_observations", "actions", "dones", "timeouts")


class Relabelling(ReplayBuffer):
    """Base of the shaped buffers, which pay samples by the active signal.

    Args:
        buffer_size: As in Stable-Baselines3's buffers.
        observation_space: Likewise.
        *arguments: Further arguments of Stable-Baselines3's buffers.
        shape: The shape around the environments, ``run.shape``.
        **settings: Keyword arguments of Stable-Baselines3's buffers.

    Raises:
        ConfigurationError: The buffer does not fit the observations, or ``shape`` has
            no board.
    """

    rewards: Any  # the annotation of SB3 says that it is an array

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        *arguments: Any,
        shape: Shape,
        **settings: Any,
    ) -> None:
        if not isinstance(shape, Shape):
            raise ConfigurationError(
                f"shape must be run.shape, which knows the board, not {shape!r}; give "
                "replay_buffer_kwargs={'shape': run.shape}"
            )
        of_dicts = isinstance(self, DictReplayBuffer)
        if isinstance(observation_space, spaces.Dict) != of_dicts:
            raise ConfigurationError(
                "ShapedDictReplayBuffer is for observations that are dictionaries, the "
                f"others are not; these are {observation_space}"
            )
        super().__init__(buffer_size, observation_space, *arguments, **settings)
        self.shape = shape
        self.rewards = Rewards(self.rewards, shape)
        # A saved model may be loaded and used on a machine without its run.
        if shape.board.exists:
            shape.board.ask_for_rows()

    def add(
        self,
        obs: Any,
        next_obs: Any,
        action: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        done: npt.NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Stores transitions, with the team's features from their infos.

        Raises:
            ConfigurationError: The infos have no features, or the rewards are not those
                that the environments' wrapper has paid.
        """
        base = self.rewards.store(self.pos, reward, infos)
        super().add(obs, next_obs, action, base, done, infos)

    def sample_advised(
        self, count: int, env: VecNormalize | None = None
    ) -> tuple[Any, npt.NDArray[np.int64]]:
        """Samples states, and returns those with advice of the posted expert.

        Args:
            count: Number of states that are sampled.
            env: Normalises the observations.

        Returns:
            Observations, a tensor or a dict of tensors, and the advice for each.
        """
        # With optimised memory, the oldest observation may be the next of the newest
        # one.
        newest = self.size() - (self.full and self.optimize_memory_usage)
        steps = (self.pos - np.random.randint(1, newest + 1, count)) % self.buffer_size
        index = steps, np.random.randint(0, self.n_envs, count)
        advice = self.rewards.advice(index)
        spoken = np.flatnonzero(advice)
        index = index[0][spoken], index[1][spoken]
        stored: Any = self.observations
        if isinstance(stored, dict):
            observations: Any = {key: part[index] for key, part in stored.items()}
        else:
            observations = stored[index]
        observations = self._normalize_obs(observations, env)
        if isinstance(observations, dict):
            observations = {k: self.to_torch(part) for k, part in observations.items()}
        else:
            observations = self.to_torch(observations)
        return observations, advice[spoken]

    def state(self) -> Arrays:
        """The filled parts of all arrays, by name."""
        # With optimised memory, the last next observation is stored one place further.
        used = min(self.size() + self.optimize_memory_usage, self.buffer_size)
        arrays = {name: array[:used] for name, array in self._arrays().items()}
        counters = {"pos": np.array(self.pos), "full": np.array(self.full)}
        return {**arrays, **counters, "places": self.rewards.places}

    def load(self, state: Arrays) -> None:
        """Writes the arrays that ``state`` returned into this buffer's arrays.

        Raises:
            ConfigurationError: ``state`` is of another kind of buffer.
        """
        self.rewards.load(state)
        arrays = self._arrays()
        counters = {"pos", "full", "places"}
        if not arrays.keys() >= state.keys() - counters:
            odd = ", ".join(sorted(state.keys() - counters - arrays.keys()))
            raise ConfigurationError(
                f"another kind of replay buffer held {odd}; give the model the replay "
                "buffer that the run was begun with"
            )
        for name, array in arrays.items():
            if name in state:
                array[: len(state[name])] = state[name]
        self.pos, self.full = int(state["pos"]), bool(state["full"])

    def cut(self) -> None:
        """Ends the episodes of the last transitions, as other environments follow.

        The ends matter only where transitions are read in a row, as for n-step returns.
        SB3 does the same where a training begins anew with a filled buffer.
        """
        if not self.size():
            return
        last = self.pos - 1
        if self.optimize_memory_usage:
            self.dones[last] = 1.0
        elif isinstance(self, NStepReplayBuffer):
            self.timeouts[last] = np.maximum(self.timeouts[last], 1 - self.dones[last])

    def _arrays(self) -> Arrays:
        parts = {name: vars(self).get(name) for name in _ARRAYS}
        parts |= {name: getattr(self.rewards, name) for name in ("base", "rows")}
        flat: Arrays = {}
        for name, part in parts.items():
            if isinstance(part, dict):
                flat |= {f"{name}.{key}": array for key, array in part.items()}
            elif part is not None:
                flat[name] = part
        return flat


class ShapedReplayBuffer(Relabelling):
    """Stores transitions whose rewards are paid by the signal that is active.

    Features are kept in single precision, so what is paid agrees with the wrapper's to
    that precision. Memory besides what Stable-Baselines3 keeps: 8 bytes per agent of
    the team and (feature + 1) for every step of a team, however many of its agents
    learn, and 8 bytes for every transition.

    Example:
        >>> import tempfile
        >>> from stable_baselines3 import DQN
        >>> from also_wrappers import PettingZooVecEnv, Run, Task
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> def make_venv(shape):
        ...     return PettingZooVecEnv(lambda: shape(Corridor()), num_envs=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(Task("Walk.", corridor_features()), f"{folder}/run")
        ...     model = DQN(
        ...         "MlpPolicy",
        ...         make_venv(run.shape),
        ...         buffer_size=1000,
        ...         replay_buffer_class=ShapedReplayBuffer,
        ...         replay_buffer_kwargs={"shape": run.shape},
        ...     )
        ...     _ = model.learn(80)
        ...     run.close()
        >>> model.replay_buffer.size()
        20
    """


class ShapedDictReplayBuffer(Relabelling, DictReplayBuffer):
    """Stores transitions as ``ShapedReplayBuffer`` does, of dict observations.

    Example:
        >>> ShapedDictReplayBuffer.__mro__[2].__name__
        'DictReplayBuffer'
    """


class ShapedNStepReplayBuffer(Relabelling, NStepReplayBuffer):
    """Stores transitions as ``ShapedReplayBuffer`` does, for n-step returns.

    Give it ``replay_buffer_kwargs={"shape": run.shape, "n_steps": 3, "gamma": 0.99}``:
    SB3 hands these over only to a buffer that it has chosen itself.

    Example:
        >>> ShapedNStepReplayBuffer.__mro__[2].__name__
        'NStepReplayBuffer'
    """
