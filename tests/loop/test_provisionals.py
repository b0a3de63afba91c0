"""What is swapped in as provisional is confirmed beside the training, or taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.files import write_json
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainer import AuditionOutcome
from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.rounds import Made
from tests.support.trainers import ACTIONS
from tests.support.walker import ROLLOUT, Walker, Work

TOTAL = 30 * ROLLOUT
HORIZON = 2 * ROLLOUT


def proposal(expression: str) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=1.0)
    expected = Expectation(key="feature.place.change", moves="up")
    return Proposal(signal=Signal(terms=(term,)), hypothesis=expected)


class Walked(Made):
    """Branches of a walker whose scores are made up, and whose ends are there.

    Args:
        score: Score of a branch.
        beside: Whether to run in a thread.
    """

    def __init__(
        self, score: Callable[[BranchOrder], float], beside: bool = False
    ) -> None:
        super().__init__(score)
        self.beside = beside

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        for order, result in zip(orders, super().run(orders), strict=True):
            if order.end is not None:
                start = json.loads(order.snapshot.read_text())
                write_json(order.end, start | {"steps": start["steps"] + order.steps})
            yield result


class Follower(Walker):
    """A walker that says that it imitates, and whose experts earn .7, or .9 if they
    pull more."""

    imitates = True
    policy = 0.1

    def audition(self, *arguments: Any) -> AuditionOutcome:
        shape, episodes, *_, stepped = arguments
        stepped(episodes)
        expert = shape.board.read().signal.expert
        if expert is None:
            return AuditionOutcome((self.policy,) * episodes, episodes)
        earned = 0.7 if expert.pull == 1.0 else 0.9
        return AuditionOutcome((earned,) * episodes, episodes)


ADVISED = [
    Proposal(
        signal=Signal(expert=Expert(rules=(Rule(when=when, do="on"),))),
        hypothesis=Expectation(key="feature.place.change", moves="up"),
    )
    for when in ("1", "place < 0.9")
]


def play(
    folder: Path,
    executor: Walked,
    proposals: Sequence[Proposal] = (proposal("place"), proposal("2 * place")),
    **options: Any,
) -> Run:
    """Plays a run whose first round has one candidate, and no later one."""
    conditions = options.pop("conditions", {})
    task = Task("Walk.", corridor_features(), conditions, actions=ACTIONS)
    run = Run(task, folder / "run")
    walker = Follower(run.shape, TOTAL, Work())
    walker.policy = options.pop("policy", walker.policy)
    rounds = [list(proposals)[: options.pop("k", 1)], *options.pop("later", [])]
    settings: dict[str, Any] = {
        "first": 3 * ROLLOUT,
        "every": TOTAL,
        "horizon": HORIZON,
        "refinements": 0,
        "pause_on": "interval",
        "budget": 9.0,
        "executor": executor,
    }
    advisor = RecordedAdvisor(rounds)
    adaptation = Adaptation(run, advisor, **(settings | options))
    while walker.steps < TOTAL:
        adaptation.step(walker)
        if walker.steps < TOTAL:
            walker.train()
    adaptation.finish(walker)
    run.close()
    assert walker.steps == TOTAL
    assert check_every_step_is_counted_once(run.dir, TOTAL) == 0
    return run


def by_phase(screen: Sequence[float], confirm: Sequence[float]) -> Callable[..., float]:
    """Scores of control and the candidate in screening, and of fresh branches."""
    scores = {"screen": screen, "confirm": confirm}
    return lambda order: scores[order.request.phase][order.request.arm]


def fresh(run: Run) -> list[dict[str, Any]]:
    return [e for e in events(run.dir, "branch") if e["phase"] == "confirm"]


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


def test_the_next_turn_brings_its_own_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "exceeds", lambda guard, level: False)
    posted: list[float | None] = []
    post = Board.post

    def record(board: Board, posting: Posting) -> None:
        posted.append(posting.promised)
        post(board, posting)

    monkeypatch.setattr(Board, "post", record)
    run = play(tmp_path, Walked(lambda order: 0.0), ADVISED, k=2)
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
