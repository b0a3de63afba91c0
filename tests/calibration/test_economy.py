"""The economy command, in small: its learner is the measured one, its bounds hold."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from also_wrappers.gate import Provisional, Request
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.settings import Settings
from tests.calibration.arms import MadeUpArms
from tests.calibration.economy import (
    RIGHT,
    RULES,
    SPEEDS,
    World,
    cost,
    main,
    pays_from,
)
from tests.calibration.learning import (
    Candidates,
    base_return,
    pace,
    play,
    progress_of,
)
from tests.calibration.pools import Measured, Pool, load
from tests.calibration.training import train

#: Environment steps to the target of plain PPO on foraging, seeds 0, 1 and 2.
PLAIN = (122_000, 165_000, 212_000)
#: The same with a good signal, and the length of the measured branches.
SHAPED, BRANCH = 44_000, 32_768


def branches(total: float, count: int) -> Sequence[float]:
    """Scores of branches of an untrained policy that needs so many steps."""
    candidates = Candidates({"base": 1.0 / total}, 0.0, 0.0)
    random = np.random.default_rng(0)
    plan = Plan(0, 0, BRANCH, 9**9, 9**9, 9**9, 1, 0)
    one = MadeUpArms(plan, 1024, candidates, "base", 0.0, random)
    for index in range(count):
        one.train(Request(0, "confirm", index))
    return [trial.score for trial in one.trials]


def scores(pool: Pool) -> Sequence[float]:
    branches: list[Measured] = load()[pool]
    return [branch.score for branch in branches]


def test_made_up_branches_score_as_measured_ones() -> None:
    """Means are within the measured spread, and so is the spread of what rises."""
    flat = scores(Pool("lbf8-2p2f-coop", "zero", 2 * BRANCH, 0.0))
    assert np.mean(branches(PLAIN[1], 400)) == pytest.approx(np.mean(flat), abs=0.005)
    rising = scores(Pool("lbf8-2p2f-coop", "zero", 2 * BRANCH, 1.0))
    spread = float(np.std(rising, ddof=1))
    made = branches(SHAPED, 400)
    assert np.mean(made) == pytest.approx(np.mean(rising), abs=spread)
    assert np.std(made) == pytest.approx(spread, rel=0.3)


def test_trainings_differ_as_much_as_plain_ones_did() -> None:
    random = np.random.default_rng(0)
    paces = [pace(random) for _ in range(4000)]
    assert np.mean(paces) == pytest.approx(1.0, abs=0.02)
    assert np.std(paces) == pytest.approx(np.std(PLAIN, ddof=1) / np.mean(PLAIN), 0.15)


def test_branches_that_do_not_rise_vary_twice_as_much_as_their_episodes() -> None:
    random = np.random.default_rng(0)
    candidates = Candidates({"base": 0.0}, 0.0, 0.0)
    plan = Plan(0, 0, 8192, 9**9, 9**9, 9**9, 1, 0)
    one = MadeUpArms(plan, 1024, candidates, "base", 0.75, random)
    for index in range(400):
        one.train(Request(0, "confirm", index))
    spread = np.var([trial.score for trial in one.trials])
    episodes = np.mean([trial.variance for trial in one.trials])
    assert spread / episodes == pytest.approx(2.0, rel=0.25)


def test_longer_branches_go_on_and_cost_what_is_new() -> None:
    candidates = Candidates({"base": 0.0, "good": 1e-5}, 1.0, 0.0)
    plan = Plan(1, 0, 8192, 9**9, 9**9, 9**9, 1, 0)
    one = MadeUpArms(plan, 1024, candidates, "base", 0.5, np.random.default_rng(0))
    for stretch in (0.5, 1, 2):
        one.train(Request(1, "screen", 0, stretch))
        end = one.end(Request(1, "screen", 0))
        assert end is not None
        assert one.steps == end.length == 8192 * stretch
        assert end.progress > 0.5


def test_episodes_return_nothing_before_and_the_target_after() -> None:
    random = np.random.default_rng(0)
    assert base_return(0.0) < 0.002
    assert base_return(1.0) == pytest.approx(0.9)
    progress = np.linspace(0.0, 1.5, 8)
    means = play(base_return(progress), 400_000, random)
    assert (np.diff(means) > 0.0).all()
    back = [progress_of(float(mean)) for mean in base_return(progress)]
    assert back == pytest.approx(progress)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("speed", SPEEDS[:-1])
def test_where_there_is_nothing_to_find_no_more_is_lost_than_the_budget(
    rule: str, speed: float
) -> None:
    one = cost(World(1.0, speed), rule, 40, 0)
    budget = RULES[rule](RIGHT).budget
    assert one.reached == 1.0
    assert 1.0 < one.mean <= 1.0 + budget / speed + 0.05


def test_without_a_swap_no_training_discards_more_than_the_budget() -> None:
    world = World(1.0, math.inf)
    outcomes = [
        train(world.candidates, Settings(), RIGHT, np.random.default_rng(seed))
        for seed in range(20)
    ]
    without = [one for one in outcomes if not one.swaps]
    assert len(without) > 10
    assert all(0 < one.discarded <= RIGHT // 2 for one in without)
    assert all(0 < one.foretold <= RIGHT // 2 for one in outcomes)


def test_adapting_pays_more_the_better_the_candidates_are() -> None:
    worlds = [World(1.0, 0.8)]
    worlds += [World(1.0, 0.8, gain, 0.6) for gain in (0.25, 0.1, 0.05)]
    means = [cost(world, "provisional", 60, 0).mean for world in worlds]
    assert means == sorted(means, reverse=True)
    assert means[0] > 1.0 > means[-2]
    rare, common = (
        cost(World(1.0, 0.8, 0.1, good), "provisional", 60, 0).mean
        for good in (0.2, 0.6)
    )
    assert common < rare


def test_adapting_reaches_what_the_base_reward_alone_never_does() -> None:
    assert cost(World(1.0, math.inf), "provisional", 20, 0).reached == 0.0
    found = cost(World(1.0, math.inf, 0.1, 0.6), "provisional", 40, 0)
    assert found.reached > 0.7
    assert found.swaps > 0.7


@pytest.mark.parametrize("budget", [0.0, 0.02])
def test_a_plan_that_cannot_promote_never_swaps(budget: float) -> None:
    world = World(1.0, 0.8, 0.1, 0.6)
    settings = Settings(budget=budget)
    for seed in range(20):
        random = np.random.default_rng(seed)
        outcome = train(world.candidates, settings, world.total, random)
        assert outcome.swaps == outcome.rounds == outcome.discarded == 0
        assert outcome.own == math.ceil(outcome.plain)


def test_provisional_signals_that_do_not_help_are_taken_back() -> None:
    """A rule that swaps anything in costs no more than budget and lost lineage."""
    world = World(1.0, 0.8)
    eager = Settings(gate=Provisional(bar=-1.0))
    outcomes = [
        train(world.candidates, eager, world.total, np.random.default_rng(seed))
        for seed in range(40)
    ]
    assert np.mean([one.swaps for one in outcomes]) > 0.5
    assert all(one.reached for one in outcomes)
    assert np.mean([one.steps / one.plain for one in outcomes]) < 1.0 + 0.5 / 0.8 + 0.3


def test_the_same_seed_plays_the_same_trainings() -> None:
    world = World(0.5, 0.8, 0.25, 0.6)
    one, same, other = (cost(world, "race", 10, seed) for seed in (0, 0, 1))
    assert one == same != other


@pytest.mark.parametrize(
    ("costs", "factor"),
    [
        ([(1.0, 1.2), (2.0, 1.1), (4.0, 0.9)], math.sqrt(8.0)),
        ([(1.0, 1.2), (2.0, 0.9), (4.0, 1.1), (16.0, 0.9)], 8.0),
        ([(1.0, 1.2), (2.0, 1.1)], None),
    ],
)
def test_the_factor_from_which_adapting_pays_is_interpolated(
    costs: list[tuple[float, float]], factor: float | None
) -> None:
    assert pays_from(costs) == (None if factor is None else pytest.approx(factor))


def test_the_tables_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["economy.py", "--runs", "2", "--rules", "provisional"]
    )
    main()
    printed = capsys.readouterr().out
    assert printed.count("steps to the target") >= 3
    assert "adapting pays " in printed
    assert "race" not in printed
