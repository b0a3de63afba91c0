"""What a training came to, at the steps of the comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from also_wrappers.cli.study.comparison import compare
from also_wrappers.cli.study.pictures import curve_of
from also_wrappers.cli.study.plan import Cell, Plan
from also_wrappers.cli.study.results import Reading, Result, result_of
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.events import RunFinished
from tests.support.ledgers import (
    OTHER,
    SIGNAL,
    Line,
    recorded,
    started,
    swapped,
    write_ledger,
)

PLAN = Plan.model_validate(
    {
        "seeds": [0, 1],
        "tasks": {"task": {"train": "a:b", "env_steps": 1000, "high": 2.0}},
        "arms": {"base": {}, "other": {}},
    }
)


def lines(*means: float) -> list[Line]:
    """A record after every 400 trainer steps of two agents, and as many of branches."""
    events: list[Line] = [(started(), 0, 0)]
    for k, mean in enumerate(means, start=1):
        events.append((recorded(400 * k, mean), 400 * k, 400 * k))
    last = (RunFinished(rounds=0, signal=SIGNAL), 400 * len(means), 400 * len(means))
    return [*events, last]


def result(folder: Path, *means: float, arm: str = "base", seed: int = 0) -> Result:
    cell = Cell("task", arm, seed)
    write_ledger(folder / cell.folder, lines(*means))
    return result_of(cell, PLAN, folder / cell.folder)


def test_what_is_spent_beyond_the_comparison_does_not_count(tmp_path: Path) -> None:
    found = result(tmp_path, 0.0, 1.0, 2.0)
    # 400 environment steps a record; the third ends after 1,200.
    assert (found.env_steps.total, found.planned, found.at) == (800, 1200, 1000)
    assert found.score == pytest.approx(found.ending / 2.0)
    assert found.ending == pytest.approx(0.5)  # both records, as episodes are few
    assert found.reached == {"0.5": 800, "0.9": None}


def test_a_training_that_ends_early_stands_as_it_ended(tmp_path: Path) -> None:
    found = result(tmp_path, 2.0)
    assert found.env_steps.total == found.planned == 400
    assert found.reached == {"0.5": 400, "0.9": 400}


def test_a_curve_stands_at_the_last_record_while_branches_train() -> None:
    readings = [Reading(200, 0.0), Reading(800, 2.0)]  # mostly branches in between
    places = np.array([100.0, 200.0, 799.0, 800.0, 1000.0])
    curve = curve_of(PLAN.tasks["task"], readings, places)
    np.testing.assert_array_equal(curve, [np.nan, 0.0, 0.0, 1.0, 1.0])


def test_swaps_are_counted(tmp_path: Path) -> None:
    cell = Cell("task", "base", 0)
    first, *others = lines(0.0, 1.0)
    swaps: list[Line] = [(swapped(SIGNAL), 0, 0), (swapped(OTHER), 0, 0)]
    write_ledger(tmp_path / cell.folder, [first, *swaps, *others])
    assert result_of(cell, PLAN, tmp_path / cell.folder).swaps == 2


def test_a_comparison_without_an_episode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="raise env_steps of the task 'task'"):
        result(tmp_path)


def test_arms_are_compared_by_task_and_over_tasks(tmp_path: Path) -> None:
    results = [
        result(tmp_path, 0.0, 0.2, seed=0),
        result(tmp_path, 0.0, 0.4, seed=1),
        result(tmp_path, 1.0, 2.0, arm="other", seed=0),
        result(tmp_path, 1.0, 0.0, arm="other", seed=1),
    ]
    comparison = compare(PLAN, results)
    base, other = comparison.by_task
    assert (base.arm, base.seeds, base.improvement) == ("base", 2, None)
    assert base.mean == pytest.approx(0.15)
    assert base.spread == pytest.approx(0.0707, abs=1e-4)
    assert other.reached["0.5"] == (400, 2)
    assert other.improvement is not None
    assert other.improvement.estimate == 1.0
    assert [over.arm for over in comparison.over_tasks] == ["base", "other"]
    over = comparison.over_tasks[1]
    assert over.score.estimate == pytest.approx(0.5)
    assert over.reference.estimate == pytest.approx(base.score.estimate)
    assert over.improvement == other.improvement


def test_an_arm_that_was_not_trained_is_left_out(tmp_path: Path) -> None:
    comparison = compare(PLAN, [result(tmp_path, 1.0)])
    assert [standing.arm for standing in comparison.by_task] == ["base"]
    assert [over.arm for over in comparison.over_tasks] == ["base"]
