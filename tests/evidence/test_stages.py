"""Stages are named from curves, made and recorded, with known error rates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from also_wrappers.evidence import Window, detect_stage
from tests.benchmarks.stages import CHANGES, FLAT, false_alarms, missed

CURVES = json.loads((Path(__file__).parent / "curves.json").read_text())


def windows(means: Sequence[float], std: float = 0.1) -> list[Window]:
    return [
        Window(k, 50, mean, std, rewarded=min(1.0, 2.0 * mean))
        for k, mean in enumerate(means)
    ]


@pytest.mark.parametrize(
    ("means", "stage"),
    [
        ([], "no_signal"),
        ([0.0] * 8, "no_signal"),
        ([0.02, 0.02, 0.03, 0.02], "discovery"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "improvement"),
        ([0.5] * 8, "plateau"),
        ([0.8, 0.8, 0.8, 0.5, 0.4, 0.3], "regression"),
    ],
)
def test_stages(means: list[float], stage: str) -> None:
    assert detect_stage(windows(means)) == stage


def test_solved_needs_declared_success() -> None:
    solved = [Window(k, 50, 1.0, 0.0, 1.0, success=0.98) for k in range(4)]
    assert detect_stage(solved) == "solved"


@pytest.mark.parametrize("name", FLAT)
def test_flat_curves_rarely_look_like_a_change(name: str) -> None:
    level, right = FLAT[name]
    assert false_alarms(level, right, runs=200) <= 0.04


@pytest.mark.parametrize("name", [name for name in CHANGES if "by 1 point" not in name])
def test_clear_changes_are_rarely_missed(name: str) -> None:
    chance, right = CHANGES[name]
    assert missed(chance, right, runs=200) <= 0.04


@pytest.mark.parametrize("name", CURVES)
def test_recorded_runs_go_from_nothing_to_solved(name: str) -> None:
    """Two adapted runs of the demo, whose last base return is above .98."""
    windows = [Window(**window) for window in CURVES[name]]
    stages = [detect_stage(windows[: k + 1]) for k in range(len(windows))]
    assert stages[0] in ("no_signal", "discovery")
    assert "improvement" in stages[:12]
    assert stages.index("solved") > stages.index("improvement")
    assert set(stages[-20:]) == {"solved"}
    assert "regression" not in stages
