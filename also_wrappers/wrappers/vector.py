"""``ShapeRewardVector``: the wrapper for Gymnasium vector environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from also_wrappers.board import Board
from also_wrappers.signal.features import FeatureMap, View
from also_wrappers.signal.model import Signal
from also_wrappers.signal.spaces import is_batched_arrays
from also_wrappers.signal.vector import VectorShaper
from also_wrappers.wrappers.attachment import Attachment, Options
from also_wrappers.wrappers.single import AGENT

__all__ = ["ShapeRewardVector"]


class ShapeRewardVector(VectorWrapper):
    """Adds a signal to the rewards of a Gymnasium vector environment.

    All three autoreset modes are understood: the filler step that NEXT_STEP inserts
    after an episode is skipped, and SAME_STEP's real last observation is read from
    ``final_obs``. ``infos["shaping"]`` holds the base rewards and what was added, as
    arrays. A static signal is computed for all sub-environments at once; with a board,
    which records evidence, one after the other.

    Args:
        env: The vector environment.
        features: The vocabulary that the signal speaks, for one sub-environment.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``events``, ``success``; see
            ``also_wrappers.wrappers.attachment.Options``.
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
        self._arrays = (
            is_batched_arrays(env.single_observation_space),
            is_batched_arrays(env.single_action_space),
        )
        self._shaper: VectorShaper | None = None
        self.attachments: list[Attachment] = []
        if signal is not None and board is None:
            self._shaper = VectorShaper(
                signal,
                features,
                options.get("gamma", 0.99),
                options.get("bootstraps_truncation", True),
            )
        else:
            self.attachments = [
                Attachment(
                    features,
                    [AGENT],
                    [env.single_action_space],
                    signal,
                    board,
                    **options,
                )
                for _ in range(env.num_envs)
            ]
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._mode = AutoresetMode(mode)
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Resets all sub-environments, or those in ``options["reset_mask"]``."""
        observations, infos = self.env.reset(seed=seed, options=options)
        mask = (options or {}).get("reset_mask")
        if self._shaper is not None:
            columns = self._columns(observations, None, infos)
            self._shaper.reset(columns, None if mask is None else np.asarray(mask))
            self._ended[slice(None) if mask is None else mask] = False
            return observations, infos
        for k in range(self.num_envs):
            if mask is None or mask[k]:
                self._begin(k, observations, infos)
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
        if self._shaper is not None:
            added = self._shape(
                self._shaper, actions, observations, terminations, truncations, infos
            )
            told = {**infos, "shaping": {"base": rewards, "added": added}}
            if self._shaper.signal.terms:
                rewards = rewards + added
            return observations, rewards, terminations, truncations, told
        added = np.zeros(self.num_envs)
        for k, attachment in enumerate(self.attachments):
            if self._ended[k] and self._mode == AutoresetMode.NEXT_STEP:
                self._begin(k, observations, infos)
                continue
            over = bool(terminations[k] or truncations[k])
            at_end = over and self._mode == AutoresetMode.SAME_STEP
            paid = attachment.step(
                {AGENT: _take(self.single_action_space, actions, k)},
                {
                    AGENT: infos["final_obs"][k]
                    if at_end
                    else _take(self.single_observation_space, observations, k)
                },
                {AGENT: float(rewards[k])},
                {AGENT: bool(terminations[k])},
                {AGENT: bool(truncations[k])},
                {AGENT: _info(infos.get("final_info", {}) if at_end else infos, k)},
                ended=over,
                over=over,
            )
            if paid is not None:
                added[k] = paid[0]
            self._ended[k] = over
            if at_end:
                self._begin(k, observations, infos)
        told = {
            **infos,
            "shaping": {"base": np.array(rewards, dtype=float), "added": added},
        }
        if any(attachment.signal.terms for attachment in self.attachments):
            rewards = rewards + added
        return observations, rewards, terminations, truncations, told

    def _shape(
        self,
        shaper: VectorShaper,
        actions: Any,
        observations: Any,
        terminations: npt.NDArray[np.bool_],
        truncations: npt.NDArray[np.bool_],
        infos: dict[str, Any],
    ) -> npt.NDArray[np.float64]:
        """What a static signal adds, for all sub-environments at once."""
        columns = self._columns(observations, actions, infos)
        over = terminations | truncations
        reached = columns
        same_step = self._mode == AutoresetMode.SAME_STEP and bool(over.any())
        if same_step:
            reached = columns.copy()
            for k in np.flatnonzero(over).tolist():
                info = _info(infos.get("final_info", {}), k)
                action = _take(self.single_action_space, actions, k)
                view = View(infos["final_obs"][k], action, info, None)
                reached[:, k] = self._features.row(view)
        added = shaper.step(reached, terminations, truncations)
        if same_step:
            shaper.reset(columns, over)
        elif self._mode == AutoresetMode.NEXT_STEP:
            if self._ended.any():  # the step that only resets is no transition
                added = np.where(self._ended, 0.0, added)
                shaper.reset(columns, self._ended)
            self._ended = over
        return added

    def _columns(
        self, observations: Any, actions: Any, infos: dict[str, Any]
    ) -> npt.NDArray[np.float64]:
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

    def _begin(self, k: int, observations: Any, infos: dict[str, Any]) -> None:
        observation = _take(self.single_observation_space, observations, k)
        self.attachments[k].reset({AGENT: observation}, {AGENT: _info(infos, k)})
        self._ended[k] = False


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
