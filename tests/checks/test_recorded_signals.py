"""Signals that a language model wrote: they parse, compile and pay finite numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpe2 import simple_spread_v3

from also_wrappers.catalog import lbforaging, mpe2
from also_wrappers.signal import Signal, Term
from also_wrappers.wrappers import wrap

FILES = sorted((Path(__file__).parents[1] / "recorded").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_signal_pays_what_it_says(path: Path) -> None:
    data = json.loads(path.read_text())
    signal = Signal(
        terms=tuple(Term(name=f"t{k}", **term) for k, term in enumerate(data["terms"]))
    )
    env: Any
    if path.stem.startswith("lbf"):
        env = lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")
        features = lbforaging.features(env)
    else:
        env = simple_spread_v3.parallel_env(N=2, max_cycles=25)
        features = mpe2.spread_features(env)
    env = wrap(env, features, signal=signal)
    random = np.random.default_rng(0)
    added = []
    for episode in range(3):
        env.reset(seed=episode)
        while env.agents:
            actions = {a: int(random.integers(5)) for a in env.agents}
            _, _, _, _, infos = env.step(actions)
            added += [
                i["shaping"]["total"] - i["shaping"]["base"] for i in infos.values()
            ]
    assert all(math.isfinite(value) for value in added)
    assert np.std(added) > 0.0
    assert len(FILES) == 6
