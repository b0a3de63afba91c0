"""When either training of the demo was first nearly as good as can be."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.cli.demo import milestones
from also_wrappers.ledger.events import Event
from also_wrappers.ledger.ledger import read_ledger
from tests.support.ledgers import (
    Line,
    base_only_run,
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
        "base_only": 6000,
        "search": 1500,
    }


def test_what_never_was_has_no_milestone(tmp_path: Path) -> None:
    lines: list[Line] = [(started(), 0, 0), (recorded(10, 0.89), 10, 0)]
    never = events(tmp_path, lines)
    assert set(milestones(never, []).values()) == {None}


def test_what_was_good_at_once_has_a_milestone_of_zero_steps(tmp_path: Path) -> None:
    at_once = events(tmp_path, [(recorded(0, 1.0), 0, 0)])
    assert milestones(at_once, at_once)["base_only"] == 0
    assert milestones(at_once, at_once)["adapted_total"] == 0
