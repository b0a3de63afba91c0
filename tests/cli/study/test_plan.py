"""Plans of studies: what they declare, and what is said of one that declares none."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.cli.study.plan import Cell, Plan, read_plan, smaller
from also_wrappers.exceptions import ConfigurationError

PLAN = """
seeds = [0, 1]
[tasks.one]
train = "module:train"
env_steps = 1000
[tasks.two]
train = "module:train"
env_steps = 2000
high = 4.0
[arms.base]
options = {budget = 0.0}
[arms.rules]
tasks = ["two"]
[arms.few]
seeds = [1]
"""


def read(folder: Path, text: str = PLAN) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return read_plan(path)


def test_every_arm_is_trained_on_its_tasks_with_its_seeds(tmp_path: Path) -> None:
    plan = read(tmp_path)
    assert list(plan.cells()) == [
        Cell("one", "base", 0),
        Cell("two", "base", 0),
        Cell("two", "rules", 0),
        Cell("one", "base", 1),
        Cell("one", "few", 1),
        Cell("two", "base", 1),
        Cell("two", "rules", 1),
        Cell("two", "few", 1),
    ]
    assert plan.compared_with == "base"
    assert len({cell.folder for cell in plan.cells()}) == 8
    assert plan.tasks["two"].score(1.0) == 0.25


def test_the_small_version_has_one_task_two_arms_and_one_seed(tmp_path: Path) -> None:
    plan = smaller(read(tmp_path))
    assert list(plan.cells()) == [Cell("two", "base", 0), Cell("two", "rules", 0)]
    assert plan.tasks["two"].env_steps < 30_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("seeds = [0, 1]\n", ""), "seeds: Field required"),
        (("[0, 1]", "[]"), "seeds"),
        (("[0, 1]", "[0, 0]"), "seeds are named twice"),
        (("[0, 1]", "[-1]"), "seeds.0"),
        (("env_steps = 1000", "env_steps = 0"), "tasks.one.env_steps"),
        (("env_steps = 1000", "steps = 1000"), "tasks.one"),
        (("high = 4.0", "hihg = 4.0"), "tasks.two.hihg: there is no such key"),
        (("high = 4.0", "high = -4.0"), "low must lie below high"),
        (('"module:train"', '"module.train"'), "write MODULE:NAME"),
        (('tasks = ["two"]', 'tasks = ["tow"]'), "'tow', which is none of one, two"),
        (("[arms.few]", '[arms."a/b"]'), "arms.a/b"),
        (("[arms.few]", '[arms.".."]'), "arms..."),
        (("seeds = [0, 1]\n", 'seeds = [0]\nreference = "bse"\n'), "none of the arms"),
        (("[arms.few]", "[arms.lr-0.1]"), "quote a name with a dot"),
        (("[arms.few]", "[arms.few"), "is no TOML"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    assert change[0] in PLAN
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, PLAN.replace(*change))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plan_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no plan at"):
        read_plan(tmp_path / "plan.toml")
