"""Checks what potentials pay against the closed form of their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.language.parser import parse
from also_wrappers.signal.model import Signal, Term
from also_wrappers.testing.rollouts import choose, one_agent
from also_wrappers.wrappers import wrap

__all__ = ["check_potentials"]

_GAMMA, _WEIGHT, _BOUND = 0.9, 0.5, 5.0


def check_potentials(
    make_env: Callable[[], Any], features: FeatureMap, steps: int = 120
) -> None:
    """Checks that a potential's payments to each agent sum to their closed form.

    The closed form of the discounted sum over an episode is ``gamma ** T * Phi(s_T) -
    Phi(s_0)``, with ``Phi(s_T) = 0`` for an agent whose episode terminated. T counts an
    agent's own steps. An absent agent has a potential of 0.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo one of either form.
        features: The vocabulary.
        steps: Number of steps to play.

    Raises:
        AssertionError: An agent was paid another sum, or its info told another sum.

    Example:
        >>> from also_wrappers.testing import Turns, corridor_features
        >>> check_potentials(Turns, corridor_features(), steps=60)
    """
    single = not hasattr(make_env(), "possible_agents")
    bare = one_agent(make_env)() if single else make_env()
    phi = _Phi(features, bare)
    term = Term(
        name="phi",
        kind="potential",
        expression=phi.expression,
        weight=_WEIGHT,
        bound=_BOUND,
    )

    def make_shaped() -> Any:
        return wrap(make_env(), features, signal=Signal(terms=(term,)), gamma=_GAMMA)

    shaped = one_agent(make_shaped)() if single else make_shaped()
    for k, agent in enumerate(bare.possible_agents):
        bare.action_space(agent).seed(k)
    play = _play_turns if isinstance(bare, AECEnv) else _play
    played = 0
    while played < steps:
        seed = 5 if not played else None
        played += play(bare, shaped, phi, seed, steps - played)


class _Phi:
    """Computes the weighted potential of a state independently of the wrappers."""

    def __init__(self, features: FeatureMap, env: Any) -> None:
        of_state = [n for n in features.names if n not in features.action_names]
        self.expression = f"1 + tanh({of_state[0]}) * team_mean(tanh({of_state[-1]}))"
        self._features = features
        self._tree = parse(self.expression, features.names)
        self._env = env

    def __call__(
        self, observations: Mapping[Any, Any], infos: Mapping[Any, Any]
    ) -> dict[Any, float]:
        """Returns the potential of each agent that observes something."""
        agents = list(observations)
        state = self._env.state() if self._features.needs_state else None
        rows = self._features.rows(agents, observations, {}, infos, state)
        table = np.array(rows, dtype=float)
        everyone = np.ones(len(agents), dtype=bool)
        values = evaluate_batch(self._tree, table, table, everyone)
        worth = _WEIGHT * np.clip(values, -_BOUND, _BOUND)
        return dict(zip(agents, worth.tolist(), strict=True))


def _play(bare: Any, shaped: Any, phi: _Phi, seed: int | None, most: int) -> int:
    """Plays an episode of a parallel environment; returns the number of steps."""
    first = phi(*bare.reset(seed=seed))
    shaped.reset(seed=seed)
    paid: dict[Any, float] = defaultdict(float)
    expected = defaultdict(float, {agent: -worth for agent, worth in first.items()})
    now: dict[Any, float] = {}
    t = 0
    while bare.agents and t < most:
        actions = {
            agent: choose(bare.action_space(agent), None) for agent in bare.agents
        }
        observations, base, ends, cuts, infos = bare.step(actions)
        _, rewards, *_ = shaped.step(actions)
        now = phi(observations, infos)
        t += 1
        for agent, reward in rewards.items():
            paid[agent] += _GAMMA ** (t - 1) * (float(reward) - float(base[agent]))
            if cuts[agent] and not ends[agent]:
                expected[agent] += _GAMMA**t * now[agent]
    for agent in bare.agents:
        expected[agent] += _GAMMA**t * now[agent]
    _compare(paid, expected)
    return t


def _play_turns(bare: Any, shaped: Any, phi: _Phi, seed: int | None, most: int) -> int:
    """Plays an episode of a turn-based environment; returns the number of moves."""
    bare.reset(seed=seed)
    shaped.reset(seed=seed)

    def current(agents: Sequence[Any]) -> dict[Any, float]:
        return phi({agent: bare.observe(agent) for agent in agents}, bare.infos)

    expected = defaultdict(
        float, {agent: -worth for agent, worth in current(bare.agents).items()}
    )
    paid: dict[Any, float] = defaultdict(float)
    acts: dict[Any, int] = defaultdict(int)
    over: set[Any] = set()
    moves = 0
    while bare.agents:
        agent = bare.agent_selection
        observation, base, ended, cut, info = bare.last()
        _, reward, *_, infos = shaped.last()
        added = float(reward) - float(base)
        paid[agent] += _GAMMA ** max(acts[agent] - 1, 0) * added
        shaping = infos.get("shaping", {"base": base, "total": reward})
        numbers = [shaping["base"], shaping["total"]]
        assert np.allclose(numbers, [base, reward], rtol=0.0, atol=1e-9), (
            f"{agent} was paid {reward}, {base} of it by the environment, and told "
            f"{shaping}"
        )
        action = None
        if not (ended or cut):
            if moves == most:
                return moves  # payments are due only at the end of a step
            moves += 1
            acts[agent] += 1
            action = choose(bare.action_space(agent), observation, info)
        bare.step(action)
        shaped.step(action)
        there = [other for other in bare.agents if other not in over]
        ending = {a for a in there if bare.terminations[a] or bare.truncations[a]}
        for other in ending - {a for a in there if bare.terminations[a]}:
            expected[other] += _GAMMA ** acts[other] * current(there)[other]
        over |= ending
    _compare(paid, expected)
    return moves


def _compare(paid: Mapping[Any, float], expected: Mapping[Any, float]) -> None:
    """Checks what was paid to each agent in an episode."""
    for agent, amount in expected.items():
        assert np.isclose(paid.get(agent, 0.0), amount, rtol=0.0, atol=1e-9), (
            f"a potential paid {agent} {paid.get(agent, 0.0):.6g} in an episode, and "
            f"its closed form is {amount:.6g}"
        )
