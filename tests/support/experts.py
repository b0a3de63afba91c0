"""Experts that were recorded for environments of the catalogue, and their episodes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from also_wrappers.cli.foraging import recorded_expert
from also_wrappers.signal import Actions, FeatureMap, Signal
from also_wrappers.wrappers import wrap

_RECORDED = Path(__file__).parent / "experts"
_OF_THE_DEMO = {
    "foraging_8x8": "Foraging-8x8-2p-2f-coop-v3",
    "foraging_10x10": "Foraging-10x10-3p-3f-coop-v3",
}


def recorded(name: str) -> Signal:
    """Reads a signal with an expert; some are those of the demo."""
    if name in _OF_THE_DEMO:
        return recorded_expert(_OF_THE_DEMO[name])
    return Signal.model_validate_json((_RECORDED / f"{name}.json").read_text())


def earned(
    env: Any, features: FeatureMap, actions: Actions, signal: Signal, episodes: int
) -> float:
    """Mean base return of an expert that plays, with a tenth of random actions."""
    shaped = wrap(env, features, signal=signal, actions=actions)
    chance = random.Random(0)
    total = 0.0
    for episode in range(episodes):
        _, infos = shaped.reset(seed=episode)
        while shaped.agents:
            chosen = {}
            for agent in shaped.agents:
                count = int(shaped.action_space(agent).n)
                bits = infos[agent]["shaping"]["advice"]
                good = [k for k in range(count) if bits >> k & 1]
                free = not good or chance.random() < 0.1
                chosen[agent] = chance.choice(range(count) if free else good)
            _, rewards, _, _, infos = shaped.step(chosen)
            total += max(rewards.values())
    return total / episodes
