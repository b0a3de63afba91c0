"""``replay``: what was found, on seeds that did not find it, beside the base reward."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.cli.replay import Replayed, print_replays
from also_wrappers.exceptions import ConfigurationError
from tests.support.corridor import HELPFUL, TOTAL
from tests.support.schedules import plan

SCRIPT = """
import also_wrappers as also
from tests.support.corridor import TOTAL, make_model, make_task, make_venv

calls = []


def train(run_dir, seed, **options):
    calls.append((run_dir.name, seed))
    run = also.Run(make_task(), run_dir, resume="auto")
    callback = also.AdaptationCallback(run, make_venv, **options)
    make_model(run, seed=seed).learn(TOTAL, callback=callback)
    run.close()


def idle(run_dir, seed, **options):
    pass


def broken(run_dir):
    pass
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module of the user's in the current directory."""
    name = "script_to_replay"
    (tmp_path / f"{name}.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def invoke(*arguments: str | Path) -> str:
    words = ["replay", *map(str, arguments)]
    result = CliRunner().invoke(
        app, words, catch_exceptions=False, standalone_mode=False
    )
    if result.exception:
        raise result.exception
    return result.stdout


def test_each_seed_is_trained_with_what_was_found_and_without(
    tmp_path: Path, script: str
) -> None:
    found = plan(tmp_path / "found", (0, HELPFUL.signal))
    arguments = (found, f"{script}:train", "--seeds", "2", "--json")
    first, second = map(Replayed.model_validate, json.loads(invoke(*arguments)))
    assert (first.seed, second.seed) == (1001, 1002)
    assert first.env_steps[0] == first.env_steps[1] >= TOTAL // 2
    # The corridor is learned with a reward for every step on, hardly without one.
    assert min(first.ending[0], second.ending[0]) > 0.8
    assert first.whole[0] > first.whole[1]
    swaps = [
        "swap" in (found / "replays" / "seed-1002" / name / "ledger.jsonl").read_text()
        for name in ("replayed", "base_only")
    ]
    assert swaps == [True, False]
    calls = sys.modules[script].calls
    arms = [("replayed", 1001), ("base_only", 1001)]
    assert calls == [*arms, ("replayed", 1002), ("base_only", 1002)]
    # What is finished is not trained again.
    text = invoke(found, f"{script}:train", "--seeds", "2")
    assert len(sys.modules[script].calls) == 4
    assert "Difference, whole training: +" in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (":idle", r"there is no finished run in .*replayed after the training"),
        (":broken", r"replay calls train\(run_dir, seed, \*\*options\)"),
        (":calls", r"give a function train\(run_dir, seed, \*\*options\)"),
    ],
)
def test_a_training_that_records_no_run_is_told_what_is_needed(
    tmp_path: Path, script: str, name: str, message: str
) -> None:
    found = plan(tmp_path / "found", (0, HELPFUL.signal))
    with pytest.raises(ConfigurationError, match=message):
        invoke(found, f"{script}{name}")


def test_a_run_that_is_not_the_demos_needs_a_training(tmp_path: Path) -> None:
    found = plan(tmp_path / "found", (0, HELPFUL.signal))
    with pytest.raises(ConfigurationError, match="give MODULE:TRAIN"):
        invoke(found)


def test_the_difference_has_its_standard_error_between_seeds() -> None:
    console = Console(width=200, record=True)
    endings = [(0.9, 0.1), (0.7, 0.1), (0.5, 0.1)]
    results = [
        Replayed(seed=1001 + k, env_steps=(9, 9), ending=pair, whole=pair)
        for k, pair in enumerate(endings)
    ]
    print_replays(results, console)
    text = console.export_text()
    assert "Difference, last episodes: +0.600 +- 0.115 (standard error over 3" in text
    print_replays(results[:1], console)
    assert "+0.800 (one seed tells no spread)" in console.export_text()
