"""What is swapped in as provisional is confirmed beside the training, or taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Expert, Rule, Signal
from tests.support.corridor import events
from tests.support.provisional import (
    ADVISED,
    HORIZON,
    TOTAL,
    Walked,
    by_phase,
    fresh,
    play,
    proposal,
)
from tests.support.walker import ROLLOUT


@pytest.mark.parametrize("beside", [False, True])
def test_a_winner_is_used_at_once_and_confirmed_beside_the_training(
    tmp_path: Path, beside: bool
) -> None:
    executor = Walked(by_phase([0.2, 0.8], [0.2, 0.8]), beside)
    run = play(tmp_path, executor)
    (decision,) = events(run.dir, "decision")
    assert (decision["kind"], decision["winner"]) == ("provisional", "candidate_1")
    (swap,) = events(run.dir, "swap")
    assert swap["provisional"]
    assert not swap["exploratory"]
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "confirmed"
    assert settled["effect"] == pytest.approx(0.6)
    assert settled["z"] >= settled["critical"] == 2.75
    assert settled["branches"] == len(fresh(run)) >= 3
    # All of them from the snapshot that the round began from.
    confirming = [o for o in executor.orders if o.request.phase == "confirm"]
    assert {order.snapshot.name for order in confirming} == {"before_swap-1.zip"}
    posted = run.board.read()
    assert posted.signal == proposal("place").signal
    assert not posted.provisional
    # At most one discarded step for every three of the mainline's own since the swap.
    since = swap["trainer_steps"]["mainline"]
    spent = 0
    for branch in fresh(run):
        spent += branch["steps"]
        assert branch["trainer_steps"]["mainline"] - since == 3 * spent
    assert list(run.dir.glob("rounds/*/snapshots")) == []


def test_what_is_not_confirmed_goes_and_the_weights_stay(tmp_path: Path) -> None:
    run = play(tmp_path, Walked(by_phase([0.3, 0.8], [0.3, 0.3])))
    (settled,) = events(run.dir, "settled")
    assert (settled["kind"], settled["lost_steps"]) == ("given_up", 0)
    assert run.board.read().signal == Signal()
    schedule = json.loads((run.dir / "schedule.json").read_text())
    signals = [Signal.model_validate(entry["signal"]) for entry in schedule]
    assert signals == [proposal("place").signal, Signal()]
    # The next round has longer branches, also in a run that is stopped now.
    checkpoint = json.loads((run.dir / "checkpoints" / "round.json").read_text())
    assert checkpoint["state"]["horizon"] == 2 * HORIZON


@pytest.mark.parametrize(
    ("control", "exceeds", "kind"),
    [(0.1, True, "open"), (0.1, False, "given_up"), (0.3, True, "given_up")],
)
def test_what_leads_to_base_return_where_control_had_hardly_any_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    control: float,
    exceeds: bool,
    kind: str,
) -> None:
    """Fresh branches were too short to show it; the training has shown it since."""
    monkeypatch.setattr(Guard, "exceeds", lambda self, level: exceeds)
    run = play(tmp_path, Walked(by_phase([control, 0.8], [control, control])))
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == kind
    stays = kind == "open"
    assert (run.board.read().signal == proposal("place").signal) == stays
    assert run.board.read().provisional == stays
    if stays:
        assert settled["reason"] == (
            "not confirmed, but the base return is clearly above control's 0.100"
        )


def test_clear_harm_goes_back_to_controls_stored_branch(tmp_path: Path) -> None:
    run = play(tmp_path, Walked(by_phase([0.2, 0.8], [0.6, 0.1])))
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "given_up"
    assert settled["z"] <= -1.5
    # From where it stood to the end of control's branch.
    first = events(run.dir, "round_finished")[0]
    own = 3 * settled["branches"] * HORIZON
    assert settled["lost_steps"] == own
    assert json.loads((run.dir / "schedule.json").read_text()) == []
    assert first["adopted_steps"] == HORIZON


@pytest.mark.parametrize(
    ("scores", "promises"),
    [([0.2, 0.8], {0.7}), ([0.6, 0.1], {None})],
    ids=["confirmed", "given up"],
)
def test_what_an_expert_promised_goes_with_it(
    tmp_path: Path, scores: list[float], promises: set[float | None]
) -> None:
    executor = Walked(by_phase([0.2, 0.8], scores))
    run = play(tmp_path, executor, ADVISED)
    for order in executor.orders:
        promised = 0.7 if order.request.arm else None
        assert order.posting.promised == promised
    assert {order.request.phase for order in executor.orders} == {"screen", "confirm"}
    assert {run.board.read().promised} == promises
    assert run.accounting.evaluation >= 3 * 10


# The first expert's turn is as long as it was planned, or longer.
@pytest.mark.parametrize("agreements", [(0.0,), (0.4,)])
def test_the_next_turn_brings_its_own_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agreements: tuple[float, ...]
) -> None:
    monkeypatch.setattr(Guard, "exceeds", lambda guard, level: False)
    posted: list[float | None] = []
    post = Board.post

    def record(board: Board, posting: Posting) -> None:
        posted.append(posting.promised)
        post(board, posting)

    monkeypatch.setattr(Board, "post", record)
    run = play(tmp_path, Walked(lambda order: 0.0), ADVISED, k=2, agreements=agreements)
    assert len(events(run.dir, "swap")) == 2
    assert len(events(run.dir, "settled")) == 2
    # A swap, its end, the next turn, and the end of that.
    changes = [b for a, b in pairwise(posted) if a != b]
    assert changes == [0.7, None, 0.7, None]


def test_a_rollback_puts_back_the_promise_of_the_signal_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[Posting] = []
    post = Board.post

    def record(board: Board, posting: Posting) -> None:
        posted.append(posting)
        post(board, posting)

    def fall(guard: Guard) -> float | None:
        return 0.2 if posted[-1].promised == 0.9 else None

    monkeypatch.setattr(Board, "post", record)
    monkeypatch.setattr(Guard, "fall", fall)
    executor = Walked(by_phase([0.2, 0.8], [0.2, 0.8]))
    first = ADVISED[0]
    rules = (Rule(when="place < 0.9", do="on"),)
    second = Proposal(signal=Signal(expert=Expert(rules=rules, pull=2.0)))
    run = play(tmp_path, executor, [first], later=[[second]], every=12 * ROLLOUT)
    (rollback,) = events(run.dir, "rollback")
    assert rollback["signal"] == first.signal.id
    back = run.board.read()
    assert (back.signal, back.promised) == (first.signal, 0.7)
    schedule = json.loads((run.dir / "schedule.json").read_text())
    replayed = [
        (Signal.model_validate(entry["signal"]), entry["promised"])
        for entry in schedule
    ]
    assert replayed == [(first.signal, 0.7)]
    # A run that is stopped now goes on with it as well.
    checkpoint = json.loads((run.dir / "checkpoints" / "last.json").read_text())
    assert checkpoint["state"]["posting"]["promised"] == 0.7


def test_a_solved_task_ends_the_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Mainline.stage.fget  # type: ignore[attr-defined]
    solved = property(lambda m: "solved" if m.guard else stage(m))
    monkeypatch.setattr(Mainline, "stage", solved)
    run = play(tmp_path, Walked(by_phase([0.2, 0.8], [0.2, 0.8])))
    (settled,) = events(run.dir, "settled")
    assert (settled["kind"], settled["reason"]) == ("open", "the task is solved")
    assert run.board.read().provisional


def test_a_spent_budget_leaves_the_signal_provisional(tmp_path: Path) -> None:
    # Two branches of screening, one of which is adopted, and one of confirmation.
    budget = 2.0 * HORIZON / TOTAL
    run = play(tmp_path, Walked(by_phase([0.2, 0.8], [0.2, 0.8])), budget=budget)
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "open"
    assert settled["reason"].endswith(f"left, and the next branch takes {HORIZON:,}")
    assert len(fresh(run)) <= 1
    assert run.board.read().provisional


def test_the_end_of_training_leaves_the_signal_provisional(tmp_path: Path) -> None:
    run = play(tmp_path, Walked(by_phase([0.2, 0.8], [0.2, 0.8])), first=22 * ROLLOUT)
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "open"
    assert run.board.read().provisional


class Breaks(Walked):
    """Cannot run the branches of a confirmation."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        if orders[0].request.phase == "confirm":
            raise RuntimeError("a worker process cannot be started")
        yield from super().run(orders)


@pytest.mark.parametrize("beside", [False, True])
def test_a_confirmation_that_breaks_does_not_end_the_run(
    tmp_path: Path, beside: bool
) -> None:
    run = play(tmp_path, Breaks(by_phase([0.2, 0.8], [0.2, 0.8]), beside))
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "open"
    assert settled["reason"] == (
        "the confirmation failed: RuntimeError: a worker process cannot be started"
    )
    assert run.board.read().provisional
