"""A Gymnasium environment with an observation that is not an array."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


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
