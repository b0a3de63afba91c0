"""Random play that shows what features say beside the environment's own internals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from also_wrappers.signal import FeatureMap, View


def play(
    env: Any, features: FeatureMap, steps: int
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields, at every step, each agent's place in the team and its features."""
    random = np.random.default_rng(1)
    observations, _ = env.reset(seed=1)
    for _ in range(steps):
        state = env.state() if features.needs_state else None
        for i, agent in enumerate(env.possible_agents):
            row = features.row(View(observations[agent], None, {}, state, agent))
            yield i, dict(zip(features.names, row, strict=True))
        actions = {a: int(random.integers(env.action_space(a).n)) for a in env.agents}
        observations, *_ = env.step(actions)
        if not env.agents:
            observations, _ = env.reset()
