"""Environments that cost nothing, and the wrapper that a person would write."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.signal import Feature, FeatureMap, Signal, Term

GAMMA = 0.99
AGENTS = ("agent_0", "agent_1")

FEATURES = FeatureMap(*[Feature(f"x{k}", f"obs[{k}]") for k in range(6)])

TERMS = (
    Term(name="a", kind="potential", expression="-team_max(x0) - 0.5 * x1", weight=0.5),
    Term(name="b", kind="progress", expression="x2 * x3", weight=0.2),
    Term(name="c", kind="bonus", expression="where(x4 < 0.3, x5, 0)", weight=0.01),
    Term(name="d", kind="potential", expression="-team_mean(x5)", weight=0.1),
    Term(name="e", kind="progress", expression="abs(x1 - x4)", weight=0.3),
    Term(name="f", kind="bonus", expression="(x0 > 0.9) * x2", weight=0.02),
)
SIGNAL = Signal(terms=TERMS[:3])


class Stub(ParallelEnv[str, Any, Any]):
    """Returns prepared arrays."""

    def __init__(self, steps: int = 512) -> None:
        random = np.random.default_rng(0)
        rows = random.random((steps, 2, 6)).astype(np.float32)
        self.possible_agents = list(AGENTS)
        self.agents = list(AGENTS)
        self.metadata = {"name": "stub"}
        self.render_mode = None
        self._frames = [dict(zip(AGENTS, pair, strict=True)) for pair in rows]
        self._rewards = dict.fromkeys(AGENTS, 0.0)
        self._false = dict.fromkeys(AGENTS, False)
        self._infos: dict[str, Any] = {agent: {} for agent in AGENTS}
        self._t = 0

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 1, (6,))

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(5)

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self._t = 0
        return self._frames[0], self._infos

    def step(self, actions: Any) -> Any:
        self._t = (self._t + 1) % len(self._frames)
        frame = self._frames[self._t]
        return frame, self._rewards, self._false, self._false, self._infos


class ByHand(BaseParallelWrapper):
    """The first terms, as a person would write them.

    Args:
        env: The environment.
        terms: 1, 3 or 6.
    """

    def __init__(self, env: Any, terms: int) -> None:
        super().__init__(env)
        self._added = {1: self._one, 3: self._three, 6: self._six}[terms]

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        observations, infos = self.env.reset(seed=seed, options=options)
        self._then: Any = {}
        for agent in observations:
            self._then[agent] = (0.0, 0.0, 0.0, 0.0)
        self._added(observations, dict.fromkeys(observations, False))
        return observations, infos

    def _one(self, observations: Any, ended: Any) -> Any:
        farthest = max(o[0] for o in observations.values())
        added = {}
        for agent, o in observations.items():
            a = -farthest - 0.5 * o[1]
            added[agent] = 0.5 * (
                (0.0 if ended[agent] else GAMMA * a) - self._then[agent][0]
            )
            self._then[agent] = (a,)
        return added

    def _three(self, observations: Any, ended: Any) -> Any:
        farthest = max(o[0] for o in observations.values())
        added = {}
        for agent, o in observations.items():
            a = -farthest - 0.5 * o[1]
            b = o[2] * o[3]
            then_a, then_b = self._then[agent][:2]
            added[agent] = (
                0.5 * ((0.0 if ended[agent] else GAMMA * a) - then_a)
                + 0.2 * (b - then_b)
                + 0.01 * (o[5] if o[4] < 0.3 else 0.0)
            )
            self._then[agent] = (a, b)
        return added

    def _six(self, observations: Any, ended: Any) -> Any:
        farthest = max(o[0] for o in observations.values())
        mean = sum(o[5] for o in observations.values()) / len(observations)
        added = {}
        for agent, o in observations.items():
            a = -farthest - 0.5 * o[1]
            b = o[2] * o[3]
            d = -mean
            e = abs(o[1] - o[4])
            then_a, then_b, then_d, then_e = self._then[agent]
            over = ended[agent]
            added[agent] = (
                0.5 * ((0.0 if over else GAMMA * a) - then_a)
                + 0.2 * (b - then_b)
                + 0.01 * (o[5] if o[4] < 0.3 else 0.0)
                + 0.1 * ((0.0 if over else GAMMA * d) - then_d)
                + 0.3 * (e - then_e)
                + 0.02 * (o[2] if o[0] > 0.9 else 0.0)
            )
            self._then[agent] = (a, b, d, e)
        return added

    def step(self, actions: Any) -> Any:
        observations, rewards, ended, cut, infos = self.env.step(actions)
        added = self._added(observations, ended)
        shaped = {}
        told = {}
        for agent, base in rewards.items():
            shaped[agent] = float(base + added[agent])
            told[agent] = {
                **infos[agent],
                "shaping": {"base": base, "total": shaped[agent]},
            }
        return observations, shaped, ended, cut, told
