"""The gate: it agrees with its formulas and keeps its declared error rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from also_wrappers.gate import Decision, Gate, Request, Trial
from also_wrappers.gate.gate import statistic
from tests.support.reference_gate import Run, reference


def play(gate: Gate, arms: int, run: Run) -> tuple[Decision, list[Trial]]:
    trials: list[Trial] = []
    for _ in range(200):
        step = gate.next(arms, trials)
        if isinstance(step, Decision):
            return step, trials
        assert step, "the gate must ask for something or decide"
        for request in step:
            assert request not in {trial.request for trial in trials}
            score, variance, ok = run(request.arm, request.phase, request.index)
            trials.append(Trial(request, score, variance, ok))
    raise AssertionError("the gate never decides")


def normal_run(seed: int, means: list[float], sd: float = 1.0) -> Run:
    def run(arm: int, stage: str, index: int) -> tuple[float, float, bool]:
        key = [seed, arm, 0 if stage == "screen" else 1, index]
        draw = float(np.random.default_rng(key).normal(means[arm], sd))
        return draw, (0.5 * sd) ** 2, True

    return run


@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from([-2.0, 0.0, 0.0, 1.0, 3.0]), min_size=1, max_size=5),
    st.sampled_from([(2.83, 16, 0.2), (2.83, 12, 0.0), (2.30, 8, 0.0)]),
)
def test_agrees_with_the_formulas(
    seed: int, effects: list[float], numbers: tuple[float, int, float]
) -> None:
    critical, pairs, futility = numbers
    run = normal_run(seed, [10.0, *(10.0 + effect for effect in effects)])
    gate = Gate(critical=critical, max_pairs=pairs, futility=futility)
    decision, trials = play(gate, len(effects) + 1, run)
    winner, count = reference(run, len(effects), critical, pairs, futility)
    assert (decision.winner, len(trials)) == (winner, count)


def rate_of_false_runs(gate: Gate, rounds: int, runs: int) -> float:
    """Share of runs that promote anything although all candidates equal control."""
    wrong = 0
    for number in range(runs):
        seeds = range(number * rounds, (number + 1) * rounds)
        wrong += any(
            play(gate, 4, normal_run(seed, [10.0] * 4))[0].winner is not None
            for seed in seeds
        )
    return wrong / runs


@pytest.mark.parametrize(
    ("gate", "rounds"), [(Gate(), 5), (Gate(critical=2.30, max_pairs=8), 1)]
)
def test_equal_candidates_are_rarely_promoted(gate: Gate, rounds: int) -> None:
    """The declared 5 %: of runs of five rounds by default, of rounds with c = 2.30."""
    runs = 3000 // rounds
    # Three standard errors of this simulation above the declared rate.
    limit = 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    rate = rate_of_false_runs(gate, rounds, runs)
    print(f"{rate:.3f} of {runs} runs of {rounds} round(s)")
    assert rate <= limit


def test_a_clear_gain_is_promoted_and_a_clear_loss_costs_little() -> None:
    games = 200
    good = [play(Gate(), 4, normal_run(s, [10, 10, 14, 10])) for s in range(games)]
    assert sum(decision.winner == 2 for decision, _ in good) > 0.95 * games
    bad = [play(Gate(), 4, normal_run(s, [10, 4, 4, 4])) for s in range(games)]
    assert all(decision.winner is None for decision, _ in bad)
    assert np.mean([len(trials) for _, trials in bad]) < 4.5


def test_without_any_reward_branches_are_extended_once() -> None:
    gate = Gate()
    trials = [Trial(Request(arm, "screen", 0), 0.0, 0.0) for arm in range(3)]
    step = gate.next(3, trials)
    assert step == [Request(arm, "screen", 0, 2) for arm in range(3)]
    trials += [Trial(Request(arm, "screen", 0, 2), 0.0, 0.0) for arm in range(3)]
    decision = gate.next(3, trials)
    assert isinstance(decision, Decision)
    assert decision.winner is None
    assert "no arm saw any base reward" in decision.reason
    seen = [*trials[:-1], Trial(Request(2, "screen", 0, 2), 1.0, 0.01)]
    following = gate.next(3, seen)
    assert following == [Request(arm, "screen", 1, 2) for arm in (2, 1)]


def test_failures_cost_their_arm() -> None:
    gate = Gate()
    control = Trial(Request(0, "screen", 0), 1.0, 0.1)
    broken = Trial(Request(1, "screen", 0), 0.0, 0.0, ok=False)
    decision = gate.next(2, [control, broken])
    assert isinstance(decision, Decision)
    assert decision.reason == "every candidate failed or is clearly worse"
    no_control = Trial(Request(0, "screen", 0), 0.0, 0.0, ok=False)
    fine = Trial(Request(1, "screen", 0), 2.0, 0.1)
    decision = gate.next(2, [no_control, fine])
    assert isinstance(decision, Decision)
    assert decision.reason == "the control branch failed"


def test_ties_change_nothing() -> None:
    decision, _ = play(Gate(), 3, lambda arm, stage, index: (1.0, 0.0, True))
    assert decision.winner is None
    assert statistic([1.0, 1.0], [1.0, 1.0], 0.0) == 0.0
