"""Progress lines: every event that a run writes can be shown."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from also_wrappers.report.terminal import ProgressLines

COUNTS = {"trainer_steps": {"mainline": 10, "branches": 0, "evaluation": 0}}


def shown(kind: str, **event: Any) -> str:
    out = io.StringIO()
    lines = ProgressLines(Console(file=out, width=200), total=100)
    lines({"event": kind, **COUNTS, **event})
    return out.getvalue()


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (
            {
                "effect": None,
                "z": None,
                "pairs": 0,
                "critical": None,
                "exploratory": False,
            },
            "it: so",
        ),
        (
            {
                "effect": 0.5,
                "z": 3.0,
                "pairs": 2,
                "critical": 2.83,
                "exploratory": False,
            },
            "z 3.00 against 2.83",
        ),
        (
            {
                "effect": -0.5,
                "z": None,
                "pairs": 1,
                "critical": 2.83,
                "exploratory": False,
            },
            "-0.500, 1 pair(s)",
        ),
        (
            {
                "effect": 0.5,
                "z": None,
                "pairs": 0,
                "critical": None,
                "exploratory": False,
            },
            "(effect +0.500)",
        ),
    ],
)
def test_every_decision_can_be_shown(numbers: dict[str, Any], text: str) -> None:
    assert text in shown("decision", winner="it", reason="so", **numbers)


def test_a_smaller_round_says_so() -> None:
    plan = {"wanted": 3, "horizon": 100, "budget": 350}
    assert shown("plan", candidates=3, **plan) == ""
    told = shown("plan", candidates=2, **plan)
    assert "2 of 3 candidates: the branch budget has 350 steps left" in told


def test_text_of_others_is_no_markup() -> None:
    assert "[bold]x[/bold]" in shown(
        "advisor_error", asked_for="diagnosis", error="[bold]x[/bold]"
    )
