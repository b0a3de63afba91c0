"""The plans in the repository: they can be read, made, and tried."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from also_wrappers.cli import study
from also_wrappers.cli.study.comparison import compare
from also_wrappers.cli.study.plan import Cell, read_plan
from also_wrappers.cli.study.results import Result
from also_wrappers.cli.user_code import load
from examples.study import arms, tasks
from tests.support.corridor import events

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "study"
PLANS = sorted(EXAMPLE.glob("*.toml"))
#: Columns of the README's table of scores.
SHOWN = ("base", "hand-made", "rules", "recorded-expert")


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_everything_that_a_plan_names_is_there(path: Path) -> None:
    plan = read_plan(path)
    assert len(plan.seeds) >= 5
    for cell in plan.cells():
        if cell.seed == plan.seeds[0]:
            assert callable(load(plan.tasks[cell.task].train))
            for option, place in plan.arms[cell.arm].make.items():
                made = load(place)(cell.task, cell.seed)
                assert made is not None or option == "horizon"


RESULTS = [
    Result.model_validate_json(line)
    for line in (EXAMPLE / "results.jsonl").read_text().splitlines()
]


def of_plan(path: Path) -> list[Result]:
    """The recorded results of a plan's trainings."""
    cells = set(read_plan(path).cells())
    return [r for r in RESULTS if Cell(r.task, r.arm, r.seed) in cells]


def scores(path: Path) -> dict[tuple[str, str], str]:
    """The scores of the recorded results, as the study prints them."""
    comparison = compare(read_plan(path), of_plan(path))
    return {
        (s.task, s.arm): "{:.2f} [{:.2f}, {:.2f}]".format(*s.score)
        for s in comparison.by_task
    }


def rows(text: str) -> dict[str, list[str]]:
    """Cells of all tables' rows, by the first one."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_training_of_a_plan_is_recorded_once(path: Path) -> None:
    recorded = sorted((r.task, r.arm, r.seed) for r in of_plan(path))
    assert recorded == sorted(tuple(cell) for cell in read_plan(path).cells())


def test_the_readme_shows_the_scores_of_the_recorded_results() -> None:
    table = rows((ROOT / "README.md").read_text())
    recorded = scores(EXAMPLE / "plan.toml")
    for task in read_plan(EXAMPLE / "plan.toml").tasks:
        assert table[task] == [recorded.get((task, arm), "") for arm in SHOWN]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_page_shows_the_scores_of_the_recorded_results(path: Path) -> None:
    table = rows(study.__doc__ or "")
    for (task, arm), score in scores(path).items():
        assert table[f"{task}, {arm}"][3] == score


def test_demonstrations_are_recorded_counted_and_imitated(tmp_path: Path) -> None:
    expert = arms.demonstrations("foraging-8x8", 0)
    tasks.foraging(tmp_path / "a", 0, 4096, budget=0.0, demonstrations=expert)
    tasks.foraging(tmp_path / "b", 0, 4096, budget=0.0)
    (taught,), (alone,) = (events(tmp_path / run, "run_finished") for run in "ab")
    recorded = taught["env_steps"]["evaluation"] - alone["env_steps"]["evaluation"]
    assert 50 <= recorded < 50 * 50  # fifty episodes of fifty steps at most
    last, plain = (events(tmp_path / run, "record")[-1] for run in "ab")
    assert last["window"]["mean"] > plain["window"]["mean"] + 0.2


def test_settings_replace_those_of_the_task(tmp_path: Path) -> None:
    settings = {"n_steps": 8, "batch_size": 8}
    tasks.mountain_car(
        tmp_path, 0, 40, copies=1, normalize=True, budget=0.0, settings=settings
    )
    (finished,) = events(tmp_path, "run_finished")
    assert finished["env_steps"]["total"] <= 40 + 8  # rollouts of eight, not of 256


def test_a_training_ends_where_it_is_compared(tmp_path: Path) -> None:
    tasks.foraging(tmp_path, 0, 40_000)
    (finished,) = events(tmp_path, "run_finished")
    steps = finished["env_steps"]
    assert steps["branches"] + steps["evaluation"] > 4096
    assert 40_000 <= steps["total"] < 40_000 + 2048
    assert steps["mainline"] < 38_000


@pytest.mark.slow
def test_the_plan_can_be_tried(tmp_path: Path) -> None:
    command = "from also_wrappers.cli import main; main()"
    plan = "examples/study/plan.toml"
    arguments = ["study", plan, "--smoke", "--out", str(tmp_path / "s"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "s" / "results.jsonl").read_text().splitlines()
    assert {json.loads(line)["arm"] for line in lines} == {"base", "rules"}
    assert (tmp_path / "s" / "study.html").exists()
