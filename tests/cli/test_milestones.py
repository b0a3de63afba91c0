"""When either training of the demo was first nearly as good as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.cli.milestones import closing_lines, expert_alone, milestones
from also_wrappers.ledger.events import Event
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.signal import Expert, Rule, Signal
from tests.support.ledgers import (
    SIGNAL,
    Line,
    base_only_run,
    expert_run,
    recorded,
    started,
    whole_run,
    write_ledger,
)


def events(run_dir: Path, lines: list[Line]) -> list[Event]:
    return list(read_ledger(write_ledger(run_dir, lines) / "ledger.jsonl"))


def test_milestones_are_the_first_of_their_kind_in_two_ledgers(tmp_path: Path) -> None:
    adapted = events(tmp_path / "adapted", whole_run())
    base_only = events(tmp_path / "base_only", base_only_run())
    assert milestones(adapted, base_only) == {
        "adapted_own": 2000,
        "adapted_total": 3500,
        "adapted_half_total": 3500,
        "base_only": 6000,
        "base_only_half": 6000,
        "search": 1500,
    }


def test_what_never_was_has_no_milestone(tmp_path: Path) -> None:
    lines: list[Line] = [(started(), 0, 0), (recorded(10, 0.49), 10, 0)]
    never = events(tmp_path, lines)
    assert set(milestones(never, []).values()) == {None}


def test_what_was_good_at_once_has_a_milestone_of_zero_steps(tmp_path: Path) -> None:
    at_once = events(tmp_path, [(recorded(0, 1.0), 0, 0)])
    assert milestones(at_once, at_once)["base_only"] == 0
    assert milestones(at_once, at_once)["adapted_total"] == 0


def closing(**changes: Any) -> str:
    """The closing lines of a demo."""
    result: dict[str, Any] = {
        "env_steps": {"mainline": 5000, "branches": 2500, "evaluation": 100},
        "rounds": 1,
        "swaps": 1,
        "seconds": 61.2,
        "milestones": {
            "adapted_own": 2000,
            "adapted_total": 3500,
            "adapted_half_total": 3500,
            "base_only": 6000,
            "base_only_half": 6000,
            "search": 1500,
        },
        "signal": SIGNAL.model_dump(mode="json"),
        "standing": "provisional",
    }
    return "\n".join(closing_lines(result | changes))


def test_the_demo_ends_with_what_either_training_took() -> None:
    text = closing()
    assert (
        "Base return of 0.9 in training: adapted after 2,000 environment steps of its "
        "own, 3,500 with branches, rehearsal and auditions; base reward alone after "
        "6,000."
    ) in text
    assert "First swap: after 1,500 environment steps of discarded branches." in text
    never: dict[str, int | None] = dict.fromkeys(milestones([], []))
    text = closing(milestones=never)
    assert "in training: adapted not reached; base reward alone not reached." in text
    assert "First swap" not in text
    half = closing(milestones=never | {"adapted_half_total": 4500})
    assert "Base return of 0.5: adapted after 4,500 environment steps in all." in half


@pytest.mark.parametrize(
    ("standing", "note"),
    [
        ("confirmed", "(confirmed)"),
        ("provisional", "(provisional: in use, not confirmed)"),
        (
            "exploratory",
            "(exploratory: in use, not confirmed; no base reward spoke for it)",
        ),
    ],
)
def test_the_demo_ends_with_how_sure_it_is_of_its_signal(
    standing: str, note: str
) -> None:
    text = closing(standing=standing)
    assert text.endswith(f"Active signal {note}: 1 * progress[-distance]")


def test_the_demo_ends_with_a_line_for_each_rule_of_its_expert() -> None:
    rules = (Rule(when="x < 1" + 200 * " ", do="on"), Rule(when="1", do="stay"))
    signal = Signal(expert=Expert(rules=rules)).model_dump(mode="json")
    *_, first, on, stay = closing(signal=signal).splitlines()
    assert first.startswith("Active signal (provisional: in use, not confirmed): an ex")
    assert on.startswith("1. on when x < 1 ")
    assert len(on) == 160
    assert stay == "2. stay when 1"


def test_the_expert_alone_is_told_where_one_was_in_use(tmp_path: Path) -> None:
    assert expert_alone(events(tmp_path / "terms", whole_run())) is None
    assert expert_alone(events(tmp_path / "expert", expert_run())) == {
        "env_steps": 1000,
        "mean": 0.8,
        "error": 0.05,
        "std": 0.5,
        "episodes": 100,
    }


def test_a_demo_without_a_signal_has_nothing_to_be_sure_of() -> None:
    empty = Signal().model_dump(mode="json")
    last = closing(signal=empty, standing=None).splitlines()[-1]
    assert last == "Active signal: nothing (the base reward alone)"
