"""What potentials promise: the same optimal policies, and constant memory."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from also_wrappers.signal import Feature, FeatureMap, Shaper, Signal, Term
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.shaper import CompiledSignal, compile_signal

GAMMA = 0.9
STATES, ACTIONS = 6, 3
FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))

Array = npt.NDArray[np.float64]


def compiled(kind: KindName, agents: list[str], weight: float = 2.0) -> CompiledSignal:
    term = Term(
        name="t", kind=kind, expression="team_max(x) * y - x ** 2", weight=weight
    )
    return compile_signal(Signal(terms=(term,)), FEATURES, agents)


def added(
    signal: CompiledSignal, before: Array, after: Array, over: bool, team: int = 1
) -> list[float]:
    """What the Shaper pays for one transition, given feature rows per agent."""
    shaper = Shaper(team, GAMMA)
    everyone = tuple(range(team))
    shaper.reset(signal, before.tolist(), everyone)
    return shaper.step(after.tolist(), everyone, everyone if over else ())


def optimal(rewards: Array, chances: Array) -> list[set[int]]:
    """Optimal actions of every state but the last, which is terminal."""
    value = np.zeros(STATES)
    quality = np.zeros((STATES, ACTIONS))
    for _ in range(500):
        quality = (chances * (rewards + GAMMA * value)).sum(axis=2)
        value = quality.max(axis=1)
        value[-1] = 0.0
    best = quality.max(axis=1, keepdims=True)
    return [set(np.flatnonzero(row)) for row in (quality > best - 1e-7)[:-1]]


def changes(kind: KindName, seed: int) -> bool:
    """Whether shaping changes the optimal policies of a random game."""
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
    rewards = random.integers(0, 2, size=(STATES, ACTIONS, STATES)).astype(float)
    features = random.normal(size=(STATES, 1, 2))
    signal = compiled(kind, ["a"])
    shaped = rewards.copy()
    for s, t in itertools.product(range(STATES - 1), range(STATES)):
        over = t == STATES - 1
        shaped[s, :, t] += added(signal, features[s], features[t], over)[0]
    return optimal(shaped, chances) != optimal(rewards, chances)


def test_potentials_keep_the_optimal_policies() -> None:
    assert not any(changes("potential", seed) for seed in range(30))


def test_progress_can_change_them() -> None:
    """Else the test above would prove nothing of potentials."""
    assert any(changes("progress", seed) for seed in range(30))


@pytest.mark.parametrize("seed", range(10))
def test_potentials_keep_best_responses_in_teams(seed: int) -> None:
    """For any fixed policy of the mate (Devlin & Kudenko 2011)."""
    random = np.random.default_rng(seed)
    joint = random.dirichlet(np.ones(STATES), size=(STATES, ACTIONS, ACTIONS))
    mate = random.dirichlet(np.ones(ACTIONS), size=STATES)
    reward = random.normal(size=(STATES, ACTIONS, ACTIONS, STATES))
    features = random.normal(size=(STATES, 2, 2))
    signal = compiled("potential", ["a", "b"])
    extra = np.zeros((STATES, STATES))
    for s, t in itertools.product(range(STATES - 1), range(STATES)):
        over = t == STATES - 1
        extra[s, t] = added(signal, features[s], features[t], over, team=2)[0]

    def responses(rewards: Array) -> list[set[int]]:
        chances = np.einsum("sb,sabt->sat", mate, joint)
        mean = np.einsum("sb,sabt,sabt->sat", mate, joint, rewards) / chances
        return optimal(mean, chances)

    assert responses(reward + extra[:, None, None, :]) == responses(reward)


def test_memory_does_not_grow_with_steps() -> None:
    shaper = Shaper(2, GAMMA)
    rows = ([[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.6], [0.7, 0.8]])
    shaper.reset(compiled("potential", ["a", "b"]), rows[0], (0, 1))
    tracemalloc.start()
    for _ in range(1000):
        shaper.step(rows[1], (0, 1))
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(500_000):
        shaper.step(rows[0], (0, 1))
        shaper.step(rows[1], (0, 1))
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 2000
