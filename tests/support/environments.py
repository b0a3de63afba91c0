"""Tiny Gymnasium environments."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Walk(gym.Env[Any, Any]):
    """Three cells to the end; action 1 goes on, 0 stays. Nothing is left to chance.

    Reaching the end pays 1 and terminates; six steps truncate.
    """

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 3.0, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.place = self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Any:
        super().reset(seed=seed)
        self.place = self._steps = 0
        return np.array([0.0], dtype=np.float32), {}

    def step(self, action: Any) -> Any:
        self.place += int(action)
        self._steps += 1
        done = self.place == 3
        observation = np.array([self.place], dtype=np.float32)
        return observation, float(done), done, self._steps >= 6 and not done, {}


class Keyed(gym.Env[Any, Any]):
    """A Dict observation with an action mask, and MultiDiscrete actions."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict(
            {
                "place": spaces.Box(-10.0, 10.0, (2,), np.float32),
                "door": spaces.Discrete(2),
                "action_mask": spaces.MultiBinary(3),
            }
        )
        self.action_space = spaces.MultiDiscrete([3, 2])
        self._steps = 0
        self._place = np.zeros(2, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Any:
        super().reset(seed=seed)
        self._steps = 0
        self._place = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        self._place = self._place.copy()
        self._place[int(action[1])] += float(action[0]) - 1.0
        far = bool(np.abs(self._place).max() > 3.0)
        return self._observe(), float(far), far, self._steps >= 20 and not far, {}

    def _observe(self) -> dict[str, Any]:
        return {
            "place": self._place.copy(),
            "door": int(self._place[0] > 0.0),
            "action_mask": np.ones(3, dtype=np.int8),
        }
