"""``ShapeRewardVector``: the wrapper for Gymnasium vector environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from also_wrappers.board.board import Board
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.features import FeatureMap, View
from also_wrappers.signal.model import Signal
from also_wrappers.signal.spaces import is_batched_arrays
from also_wrappers.wrappers.shaped_vector import BatchAttachment
from also_wrappers.wrappers.single import AGENT
from also_wrappers.wrappers.source import Options

__all__ = ["ShapeRewardVector"]


class ShapeRewardVector(VectorWrapper):
    """Adds a signal to the rewards of a Gymnasium vector environment.

    All three autoreset modes are understood: the filler step that NEXT_STEP inserts
    after an episode is skipped, and SAME_STEP's real last observation is read from
    ``final_obs``. ``infos["shaping"]`` holds the base rewards and what was added, as
    arrays. All is computed for all sub-environments at once.

    Args:
        env: The vector environment.
        features: The vocabulary that the signal speaks, for one sub-environment.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``conditions``, ``success``;
            see ``also_wrappers.wrappers.Options``.

    Raises:
        ConfigurationError: An argument does not go with another, or with vectors.
        ExpressionError: An expression is not valid.
        FeatureError: At the first reset, if a feature does not fit.

    Example:
        >>> import gymnasium as gym
        >>> from also_wrappers.signal import Feature, Term
        >>> features = FeatureMap(Feature("angle", "obs[2]"))
        >>> upright = Term(
        ...     name="upright", kind="bonus", expression="-abs(angle)", weight=1.0
        ... )
        >>> signal = Signal(terms=(upright,))
        >>> carts = gym.make_vec("CartPole-v1", num_envs=2)
        >>> env = ShapeRewardVector(carts, features, signal)
        >>> observations, infos = env.reset(seed=0)
        >>> _, rewards, _, _, infos = env.step(np.array([0, 1]))
        >>> infos["shaping"]["base"].tolist(), bool((rewards < 1.0).all())
        ([1.0, 1.0], True)
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        features: FeatureMap,
        signal: Signal | None = None,
        board: Board | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(env)
        if features.needs_state:
            raise ConfigurationError(
                "a feature reads env.state(), which vector environments do not have; "
                "put ShapeReward around each sub-environment instead"
            )
        self._features = features
        self._checked = False
        self._arrays = (
            is_batched_arrays(env.single_observation_space),
            is_batched_arrays(env.single_action_space),
        )
        self.attachment = BatchAttachment(
            features,
            AGENT,
            env.single_action_space,
            env.num_envs,
            signal,
            board,
            options,
        )
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._mode = AutoresetMode(mode)
        self._ended: npt.NDArray[np.bool_] | None = None

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Resets all sub-environments, or those in ``options["reset_mask"]``."""
        mask = (options or {}).get("reset_mask")  # the environment takes it out
        observations, infos = self.env.reset(seed=seed, options=options)
        columns = self._columns(observations, None, infos)
        self.attachment.reset(columns, None if mask is None else np.asarray(mask))
        self._ended = None
        return observations, infos

    def step(
        self, actions: Any
    ) -> tuple[
        Any,
        npt.NDArray[Any],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Steps and adds to the rewards."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        columns = self._columns(observations, actions, infos)
        over = terminations | truncations
        anybody = np.count_nonzero(over) > 0  # quicker than any()
        reached = columns
        if anybody and self._mode == AutoresetMode.SAME_STEP:
            reached = self._final(columns, over, actions, infos)
        attachment = self.attachment
        added = attachment.step(
            actions, reached, rewards, terminations, truncations, self._ended
        )
        # The step that only resets, with NEXT_STEP, is no transition.
        begun = over if anybody and self._mode == AutoresetMode.SAME_STEP else None
        begun = self._ended if self._ended is not None else begun
        if begun is not None:
            if self._features.reads_actions:  # no action led to a first state
                first = self._columns(observations, None, infos)
                columns = np.where(begun, first, columns)
            attachment.reset(columns, begun)
        self._ended = (
            over if anybody and self._mode == AutoresetMode.NEXT_STEP else None
        )
        paid = np.zeros(self.num_envs) if added is None else added
        told = {**infos, "shaping": {"base": rewards, "added": paid}}
        if added is not None:
            rewards = rewards + added
        return observations, rewards, terminations, truncations, told

    def _final(
        self,
        columns: npt.NDArray[np.float64],
        over: npt.NDArray[np.bool_],
        actions: Any,
        infos: dict[str, Any],
    ) -> npt.NDArray[np.float64]:
        """The columns with the last features of episodes that were reset at once."""
        reached = columns.copy()
        for k in np.flatnonzero(over).tolist():
            info = _info(infos.get("final_info", {}), k)
            action = _take(self.single_action_space, actions, k)
            view = View(infos["final_obs"][k], action, info)
            reached[:, k] = self._features.row(view)
        return reached

    def _columns(
        self, observations: Any, actions: Any, infos: dict[str, Any]
    ) -> npt.NDArray[np.float64]:
        if not self._checked:
            self._checked = True
            space = self.single_observation_space
            view = View(_take(space, observations, 0), None, _info(infos, 0))
            self._features.check(view, AGENT)

        def views() -> list[View]:
            return [
                View(
                    _take(self.single_observation_space, observations, k),
                    None
                    if actions is None
                    else _take(self.single_action_space, actions, k),
                    _info(infos, k),
                    None,
                )
                for k in range(self.num_envs)
            ]

        return self._features.columns(
            observations if self._arrays[0] else None,
            actions if self._arrays[1] or actions is None else None,
            views,
            self.num_envs,
        )


def _take(space: spaces.Space[Any], batch: Any, k: int) -> Any:
    """The k-th sub-environment's part of a batch."""
    if isinstance(space, spaces.Dict):
        return {key: _take(inner, batch[key], k) for key, inner in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            _take(inner, part, k)
            for inner, part in zip(space.spaces, batch, strict=True)
        )
    return batch[k]


def _info(infos: Mapping[str, Any], k: int) -> dict[str, Any]:
    """The k-th sub-environment's info; ``_key`` masks say who has ``key``."""
    found = {}
    for key, value in infos.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        if f"_{key}" in infos and infos[f"_{key}"][k]:
            found[key] = _info(value, k) if isinstance(value, Mapping) else value[k]
    return found
