"""The calibration command, in small: what it says of the gates holds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.calibration.gate import EFFECTS, FORMS, HARMS, rates, tables
from tests.calibration.pools import Pool, load
from tests.calibration.simulate import SYNTHETIC, from_pool, synthetic

DEFAULT = FORMS["default: 2.83, 16 pairs, futility .2"]
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


@pytest.mark.slow
def test_equals_are_rarely_promoted_on_measured_branches() -> None:
    found = [
        rates(DEFAULT, [from_pool(pool)] * 4, 100, seed)
        for seed, pool in enumerate(POOLS.values())
    ]
    # 5,000 rounds: .004 a round, and .02 a run of five, in the full calibration.
    assert np.mean([one.round for one in found]) < 0.01
    assert np.mean([one.run for one in found]) < 0.05
    assert np.mean([one.branches for one in found]) < 11.5
    soft = FORMS["point score, soft"]
    scored = [
        rates(soft, [from_pool(pool)] * 4, 20, seed)
        for seed, pool in enumerate(POOLS.values())
    ]
    assert np.mean([one.round for one in scored]) > 0.2


def test_measured_effects_are_found_and_harm_is_not() -> None:
    for (task, snapshot, horizon, control, good), least in zip(
        EFFECTS[:4] + HARMS, [0.9] * 4 + [0.0] * 2, strict=True
    ):
        base = from_pool(POOLS[Pool(task, snapshot, horizon, control)])
        other = from_pool(POOLS[Pool(task, snapshot, horizon, good)])
        found = rates(DEFAULT, [base, base, other, base], 60, 0, right=2)
        assert found.right >= least - 0.1
        assert found.right <= (1.0 if least else 0.0)


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
    made = tables(5, ["default: 2.83, 16 pairs, futility .2", "point score, soft"])
    assert [table.row_count for table in made] == [4, 2, 2]
