"""A study as its user sees it: trainings in processes, kept, compared, written down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.cli.study.results import Result
from also_wrappers.exceptions import ConfigurationError

ROOT = Path(__file__).parents[3]

SCRIPT = """
import time
import also_wrappers as also
from tests.support.corridor import HELPFUL, callback, make_model, make_task, make_venv


def train(run_dir, seed, env_steps=2048, *, broken=False, idle=False, **options):
    print("training", run_dir.name, "with", sorted(options))
    if broken:
        raise RuntimeError("the training is broken")
    run = also.Run(make_task(), run_dir, resume="auto")
    if idle:
        (run_dir / "idle").touch()
        time.sleep(600)
    adapting = callback(run, options.pop("advisor", None), seed=seed, **options)
    make_model(run, seed=seed).learn(2 * env_steps, adapting)
    run.close()


def helpful(task, seed):
    assert (task, seed) == ("corridor", 0)
    return also.RecordedAdvisor([[HELPFUL]])


number = 3
"""

PLAN = """
seeds = [0]
[tasks.corridor]
train = "study_script:train"
env_steps = 4096
[arms.base]
options = {budget = 0.0}
[arms.adapted]
options = {budget = 4.0, candidates = 1, refinements = 0}
make = {advisor = "study_script:helpful"}
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan and its module in the current directory."""
    (tmp_path / "study_script.py").write_text(SCRIPT)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "study_script", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return path


def invoke(*arguments: str | Path) -> str:
    words = ["study", *map(str, arguments)]
    result = CliRunner().invoke(
        app, words, catch_exceptions=False, standalone_mode=False, env={"COLUMNS": "80"}
    )
    if result.exception:
        raise result.exception
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


def results(folder: Path) -> list[Result]:
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [Result.model_validate_json(line) for line in lines]


def test_arms_are_trained_compared_and_kept(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = invoke(plan, "--out", out, "--processes", "2")
    base, adapted = results(out)
    assert (base.arm, base.env_steps.total, base.swaps) == ("base", 4096, 0)
    assert base.env_steps.branches == 0
    assert adapted.env_steps.total <= 4096 < adapted.planned
    assert adapted.env_steps.branches > 0
    assert adapted.swaps >= 1
    assert base.score > 0.8  # the corridor is short; a search costs more than it brings
    assert (adapted.reached["0.5"] or 4097) > (base.reached["0.5"] or 0) > 0
    assert "torch" in base.versions
    assert "2 of 2" in printed
    assert max(map(len, printed.splitlines()[2:-1])) <= 80
    assert {path.name for path in out.iterdir()} == {
        "plan.json",
        "results.jsonl",
        "comparison.json",
        "curves.svg",
        "scores.svg",
        "profiles.svg",
        "study.html",
        "runs",
    }
    page = (out / "study.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("<td>adapted</td>") == 2
    log = (out / "runs" / "corridor" / "base" / "seed-0.log.txt").read_text()
    assert "training seed-0 with ['budget']" in log

    before = (out / "results.jsonl").read_text()
    again = json.loads(invoke(plan, "--out", out, "--json"))
    assert (out / "results.jsonl").read_text() == before
    assert [over["arm"] for over in again["over_tasks"]] == ["base", "adapted"]

    plan.write_text(PLAN.replace("budget = 4.0", "budget = 3.0"))
    with pytest.raises(ConfigurationError, match="the arm 'adapted' is not what"):
        invoke(plan, "--out", out)
    plan.write_text(PLAN.replace("env_steps = 4096", "env_steps = 4096\nhigh = 2.0"))
    invoke(plan, "--out", out)  # nothing that was trained depends on it
    assert results(out)[0].score == pytest.approx(base.score / 2.0)


def test_a_training_that_fails_costs_itself_alone(plan: Path, tmp_path: Path) -> None:
    broken = "[arms.broken]\noptions = {broken = true, budget = 0.0}\n"
    plan.write_text(PLAN.partition("[arms.adapted]")[0] + broken)
    out = tmp_path / "out"
    with pytest.raises(ConfigurationError) as error:
        invoke(plan, "--out", out)
    assert "1 training(s) failed, the first is corridor, broken, seed 0" in str(
        error.value
    )
    log = out / "runs" / "corridor" / "broken" / "seed-0.log.txt"
    assert str(log) in str(error.value)
    assert "RuntimeError: the training is broken" in log.read_text()
    assert [result.arm for result in results(out)] == ["base"]


def test_an_arm_that_was_refused_may_be_mended(plan: Path, tmp_path: Path) -> None:
    alone = PLAN.partition("[arms.adapted]")[0]
    plan.write_text(alone.replace("budget = 0.0", "budget = 0.0, horizon = 0"))
    out = tmp_path / "out"
    with pytest.raises(ConfigurationError, match=r"is finished; .*seed-0.log.txt has"):
        invoke(plan, "--out", out)
    log = out / "runs" / "corridor" / "base" / "seed-0.log.txt"
    assert "error: horizon must be at least 1, not 0" in log.read_text()
    plan.write_text(alone)
    invoke(plan, "--out", out)
    assert [result.arm for result in results(out)] == ["base"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("study_script:train", "study_script:trainn"),
            "did you mean study_script:tra",
        ),
        (("study_script:train", "study_script:number"), "study_script:number cannot"),
        (("study_script:helpful", "nowhere:helpful"), "there is no module 'nowhere'"),
    ],
)
def test_what_a_plan_names_is_imported_before_any_training(
    change: tuple[str, str], said: str, plan: Path, tmp_path: Path
) -> None:
    plan.write_text(PLAN.replace(*change))
    with pytest.raises(ConfigurationError, match=said):
        invoke(plan, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_trainings_end_with_their_study(
    number: signal.Signals, plan: Path, tmp_path: Path
) -> None:
    plan.write_text(PLAN.replace("{budget = 0.0}", "{budget = 0.0, idle = true}"))
    out = tmp_path / "out"
    idle = out / "runs" / "corridor" / "base" / "seed-0" / "idle"
    code = (  # whoever runs tests in the background has them ignore Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from also_wrappers.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    words: list[Any] = [*command, "study", plan, "--out", out, "--processes", "1"]
    study = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    _wait(idle.exists)
    study.send_signal(number)
    printed, _ = study.communicate(timeout=60)
    if number == signal.SIGINT:
        assert study.returncode == 130
        assert b"stopped; the same command goes on" in printed
    lock = idle.with_name("run.lock")
    from also_wrappers.run.lock import holder_of

    _wait(lambda: holder_of(lock) is None)


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_plan_that_was_damaged_is_named(plan: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.json").write_text('{"seeds": []}')
    with pytest.raises(
        ConfigurationError, match=r"plan\.json is not the plan of a study"
    ):
        invoke(plan, "--out", tmp_path / "out")
