"""A run as it stands, for people and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.events import RunResumed
from also_wrappers.run import lock as lock_module
from also_wrappers.run.lock import Lock, holder_of
from also_wrappers.run.run import Run
from tests.support.corridor import make_task
from tests.support.damage import play_run
from tests.support.ledgers import (
    Line,
    base_only_run,
    expert_run,
    recorded,
    started,
    watched_run,
    whole_run,
    write_ledger,
)
from tests.support.walker import ROLLOUT


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped half-way, after a swap."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    play_run(folder, 4 * ROLLOUT)
    return folder


def shown(run_dir: Path, *options: str) -> str:
    arguments = ["show", str(run_dir), *options]
    result = CliRunner().invoke(
        app, arguments, catch_exceptions=False, standalone_mode=False
    )
    return result.stdout


def summary(run_dir: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(shown(run_dir, "--json"))
    return read


def words(text: str) -> str:
    """A text as if no line had been broken."""
    return " ".join(text.split())


def test_a_finished_run_shows_signal_rounds_cost_and_what_comes_next(
    tmp_path: Path,
) -> None:
    run_dir = write_ledger(tmp_path / "run", whole_run())
    text = words(shown(run_dir))
    assert f"{run_dir}: finished at 10,000 of 10,000 trainer steps (100%)" in text
    assert "signal confirmed 1 * progress[-distance]" in text
    assert "base return 0.950 +- 0.020 over the last 400 episodes" in text
    assert "1 played, 1 swap " in text
    assert "1. at 2,000 trainer steps, 4 branches: provisional, candidate_1: " in text
    assert "(effect +0.500, z 1.60 against 1) then confirmed: it beats" in text
    assert "1 skipped: too little is left" in text
    assert "environment 5,000 2,500 0 7,500 0" in text
    assert "trainer 10,000 5,000 0 15,000 0" in text
    assert f"next: also-wrappers report {run_dir}" in text
    assert f"next: also-wrappers export {run_dir}" in text


def test_no_printed_line_is_broken_within_a_word_at_80_columns(tmp_path: Path) -> None:
    for name, lines in {"whole": whole_run(), "expert": expert_run()}.items():
        run_dir = write_ledger(tmp_path / name, lines)
        told = [
            line for line in shown(run_dir).splitlines() if str(tmp_path) not in line
        ]
        assert max(map(len, told)) <= 80


def test_the_same_is_there_as_json(tmp_path: Path) -> None:
    read = summary(write_ledger(tmp_path / "run", whole_run()))
    assert read["state"] == "finished"
    assert read["standing"] == "confirmed"
    assert read["signal"]["terms"][0]["expression"] == "-distance"
    assert read["env_steps"]["total"] == 7500
    assert read["trainer_steps"]["total"] == 15_000
    assert [entry["round"] for entry in read["rounds"]] == [1, 2]
    assert read["rounds"][0]["effect"] == 0.5
    assert read["rounds"][1]["skipped"] == "too little is left"
    assert (read["episodes"], read["swaps"]) == (400, 1)


def test_a_run_on_base_reward_alone_has_nothing_to_export(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path / "run", base_only_run())
    text = words(shown(run_dir))
    assert "signal nothing (the base reward alone)" in text
    assert "also-wrappers report" in text
    assert "also-wrappers export" not in text


def test_every_signal_that_a_round_tried_has_its_end(tmp_path: Path) -> None:
    text = words(shown(write_ledger(tmp_path / "run", watched_run())))
    assert "then given up: in vain" in text
    assert "then left open: reward is seen" in text
    assert "exploratory: in use, not confirmed" in text


def test_a_stopped_run_says_how_to_go_on_and_what_may_be_lost(stopped: Path) -> None:
    text = words(shown(stopped))
    assert f"{stopped}: stopped at 360 of 960 trainer steps" in text
    assert f"to go on: run = also.Run(task, '{stopped}', resume='auto') # and" in text
    # As many as the run itself would count when it goes on.
    run = Run(make_task(), stopped, resume=True)
    spent = run.spent_before()
    run.close()
    assert summary(stopped)["trainer_steps"] == spent.model_dump()


def test_a_stopped_demo_goes_on_as_a_demo(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path / "a run", whole_run()[:-1])
    (run_dir / "demo.json").write_text("{}")
    command = f"also-wrappers demo --resume --run-dir '{run_dir}'"
    assert summary(run_dir)["go_on"] == [command]


def test_a_run_that_somebody_runs_is_told_with_who_does(
    tmp_path: Path, stopped: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    run = Run(make_task(), folder, resume=True)
    try:
        text = words(shown(folder))
        assert ": running at 360 of 960" in text
        assert "by process " in text
        assert f"next: also-wrappers watch {folder}" in text
        assert summary(folder)["state"] == "running"
    finally:
        run.close()
    assert summary(folder)["state"] == "stopped"


def test_whoever_looks_does_not_take_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    assert holder_of(path) is None
    assert not path.exists()
    lock = Lock(path)
    assert "process" in (holder_of(path) or "")
    lock.release()
    assert holder_of(path) is None
    Lock(path).release()


@pytest.mark.skipif(sys.platform == "win32", reason="locks in another way")
def test_whoever_looks_keeps_nobody_from_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.lock"
    looking = os.open(path, os.O_RDONLY | os.O_CREAT)
    lock_module._lock(looking)
    # The look ends while the lock waits to be tried again.
    sleep = "also_wrappers.run.lock.time.sleep"
    monkeypatch.setattr(sleep, lambda seconds: os.close(looking))
    lock = Lock(path)
    assert "process" in (holder_of(path) or "")
    lock.release()


def test_the_time_of_a_run_leaves_its_stops_out(tmp_path: Path) -> None:
    resumed = RunResumed(rounds=0, total=10_000, checkpoint=1000)
    lines: list[Line] = [
        (started(), 0, 0),
        (recorded(1000, 0.0), 1000, 0),
        (resumed, 1000, 0),
        (recorded(2000, 0.0), 2000, 0),
    ]
    ledger = write_ledger(tmp_path / "run", lines) / "ledger.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    for event, time in zip(events, (100.0, 160.0, 9000.0, 9010.0), strict=True):
        event["time"] = time
    ledger.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert summary(tmp_path / "run")["seconds"] == 70.0


def test_what_can_be_read_of_a_damaged_run_is_shown_before_the_damage(
    tmp_path: Path,
) -> None:
    run_dir = write_ledger(tmp_path / "run", whole_run())
    with (run_dir / "ledger.jsonl").open("a") as file:
        file.write("garbage\n")
    result = CliRunner().invoke(app, ["show", str(run_dir)], standalone_mode=False)
    assert "finished at 10,000" in words(result.stdout)
    assert isinstance(result.exception, ConfigurationError)
    assert "remove line 30" in str(result.exception)
