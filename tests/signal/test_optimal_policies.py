"""Small games solved exactly: potentials leave the optimal policies as they are.

Every history of a game is played through a Shaper, to a fixed horizon and backwards
again. Agents die, leave and come back on the way; what is optimal for agent one at each
history is compared with what the base reward alone makes optimal there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from also_wrappers.signal import Fade, Feature, FeatureMap, Shaper, Signal, Term
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.shaper import CompiledSignal, compile_signal

GAMMA = 0.9
STATES, ACTIONS, BRANCHES, HORIZON = 7, 2, 2, 4
FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """A random game of two agents, of whom the second one is part of the chances.

    Attributes:
        features: Feature rows of both agents by state, shape (states, 2, 2).
        there: Who is there, by state; agent one is in state 0.
        dead: States in which agent one is dead, and not only away.
        targets: Where an action may lead, shape (states, actions, branches).
        chances: How likely, in the same shape.
        rewards: Base rewards of agent one, in the same shape; with many ties.
    """

    features: Array
    there: tuple[tuple[int, ...], ...]
    dead: frozenset[int]
    targets: npt.NDArray[np.int64]
    chances: Array
    rewards: Array

    @classmethod
    def draw(cls, seed: int) -> Game:
        random = np.random.default_rng(seed)
        there = [(0, 1)] * 3 + [(0,)] + [(1,)] * 3
        shape = (STATES, ACTIONS, BRANCHES)
        targets = random.integers(STATES, size=shape)
        chances = random.dirichlet(np.ones(BRANCHES), size=shape[:2])
        rewards = random.integers(0, 2, size=shape).astype(float)
        for state in (4, 5):  # where it is away, what it does is nothing
            targets[state] = targets[state, 0]
            chances[state] = chances[state, 0]
            rewards[state] = 0.0
        return cls(
            random.normal(size=(STATES, 2, 2)),
            tuple(there),
            frozenset({6}),
            targets,
            chances,
            rewards,
        )


def compiled(kind: KindName, expression: str, weight: float) -> CompiledSignal:
    term = Term(name="t", kind=kind, expression=expression, weight=weight)
    return compile_signal(Signal(terms=(term,)), FEATURES, ["a", "b"])


POTENTIALS = ["team_max(x) * y - x ** 2", "others_mean(x) - y", "1 / (x > 0) + y"]


def best_actions(
    game: Game,
    signal: CompiledSignal,
    *,
    strength: float = 1.0,
    swap: tuple[int, CompiledSignal] | None = None,
    bootstraps: bool = False,
) -> Iterator[tuple[int, set[int], set[int]]]:
    """Yields, per history, its length and what is optimal by base and shaped reward."""
    found: list[tuple[int, set[int], set[int]]] = []

    def rows(state: int) -> list[list[float]]:
        table: list[list[float]] = game.features[state].tolist()
        return table

    def solve(state: int, shaper: Shaper, t: int) -> tuple[float, float]:
        """Returns the value of a history by base reward and by shaped reward."""
        if t == HORIZON:
            # Where the learner bootstraps, it does so from the value of either reward.
            worth = float(game.features[state, 0, 0] ** 2) if bootstraps else 0.0
            phi = shaper._phi[0][0] or 0.0
            return worth, worth - (strength * weight(t) * phi if bootstraps else 0.0)
        if swap is not None and swap[0] == t:
            shaper.swap(swap[1], strength)
        values = np.zeros((ACTIONS, 2))
        for action in range(ACTIONS):
            for branch in range(BRANCHES):
                target = int(game.targets[state, action, branch])
                part = arrive(state, target, shaper, t)
                base = game.rewards[state, action, branch]
                chance = game.chances[state, action, branch]
                values[action] += chance * (np.array([base, base]) + part)
        plain, shaped = (
            set(np.flatnonzero(column > column.max() - 1e-9).tolist())
            for column in values.T
        )
        found.append((t, plain, shaped))
        best, other = values.max(axis=0).tolist()
        return best, other

    def weight(t: int) -> float:
        in_force = swap[1] if swap is not None and swap[0] < t else signal
        return in_force.weights[0]

    def arrive(state: int, target: int, shaper: Shaper, t: int) -> Array:
        """Returns what follows on a transition, by base and by shaped reward."""
        after = copy.deepcopy(shaper, {id(shaper.compiled): shaper.compiled})
        before, there = game.there[state], game.there[target]
        alive = tuple(sorted({*before, *there}))
        leaving = [i for i in before if i not in there]
        last = t + 1 == HORIZON
        truncated = list(there) if last else []
        paid = after.step(rows(target), alive, leaving, truncated)[0]
        if target in game.dead:
            return np.array([0.0, paid])
        if last:
            # Phi is forgotten with the episode, so it is read before.
            probe = copy.deepcopy(shaper, {id(shaper.compiled): shaper.compiled})
            probe.step(rows(target), alive, leaving)
            after._phi = probe._phi
        plain, shaped = solve(target, after, t + 1)
        return np.array([GAMMA * plain, paid + GAMMA * shaped])

    shaper = Shaper(2, GAMMA, bootstraps)
    shaper.reset(signal, rows(0), game.there[0], strength)
    solve(0, shaper, 0)
    yield from found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("expression", POTENTIALS)
@pytest.mark.parametrize("bootstraps", [False, True])
def test_potentials_keep_what_is_optimal(
    seed: int, expression: str, bootstraps: bool
) -> None:
    signal = compiled("potential", expression, 2.0)
    game = Game.draw(seed)
    histories = list(best_actions(game, signal, bootstraps=bootstraps))
    assert len(histories) > 20
    for _, plain, shaped in histories:
        assert shaped == plain


def test_progress_and_bonuses_can_change_it() -> None:
    """Else the test above would prove nothing."""
    for kind in ("progress", "bonus"):
        signal = compiled(kind, POTENTIALS[0], 2.0)
        changed = [
            plain != shaped
            for seed in range(4)
            for _, plain, shaped in best_actions(Game.draw(seed), signal)
        ]
        assert any(changed)


@pytest.mark.parametrize("seed", range(3))
def test_fades_and_swaps_at_resets_keep_what_is_optimal(seed: int) -> None:
    """An episode has one signal and one strength, whatever the last one had."""
    game = Game.draw(seed)
    fade = Fade(begin=0, end=3 * HORIZON)
    for episode in range(4):
        signal = compiled("potential", POTENTIALS[episode % 2], 2.0 - 3.0 * episode)
        strength = fade.strength(episode * HORIZON)
        for _, plain, shaped in best_actions(game, signal, strength=strength):
            assert shaped == plain


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at", range(HORIZON))
def test_a_swap_at_a_step_keeps_what_is_optimal_from_there_on(
    seed: int, at: int
) -> None:
    old, new = (compiled("potential", POTENTIALS[k], 2.0) for k in range(2))
    game = Game.draw(seed)
    histories = [
        (plain, shaped)
        for t, plain, shaped in best_actions(game, old, swap=(at, new))
        if t >= at
    ]
    assert histories
    for plain, shaped in histories:
        assert shaped == plain
