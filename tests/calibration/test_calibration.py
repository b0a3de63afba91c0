"""The calibration command, in small: what it says of the gates holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from also_wrappers.gate import Provisional, Race, Rule
from tests.calibration.gate import EFFECTS, FORMS, HARMS, Rates, rates, tables
from tests.calibration.pools import Measured, Pool, load
from tests.calibration.simulate import SYNTHETIC, from_pool, synthetic

GATE = FORMS["gate, 2.83, 16 pairs, futility .2"]
POOLS = load()


def test_pools_are_what_was_measured() -> None:
    """Means and standard deviations of the note on the measurements."""
    for pool, mean, sd in (
        (Pool("lbf8-2p2f-coop", "zero", 65_536, 1.0), 0.247, 0.086),
        (Pool("lbf8-2p2f-coop", "mid", 32_768, 1.0), 0.480, 0.024),
        (Pool("spread2-r3", "mid", 65_536, 0.0), 0.562, 0.055),
        (Pool("mapf8-2", "mid", 32_768, 2.0), 0.555, 0.058),
    ):
        scores = [branch.score for branch in POOLS[pool]]
        assert np.mean(scores) == pytest.approx(mean, abs=0.0011)
        assert np.std(scores, ddof=1) == pytest.approx(sd, abs=0.0011)
    assert len(POOLS) == 50


def test_the_bootstrap_keeps_mean_and_spread() -> None:
    random = np.random.default_rng(0)
    pool = POOLS[Pool("spread2-r3", "mid", 65_536, 1.0)]
    draw = from_pool(pool)
    drawn = [draw(random).score for _ in range(4000)]
    scores = [branch.score for branch in pool]
    assert np.mean(drawn) == pytest.approx(np.mean(scores), abs=0.003)
    assert np.std(drawn) == pytest.approx(np.std(scores, ddof=1), rel=0.1)


def test_looks_of_a_branch_are_drawn_jointly() -> None:
    """Means, spreads and the correlation of half and whole stay the pool's."""
    random = np.random.default_rng(0)
    pool = POOLS[Pool("lbf8-2p2f-coop", "zero", 65_536, 1.0)]
    draw = from_pool(pool)
    drawn = _looks([draw(random) for _ in range(4000)])
    looks = _looks(pool)
    assert drawn.mean(axis=0) == pytest.approx(looks.mean(axis=0), abs=0.006)
    assert drawn.std(axis=0) == pytest.approx(looks.std(axis=0, ddof=1), rel=0.12)
    between = np.atleast_2d(np.corrcoef(looks.T))
    assert np.corrcoef(drawn.T) == pytest.approx(between, abs=0.1)
    assert between[0, 1] > 0.5


def _looks(branches: Sequence[Measured]) -> npt.NDArray[np.float64]:
    """The scores of each branch at the whole, half and quarter of its length."""
    rows = []
    for branch in branches:
        assert branch.half is not None
        quarter = float(np.mean(branch.half.points[2:4]))
        rows.append([branch.score, branch.half.score, quarter])
    return np.array(rows)


def on_all_pools(rule: Rule, rounds: int) -> Rates:
    """Means over the pools where all three candidates equal control."""
    found = [
        rates(rule, [from_pool(pool)] * 4, rounds, seed)
        for seed, pool in enumerate(POOLS.values())
    ]
    return Rates(*(float(np.mean(column)) for column in zip(*found, strict=True)))


@pytest.mark.slow
def test_equals_are_rarely_confirmed_on_measured_branches() -> None:
    """The bars of the full calibration, in small: see the table in README.md."""
    gate = on_all_pools(GATE, 60)
    assert gate.confirmed < 0.01
    assert gate.confirmed_run < 0.05
    assert 8.0 < gate.discarded < 10.5
    race = on_all_pools(Race(), 60)
    assert race.confirmed_run < 0.05
    assert race.discarded < 7.0
    provisional = on_all_pools(Provisional(), 60)
    assert provisional.confirmed_run < 0.05
    assert provisional.discarded < 4.5
    assert provisional.discarded < provisional.in_all < 5.5
    assert provisional.swapped > 0.05  # for a while, and claimed by nobody
    assert on_all_pools(FORMS["point score, soft"], 10).swapped > 0.2


@pytest.mark.parametrize("rule", [GATE, Race(), Provisional()])
def test_measured_effects_are_found_and_harm_is_not(rule: Rule) -> None:
    made = []
    for cell in EFFECTS[:4] + HARMS:
        task, snapshot, horizon, control, good = cell
        base = from_pool(POOLS[Pool(task, snapshot, horizon, control)])
        other = from_pool(POOLS[Pool(task, snapshot, horizon, good)])
        arms = [base, base, other, base] if cell in EFFECTS else [base] + [other] * 3
        made.append(rates(rule, arms, 40, 0, right=2))
    goods, harms = made[:4], made[4:]
    assert min(one.right for one in goods) > 0.6
    assert np.mean([one.right_confirmed for one in goods]) > 0.75
    assert max(one.swapped for one in harms) <= 0.025
    if isinstance(rule, Provisional):
        assert np.mean([one.discarded for one in goods]) <= 3.1


def test_synthetic_distributions_are_as_declared() -> None:
    random = np.random.default_rng(0)
    for name in SYNTHETIC:
        draw = synthetic(name)
        drawn = [draw(random).score for _ in range(5000)]
        mean = 0.375 if name == "many zeros" else 3.0
        assert np.mean(drawn) == pytest.approx(mean, abs=0.1)
        assert np.std(drawn) == pytest.approx(1.0, abs=0.25)


@pytest.mark.slow
def test_the_tables_are_made() -> None:
    made = tables(5, ["provisional", "point score, soft"])
    assert [table.row_count for table in made] == [6, 4, 2, 2]
