"""``ShapeRewardVector``: the wrapper for Gymnasium vector environments."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, repeat
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import iterate

from also_wrappers.board.board import Board
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import View
from also_wrappers.signal.model import Signal
from also_wrappers.signal.spaces import is_batched_arrays
from also_wrappers.wrappers.shaped_vector import ShapedVector
from also_wrappers.wrappers.single import AGENT
from also_wrappers.wrappers.source import Options

__all__ = ["ShapeRewardVector"]


class ShapeRewardVector(VectorWrapper):
    """Adds a signal to the rewards of a Gymnasium vector environment.

    All three autoreset modes are understood: the filler step that NEXT_STEP inserts
    after an episode is skipped, and SAME_STEP's real last observation is read from
    ``final_obs``. ``infos["shaping"]`` holds the keys of ``Shaping`` as arrays with
    Gymnasium's masks; with SAME_STEP, a step that ends an episode is told under
    ``infos["final_info"]["shaping"]``. All sub-environments are computed at once.

    Args:
        env: The vector environment.
        features: The vocabulary that the signal speaks, for one sub-environment.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``conditions``, ``success``,
            ``actions``; see ``also_wrappers.wrappers.Options``.

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
        >>> infos["shaping"]["base"], infos["shaping"]["_base"]
        (array([1., 1.]), array([ True,  True]))
        >>> bool((infos["shaping"]["total"] == rewards).all())
        True
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
        self._features = features
        self._checked = False
        self._arrays = (
            is_batched_arrays(env.single_observation_space),
            is_batched_arrays(env.single_action_space),
        )
        self.shaped = ShapedVector(
            features,
            [AGENT],
            [env.single_action_space],
            env.num_envs,
            signal,
            board,
            options,
        )
        if features.needs_state:
            raise ConfigurationError(
                "a feature reads env.state(), which vector environments do not have; "
                "put ShapeReward around each sub-environment instead"
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
        which = None if mask is None else np.asarray(mask)
        self.shaped.reset(columns, which)
        self._ended = None
        return observations, self.shaped.first_info(infos, which)

    def step(
        self, actions: Any
    ) -> tuple[
        Any,
        npt.NDArray[Any],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Steps all sub-environments and adds to their rewards."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        columns = self._columns(observations, actions, infos)
        over = terminations | truncations
        anybody = np.count_nonzero(over) > 0  # quicker than any()
        at_once = anybody and self._mode == AutoresetMode.SAME_STEP
        reached = columns
        if at_once:
            reached = self._final(columns, over, actions, infos)
        shaped, filler = self.shaped, self._ended
        added = shaped.step(
            [actions], reached, rewards, terminations, truncations, filler
        )
        # Infos share no array with the rewards, to which other wrappers may write.
        base = np.asarray(rewards, dtype=np.float64)
        if added is None:
            total = base = base.copy()
        else:
            total = np.add(base, added, out=added)
            rewards = total.copy()
        if anybody:
            shaping = self._ends(base, total, over, infos)
        else:
            shaping = shaped.info(base, total, None if filler is None else ~filler)
        # The step that only resets, with NEXT_STEP, is no transition.
        begun = over if at_once else filler
        if begun is not None:
            if self._features.reads_actions:  # no action led to a first state
                first = self._columns(observations, None, infos)
                columns = np.where(begun, first, columns)
            shaped.reset(columns, begun)
            shaping = shaped.first_info(shaping, begun)
        self._ended = (
            over if anybody and self._mode == AutoresetMode.NEXT_STEP else None
        )
        return observations, rewards, terminations, truncations, {**infos, **shaping}

    def _ends(
        self,
        base: npt.NDArray[np.float64],
        total: npt.NDArray[np.float64],
        over: npt.NDArray[np.bool_],
        infos: dict[str, Any],
    ) -> dict[str, Any]:
        """Returns what infos gain where episodes end, at Gymnasium's place for it.

        Args:
            base: Base rewards.
            total: Shaped rewards.
            over: Whose episode ended.
            infos: The environment's infos.
        """
        over.setflags(write=False)  # infos share it with ``_ended``
        if self._mode != AutoresetMode.SAME_STEP:
            acted = None if self._ended is None else ~self._ended
            return self.shaped.info(base, total, acted, over)
        final = infos.get("final_info", {}) | self.shaped.info(base, total, over, over)
        return {
            **self.shaped.info(base, total, ~over),
            "final_info": final,
            "_final_info": over,
        }

    def _final(
        self,
        columns: npt.NDArray[np.float64],
        over: npt.NDArray[np.bool_],
        actions: Any,
        infos: dict[str, Any],
    ) -> npt.NDArray[np.float64]:
        """Returns the columns with the last features of episodes that are over."""
        reached = columns.copy()
        last_actions = compress(iterate(self.action_space, actions), over)
        for k, action in zip(np.flatnonzero(over).tolist(), last_actions, strict=True):
            info = _info(infos.get("final_info", {}), k)
            view = View(infos["final_obs"][k], action, info)
            reached[:, k] = self._features.row(view)
        return reached

    def _columns(
        self, observations: Any, actions: Any, infos: dict[str, Any]
    ) -> npt.NDArray[np.float64]:
        """Returns features, shape ``(features, environments)``."""

        def views() -> list[View]:
            acted = (
                repeat(None) if actions is None else iterate(self.action_space, actions)
            )
            pairs = zip(
                iterate(self.observation_space, observations), acted, strict=False
            )
            return [View(*pair, _info(infos, k)) for k, pair in enumerate(pairs)]

        if not self._checked:
            self._checked = True
            self._features.check(views()[0], AGENT)
        return self._features.columns(
            observations if self._arrays[0] else None,
            actions if self._arrays[1] or actions is None else None,
            views,
            self.num_envs,
        )


def _info(infos: Mapping[str, Any], k: int) -> dict[str, Any]:
    """Returns the info of the k-th sub-environment; masks ``_key`` say who has one."""
    info = {}
    for key, value in infos.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        if f"_{key}" in infos and infos[f"_{key}"][k]:
            info[key] = _info(value, k) if isinstance(value, Mapping) else value[k]
    return info
