"""The README says what is true."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO

import also_wrappers
from also_wrappers.testing import Corridor, corridor_features
from tests.support.corridor import events

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHELL, PYTHON = (
    re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    for language in ("sh", "python")
)


def test_ci_runs_the_test_command() -> None:
    (command,) = [block.strip() for block in SHELL if "pytest" in block]
    assert "\n" not in command
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_python_blocks_are_valid() -> None:
    assert len(PYTHON) >= 3
    for block in PYTHON:
        compile(block, "README.md", "exec")


@pytest.mark.slow
def test_the_example_runs_as_a_script_without_a_guard(tmp_path: Path) -> None:
    """At the defaults it swaps a signal in, which its corridor needs. Worker processes
    must not run the user's script again."""
    script = tmp_path / "train.py"
    script.write_text(f"{PYTHON[0]}\nprint('trained', model.num_timesteps)")
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


def test_the_block_on_experts_runs() -> None:
    (block,) = [block for block in PYTHON if "ImitationCallback" in block]

    def make_venv(shape: Callable[[Any], Any]) -> Any:
        return also_wrappers.PettingZooVecEnv(lambda: shape(Corridor()), num_envs=8)

    names = {
        "also": also_wrappers,
        "PPO": PPO,
        "features": corridor_features(),
        "make_venv": make_venv,
    }
    exec(compile(block, "README.md", "exec"), names)


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
