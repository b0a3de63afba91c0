"""The curve of a run: what steps were spent on, and how sure the run was when."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, Recorded, RolledBack
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.arms import arm_colors, course, draw_scores
from also_wrappers.report.charts import Curve, Point, draw_curves
from also_wrappers.report.curves import (
    branch_spans,
    draw_imitation,
    draw_own_returns,
    draw_returns,
    expert_spans,
    lineage,
    marks,
    provisional_spans,
)
from also_wrappers.report.rounds import ArmRecord
from also_wrappers.report.standing import last_audition
from also_wrappers.signal import Signal
from tests.support.ledgers import (
    OTHER,
    Line,
    branch,
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


def test_only_the_lineage_counts_as_steps_of_the_policy(tmp_path: Path) -> None:
    watched = events(tmp_path / "watched", watched_run())
    own = [event for event in lineage(watched) if isinstance(event, Recorded)]
    # What was recorded at 3,000 steps was given up with the weights, at 4,000 in all.
    steps = [event.env_steps.mainline for event in own]
    assert steps == [1000, 1500, 2500, 5000]
    lost = [e for e in watched if isinstance(e, Recorded) and e not in own]
    assert [event.env_steps.mainline for event in lost] == [3000]
    assert "environment steps of the policy itself" in draw_own_returns(watched)


def test_the_course_of_an_arm_is_as_sure_as_its_branches_agree() -> None:
    steps = {"env_steps": Counts(total=500), "trainer_steps": Counts(total=1000)}
    one = branch(points=(0.0, 0.5), errors=(0.1, 0.2)).model_copy(update=steps)
    other = one.model_copy(update={"points": (0.0, 0.9), "index": 1})
    early, late = course([one, other])
    assert (early.x, late.x) == (125, 375)  # of 1000 trainer steps of two agents
    assert (early.mean, late.mean) == (0.0, 0.7)
    assert early.error == pytest.approx((2 * 0.1**2) ** 0.5 / 2)  # between episodes
    assert late.error == pytest.approx(0.2)  # between the branches, which is more
    longer = one.model_copy(update={"trained": 1000, "errors": (None, 0.1)})
    assert [point.x for point in course([one, longer])] == [125, 375, 875]
    failed = one.model_copy(update={"error": "it died"})
    assert course([failed]) == ()


def test_of_many_arms_control_and_the_best_are_drawn() -> None:
    branches = {"control": [branch(score=0.0)], "failed": [branch(error="it died")]}
    branches |= {f"candidate_{k}": [branch(score=k / 10)] for k in range(1, 10)}
    colors = arm_colors(branches)
    assert colors.pop("control") == "muted"
    assert list(colors) == [f"candidate_{k}" for k in range(4, 10)]
    assert len(set(colors.values())) == 6
    drawn = draw_scores(branches)
    assert drawn.count("<circle") == 7
    assert "failed" not in drawn


def test_a_branch_in_two_parts_counts_once_with_its_last_score() -> None:
    first, last = branch(score=0.1), branch(score=0.5, trained=1000)
    other = branch(score=0.3, index=1)
    arm = ArmRecord(branches=[first, other, last])
    assert arm.whole == [other, last]
    assert arm.mean == pytest.approx(0.4)
    assert draw_scores({"control": arm.branches}).count("<circle") == 2
    died = last.model_copy(update={"error": "it died"})
    assert ArmRecord(branches=[first, died]).scores == [0.1]


def test_many_windows_are_pooled_into_few_points(tmp_path: Path) -> None:
    lines: list[Line] = [(recorded(k, 0.5), k, 0) for k in range(2000)]
    drawn = draw_returns(events(tmp_path, lines))
    assert 100 < drawn.count("h0") <= 150
    assert len(drawn) < 20_000


def test_returns_that_nobody_can_draw_are_left_out(tmp_path: Path) -> None:
    lines: list[Line] = [
        (recorded(1000, math.inf), 1000, 0),
        (recorded(2000, 0.5, episodes=0), 2000, 0),
        (recorded(3000, 1e99), 3000, 0),
        (recorded(4000, -1e-300), 4000, 0),
    ]
    drawn = draw_returns(events(tmp_path, lines))
    assert drawn.count("h0") == 2
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_an_axis_has_zero_and_whole_intervals() -> None:
    points = (Point(0.0, 0.90, 0.2), Point(250_000.0, 0.91, 0.2))
    drawn = draw_curves("title", [Curve("one", "blue", (points,))], x="steps", y="y")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert texts == ["y", "0.0", "0.5", "1.0", "0", "100,000", "200,000", "steps"]
