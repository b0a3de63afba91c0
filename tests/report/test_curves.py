"""The curve of a run: what steps were spent on, and how sure the run was when."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.ledger.events import Event, RolledBack
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.curves import (
    branch_spans,
    draw_imitation,
    draw_returns,
    expert_spans,
    marks,
    provisional_spans,
)
from also_wrappers.report.standing import last_audition
from also_wrappers.signal import Signal
from tests.support.ledgers import (
    OTHER,
    Line,
    decided,
    expert_run,
    recorded,
    settled,
    swapped,
    watched_run,
    whole_run,
    write_ledger,
)


def events(run_dir: Path, lines: list[Line]) -> list[Event]:
    return list(read_ledger(write_ledger(run_dir, lines) / "ledger.jsonl"))


def test_only_steps_of_branches_are_their_cost(tmp_path: Path) -> None:
    whole = events(tmp_path / "whole", whole_run())
    # Four branches in the pause, then one each time that the mainline had trained on.
    assert branch_spans(whole) == [(1000, 3000), (3500, 4000), (4500, 5000)]
    # The advisor was asked at 1000; training went on to 1500.
    assert branch_spans(events(tmp_path / "watched", watched_run())) == [(1500, 3000)]


def test_a_signal_is_marked_from_its_swap_until_it_is_settled(tmp_path: Path) -> None:
    whole = events(tmp_path / "whole", whole_run())
    assert provisional_spans(whole) == [(3000, 5000)]
    assert marks(whole) == [(3000, "provisional"), (5000, "confirmed")]
    drawn = draw_returns(whole)
    for text in ("provisional", "confirmed"):
        assert f">{text}</text>" in drawn
    assert drawn.count('<rect class="purple"') == 1  # the strip of its use


def test_a_signal_that_is_left_open_is_provisional_to_the_end(tmp_path: Path) -> None:
    left = whole_run(settled(kind="open"))
    assert provisional_spans(events(tmp_path / "left", left)) == [(3000, 7500)]
    watched = events(tmp_path / "watched", watched_run())
    assert provisional_spans(watched) == [(3000, 7000)]  # one after the other
    assert marks(watched) == [
        (3000, "exploratory"),
        (4000, "given up"),
        (4000, "exploratory"),
        (4500, "left open"),
    ]


def test_what_is_not_provisional_is_not_marked_as_such(tmp_path: Path) -> None:
    sure = swapped(provisional=False)
    lines: list[Line] = [
        (decided(kind="confirmed"), 2000, 4000),
        (sure, 3000, 3000),
    ]
    confirmed = events(tmp_path / "confirmed", lines)
    assert provisional_spans(confirmed) == []
    assert marks(confirmed) == [(3000, "confirmed")]
    assert "provisional" not in draw_returns(confirmed)
    assert 'class="purple' not in draw_returns(confirmed)


def test_a_rollback_brings_the_signal_before_back_as_it_was(tmp_path: Path) -> None:
    lines: list[Line] = [
        (swapped(), 1000, 0),
        (settled(), 2000, 0),
        (swapped(OTHER), 3000, 0),
        (RolledBack(lost_steps=1000, fall=0.2, signal=settled().signal.id), 3000, 1000),
        (swapped(OTHER), 5000, 1000),
        (settled(kind="given_up", signal=Signal()), 7000, 1000),
    ]
    undone = events(tmp_path, lines)
    assert provisional_spans(undone) == [(500, 1000), (1500, 2000), (3000, 4000)]
    assert marks(undone)[3] == (2000, "rolled back")
    assert ">rolled back</text>" in draw_returns(undone)


def test_an_expert_is_drawn_as_long_as_it_is_in_force(tmp_path: Path) -> None:
    expert = events(tmp_path / "expert", expert_run())
    assert expert_spans(expert) == [(1000, 5000, 0.8)]
    assert '<path class="brown line dashed"' in draw_returns(expert)
    drawn = draw_imitation(expert)
    assert '<g class="brown">' in drawn
    assert '<g class="green">' in drawn
    whole = events(tmp_path / "whole", whole_run())
    assert expert_spans(whole) == []
    assert draw_imitation(whole) == ""
    assert last_audition(whole) is None


def test_an_expert_that_was_given_up_is_told_and_no_longer_in_force(
    tmp_path: Path,
) -> None:
    in_vain = settled(kind="given_up", reason="in vain", signal=Signal())
    lines = [*expert_run()[:-2], (in_vain, 8000, 0), (recorded(9000, 0.1), 9000, 0)]
    expert = events(tmp_path, lines)
    assert expert_spans(expert) == [(1000, 4000, 0.8)]
    last = last_audition(expert)
    assert last is not None
    assert last.earned == 0.8
