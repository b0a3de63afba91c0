"""README and pages say what is true: what they show runs, what they name is there."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stable_baselines3
from stable_baselines3 import PPO

import also_wrappers
from also_wrappers.cli.app import app
from also_wrappers.testing import Corridor, corridor_features
from tests.support.corridor import events
from tests.support.libraries import NEEDED, is_missing

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
#: What needs an extra that is not installed is not read.
WITHOUT = tuple(f".{name}" for name in NEEDED if is_missing(name))
#: What is read beside the README: the docstrings of rooms, and of pages.
PAGES = {
    module.name: importlib.import_module(module.name).__doc__ or ""
    for module in pkgutil.walk_packages(also_wrappers.__path__, "also_wrappers.")
    if (module.ispkg or module.name.endswith((".glossary", ".walks")))
    and not module.name.endswith(WITHOUT)
}


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code of a page."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


SHELL, PYTHON = blocks(README, "sh"), blocks(README, "python")


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the first block of the README has defined, on a small corridor."""

    monkeypatch.chdir(tmp_path)

    def make_env() -> Corridor:
        return Corridor(length=12, limit=40)

    def make_venv(shape: Callable[[Any], Any]) -> Any:
        return also_wrappers.PettingZooVecEnv(lambda: shape(make_env()), num_envs=8)

    features = corridor_features()
    task = also_wrappers.Task("Walk to the end.", features, success="base_return >= 1")
    run = also_wrappers.Run(task, tmp_path / "run")
    yield {
        "also": also_wrappers,
        "DQN": stable_baselines3.DQN,
        "PPO": PPO,
        "env": make_env(),
        "features": features,
        "make_env": make_env,
        "make_venv": make_venv,
        "run": run,
        "task": task,
    }
    run.close()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("page", [name for name in PAGES if "```python" in PAGES[name]])
def test_the_blocks_of_a_page_run_one_after_the_other(
    page: str, names: dict[str, Any]
) -> None:
    for block in blocks(PAGES[page], "python"):
        exec(compile(block, page, "exec"), names)


def test_the_blocks_of_the_readme_run_after_the_first(names: dict[str, Any]) -> None:
    assert len(PYTHON) >= 4
    for block in PYTHON[1:]:
        exec(compile(block, "README.md", "exec"), names)


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_the_files_and_commands_that_a_page_names_are_there(page: str) -> None:
    text = PAGES.get(page, README)
    named = re.findall(r"\b((?:tests|examples|templates|\.github)/[\w/.]+\w)", text)
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    assert [path for path in [*named, *links] if not (ROOT / path).exists()] == []
    commands = set(re.findall(r"`also-wrappers (\w+)", text))
    known = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    assert commands <= known


def test_the_readme_links_to_its_own_headings() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_ci_runs_the_test_command() -> None:
    (command,) = [block.strip() for block in SHELL if "pytest" in block]
    assert "\n" not in command
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.slow
def test_the_first_block_runs_as_pasted(tmp_path: Path) -> None:
    """At the defaults it swaps a signal in, which its corridor needs. Worker processes
    must not run the user's script again."""
    script = tmp_path / "train.py"
    script.write_text(PYTHON[0].replace("    return model", "    print('trained')"))
    result = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("trained") == 1
    assert "pause  round 1" in result.stdout
    run_dir = tmp_path / "runs" / "corridor"
    branches = events(run_dir, "branch")
    assert all(branch["error"] == "" for branch in branches)
    control = [b["score"] for b in branches if b["name"] == "control"]
    assert max(control) < 0.05, "the corridor is too easy to need a signal"
    assert events(run_dir, "swap")
    assert events(run_dir, "settled")[0]["kind"] in ("confirmed", "open")
    assert events(run_dir, "record")[-1]["window"]["mean"] > 0.9


def test_with_the_declared_actions_rules_find_an_expert(tmp_path: Path) -> None:
    """The corridor of the first block, with the actions of the block on runs."""
    (block,) = [block for block in PYTHON if "places=" in block]
    names: dict[str, Any] = {"also": also_wrappers}
    exec(compile(block, "README.md", "exec"), names)
    run = also_wrappers.Run(names["task"], tmp_path / "run")

    def make_venv(shape: Callable[[Any], Any]) -> Any:
        return also_wrappers.PettingZooVecEnv(
            lambda: shape(Corridor(length=12, limit=40)), num_envs=8
        )

    model = PPO("MlpPolicy", make_venv(run.shape), n_steps=64, batch_size=256, seed=0)
    model.learn(50_000, also_wrappers.AdaptationCallback(run, make_venv))
    run.close()
    first, *_ = events(run.dir, "swap")
    assert first["signal"]["expert"]["rules"][-1]["do"] == "toward goal"
    rounds = [event["round"] for event in events(run.dir, "branch")]
    assert 1 not in rounds, "nothing was to lose, so none was trained"
    assert events(run.dir, "record")[-1]["window"]["mean"] > 0.9
