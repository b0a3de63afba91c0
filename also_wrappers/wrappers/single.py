"""``ShapeReward``: the wrapper for Gymnasium environments."""

from __future__ import annotations

from typing import Any, SupportsFloat, Unpack

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from also_wrappers.board.board import Board
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.wrappers.shaped_team import ShapedTeam, as_float
from also_wrappers.wrappers.source import Options

__all__ = ["ShapeReward"]

AGENT = "agent"


class ShapeReward(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds a signal to the reward of a Gymnasium environment.

    ``info["shaping"]`` says what was added: see ``Shaping``.

    Args:
        env: The environment.
        features: The vocabulary that the signal speaks.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``conditions``, ``success``,
            ``actions``; see ``also_wrappers.wrappers.Options``.

    Example:
        >>> from also_wrappers.signal import Feature, FeatureMap, Term
        >>> features = FeatureMap(Feature("angle", "obs[2]"))
        >>> upright = Term(
        ...     name="upright", kind="bonus", expression="-abs(angle)", weight=1.0
        ... )
        >>> env = gym.make("CartPole-v1")
        >>> env = ShapeReward(env, features, Signal(terms=(upright,)))
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, *_, info = env.step(1)
        >>> info["shaping"]["base"], reward < 1.0
        (1.0, True)
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        features: FeatureMap,
        signal: Signal | None = None,
        board: Board | None = None,
        **options: Unpack[Options],
    ) -> None:
        gym.Wrapper.__init__(self, env)
        self.shaped = ShapedTeam(
            features,
            [AGENT],
            [env.action_space],
            signal,
            board,
            **options,
        )
        RecordConstructorArgs.__init__(
            self,
            features=features,
            signal=signal,
            board=board,
            **options,
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Resets the environment; a newly posted signal is in force from here on."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.shaped.reset({AGENT: observation}, {AGENT: info}, self._state())
        return observation, self.shaped.first_infos({AGENT: info})[AGENT]

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Steps the environment and adds to its reward."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        over = bool(terminated or truncated)
        base = as_float(reward)
        added = self.shaped.step(
            {AGENT: action},
            {AGENT: observation},
            {AGENT: base},
            {AGENT: terminated},
            {AGENT: truncated},
            {AGENT: info},
            self._state(),
            ended=over,
            over=over,
        )
        paid = added[0] if added else 0.0
        shaping = self.shaped.info(base, paid, over)
        if added is not None:
            reward = base + paid
        return observation, reward, terminated, truncated, {**info, "shaping": shaping}

    def _state(self) -> Any:
        if not self.shaped.needs_state:
            return None
        return self.env.get_wrapper_attr("state")()
