"""A signal that no base reward speaks for yet is watched, and has its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.loop.guard import Guard
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from tests.support.corridor import events
from tests.support.provisional import ADVISED, HORIZON, TOTAL, Walked, play
from tests.support.walker import ROLLOUT


@pytest.mark.parametrize("leads_somewhere", [True, False])
def test_where_there_is_nothing_to_lose_an_expert_is_used_without_a_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads_somewhere: bool
) -> None:
    monkeypatch.setattr(Guard, "exceeds", lambda guard, level: leads_somewhere)
    executor = Walked(lambda order: 0.0)
    run = play(tmp_path, executor, ADVISED, k=2, policy=0.0)
    assert executor.orders == []
    (decision,) = events(run.dir, "decision")
    assert (decision["kind"], decision["branches"]) == ("provisional", 0)
    assert "the expert earns 0.700 by itself" in decision["reason"]
    assert "no branch was trained" in decision["outcome"]["arms"][0]["outcome"]
    (swap,) = events(run.dir, "swap")
    assert swap["provisional"]
    assert swap["exploratory"]
    # From where branches would have begun.
    finished = events(run.dir, "round_finished")[0]
    assert finished["adopted_steps"] == 0
    assert finished["lost_steps"] in (0, 3 * ROLLOUT)
    (settled,) = events(run.dir, "settled")
    posted = run.board.read()
    if leads_somewhere:
        assert settled["kind"] == "open"
        assert (posted.signal, posted.promised) == (ADVISED[0].signal, 0.7)
    else:
        since = settled["trainer_steps"]["mainline"]
        assert since - swap["trainer_steps"]["mainline"] == 2 * HORIZON
        assert settled["kind"] == "given_up"
        assert (posted.signal, posted.promised) == (Signal(), None)


def test_where_there_is_nothing_to_lose_a_hypothesis_carries_a_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "exceeds", lambda guard, level: False)
    executor = Walked(lambda order: 0.0)
    run = play(tmp_path, executor, k=2)
    (decision,) = events(run.dir, "decision")
    assert decision["exploratory"]
    assert decision["winner"] == "candidate_1"
    assert "feature.place.change went up as expected" in decision["reason"]
    # No branch was extended beyond the horizon for it.
    assert {order.request.stretch for order in executor.orders} == {0.5, 1}
    swaps = events(run.dir, "swap")
    assert [swap["exploratory"] for swap in swaps] == [True, True]
    turns = events(run.dir, "settled")
    assert turns[0]["kind"] == "given_up"
    # Each had twice the horizon to lead to base reward.
    starts = [swap["trainer_steps"]["mainline"] for swap in swaps]
    ends = [turn["trainer_steps"]["mainline"] for turn in turns]
    assert ends[0] - starts[0] == 2 * HORIZON - turns[0]["lost_steps"]
    assert list(run.dir.glob("rounds/*/snapshots")) == []


def test_declared_conditions_come_before_hypotheses(tmp_path: Path) -> None:
    """The second candidate's branch met them in two tenths of its episodes."""
    executor = Walked(lambda order: 0.0)
    conditions = {"far": "place > 0.9"}
    run = play(tmp_path, executor, k=2, conditions=conditions)
    (decision,) = events(run.dir, "decision")
    assert (decision["winner"], decision["exploratory"]) == ("candidate_2", True)
    assert "how early far held" in decision["reason"]
    assert {order.request.stretch for order in executor.orders} == {0.5, 1}


def watched(folder: Path, **options: Any) -> tuple[Run, int]:
    """Plays an expert that earns where the policy does not.

    Returns:
        The run, and for how many trainer steps the expert was used.
    """
    run = play(folder, Walked(lambda order: 0.0), ADVISED, policy=0.0, **options)
    (settled,) = events(run.dir, "settled")
    (swap,) = events(run.dir, "swap")
    steps = [event["trainer_steps"]["mainline"] for event in (swap, settled)]
    return run, steps[1] - steps[0]


def test_an_expert_has_time_while_the_policies_come_closer_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "exceeds", lambda guard, level: False)
    _, still = watched(tmp_path / "still", agreements=(0.0,))
    _, some_time = watched(tmp_path / "some", agreements=(0.0, 0.3, 0.5, 0.7, 0.7))
    rising = tuple(k / 40 for k in range(40))
    run, whole = watched(tmp_path / "whole", agreements=rising)
    assert still == 2 * HORIZON
    assert still + HORIZON <= some_time < whole
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "open"
    assert run.board.read().signal == ADVISED[0].signal
    assert settled["trainer_steps"]["mainline"] == TOTAL


def test_nothing_is_given_up_before_anything_was_recorded_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "windows", 0)
    run, _ = watched(tmp_path, agreements=(0.0,))
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "open"
