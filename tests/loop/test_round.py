"""A round against branches whose outcome is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.gate.gate import Gate, Request
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.round import Round, RoundResult
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Fade, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features, corridor_situation

HORIZON = 100


class StubTrainer:
    """At rest, for ever."""

    steps, total, rollout, gamma = 0, 10_000, 10, 0.99
    bootstraps_truncation, agents_per_env = True, 1
    evaluates, replays = False, False

    def snapshot(self, path: Path) -> None:
        path.write_text("start")

    def adopt(self, path: Path) -> None:
        raise AssertionError("a round must not change the trainer")

    def policy_drift(self) -> None:
        return None

    def fork(self) -> Any:
        return None


class Made:
    """Branches that score what a function says."""

    def __init__(self, score: Callable[[BranchOrder], float]) -> None:
        self.orders: list[BranchOrder] = []
        self._score = score

    def warm(self, fork: Any) -> None:
        """Made up branches need nothing."""

    def close(self) -> None:
        """Nothing is held."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        for order in orders:
            self.orders.append(order)
            request = order.request
            if order.end is not None:
                order.end.touch()
            yield BranchResult(
                request,
                order.seed,
                order.steps,
                self._score(order),
                1e-4,
                1.0,
                300,
                snapshot=order.end,
                observed=dict.fromkeys(order.keys, 0.1 * request.arm),
            )


def name(snapshot: Path | None) -> str:
    assert snapshot is not None
    assert snapshot.exists()
    return snapshot.stem


def proposal(weight: float) -> Proposal:
    term = Term(name="t", kind="progress", expression="place", weight=weight)
    return Proposal(signal=Signal(terms=(term,)))


def play(
    tmp_path: Path,
    made: Made,
    advisor: RecordedAdvisor | None = None,
    situation: Situation | None = None,
    gate: Gate | None = None,
    conditions: Mapping[str, str] | None = None,
    **plan: int,
) -> RoundResult:
    run = Run(Task("x", corridor_features(), conditions or {}), tmp_path / "run")
    numbers = {
        "candidates": 2,
        "refinements": 1,
        "horizon": HORIZON,
        "budget": 100_000,
        "longest": 5000,
        "total": 10_000,
        "copy_steps": 1,
        "seed": 0,
    }
    return Round(
        1,
        run,
        StubTrainer(),
        advisor or RecordedAdvisor([[proposal(1.0), proposal(2.0)]], [[proposal(4.0)]]),
        gate or Gate(),
        made,
        Plan(**(numbers | plan)),
        situation or corridor_situation(),
        [],
        Posting(gamma=0.99),
    ).play()


def test_seeds_are_common_to_arms_and_fresh_in_every_stage(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 + order.request.arm + order.seed % 7 / 10)
    result = play(tmp_path, made)
    assert result.decision.winner == 3
    assert name(result.snapshot) == "3-confirm-1-1"
    by_place: dict[Any, set[int]] = {}
    for order in made.orders:
        place = (order.request.stage, order.request.index)
        by_place.setdefault(place, set()).add(order.seed)
    assert all(len(seeds) == 1 for seeds in by_place.values())
    assert len(set.union(*by_place.values())) == len(by_place)
    assert {name(order.snapshot) for order in made.orders} == {"start"}


def test_no_change_adopts_controls_screening_branch(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 - 0.5 * (order.request.arm > 0))
    result = play(tmp_path, made)
    assert result.decision.winner is None
    assert name(result.snapshot) == "0-screen-0-1"
    assert result.adopted == HORIZON


def test_where_no_reward_is_seen_branches_are_extended_once(tmp_path: Path) -> None:
    made = Made(lambda order: 0.0)
    result = play(tmp_path, made)
    assert result.decision.reason.startswith("no arm saw any base reward")
    longer = [order for order in made.orders if order.request.stretch == 2]
    # Each goes on from where its shorter branch ended, for one more horizon.
    assert [name(order.snapshot) for order in longer] == [
        f"{arm}-screen-0-1" for arm in range(3)
    ]
    assert {order.steps for order in longer} == {HORIZON}
    assert name(result.snapshot) == "0-screen-0-2"
    assert result.adopted == 2 * HORIZON


def test_where_no_reward_is_seen_declared_conditions_decide(tmp_path: Path) -> None:
    """Arm k is observed to see them in a share of k tenths of its episodes."""
    made = Made(lambda order: 0.0)
    result = play(tmp_path, made, conditions={"far": "place > 0.9"})
    decision = result.decision
    assert (decision.winner, decision.exploratory) == (2, True)
    assert (
        decision.reason == "no base reward was seen; by how often far held, confirmed"
    )
    assert decision.effect == pytest.approx(0.2)
    assert all(order.keys[-1] == "condition.far.rate" for order in made.orders)
    # They were extended first, in the hope of a base reward.
    assert [o for o in made.orders if o.request.stretch == 2]
    confirming = [o for o in made.orders if o.request.stage == "confirm"]
    assert {o.steps for o in confirming} == {HORIZON}
    assert result.adopted == HORIZON


def test_where_nothing_at_all_is_seen_nothing_changes(tmp_path: Path) -> None:
    class Unseen(Made):
        def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
            for result in super().run(orders):
                yield replace(result, observed={})

    made = Unseen(lambda order: 0.0)
    result = play(tmp_path, made, conditions={"far": "place > 0.9"})
    assert result.decision.winner is None
    assert result.decision.reason == "no arm saw any base reward, nor far"
    assert result.adopted == 2 * HORIZON


def test_replacements_join_extended_branches_at_their_length(tmp_path: Path) -> None:
    def score(order: BranchOrder) -> float:
        reached = order.request.stretch == 2
        return (0.1 + order.request.arm) * reached

    made = Made(score)
    result = play(tmp_path, made)
    assert result.decision.winner == 3
    joined = [
        (order.steps, name(order.snapshot))
        for order in made.orders
        if order.request.arm == 3 and order.request.stage == "screen"
    ]
    assert joined[:2] == [(HORIZON, "start"), (HORIZON, "3-screen-0-1")]
    confirming = [o for o in made.orders if o.request.stage == "confirm"]
    assert {order.steps for order in confirming} == {2 * HORIZON}
    assert result.adopted == 2 * HORIZON


def test_screening_early_extends_the_best_and_control(tmp_path: Path) -> None:
    """At half the horizon arm 1 is clearly worse; the others go on for the rest."""
    made = Made(lambda order: [0.5, 0.1, 0.9, 0.6][order.request.arm])
    result = play(tmp_path, made, gate=Gate(early=True, top=3, max_pairs=2))
    screens = [o for o in made.orders if o.request.stage == "screen"]
    halves = [o for o in screens if o.request.stretch == 0.5]
    assert [o.request.arm for o in halves] == [0, 1, 2, 3]
    assert {(o.steps, o.scored_from) for o in halves} == {(HORIZON // 2, HORIZON // 4)}
    longer = [o for o in screens if o.request.stretch == 1]
    assert {o.request.arm for o in longer} == {0, 2, 3}
    # Their scores are those of the last half of the whole.
    assert {(o.steps, o.scored_from) for o in longer} == {(HORIZON // 2, 0)}
    assert {name(o.snapshot) for o in longer} == {
        f"{k}-screen-0-0.5" for k in (0, 2, 3)
    }
    assert not [o for o in screens if o.request.index]
    confirming = [o for o in made.orders if o.request.stage == "confirm"]
    assert {o.steps for o in confirming} == {HORIZON}
    assert {o.request.arm for o in confirming} == {0, 2}
    assert result.decision.winner == 2
    assert result.adopted == HORIZON
    seeds = {(o.request.stage, o.request.stretch): o.seed for o in made.orders}
    assert len(set(seeds.values())) == len(seeds)


def test_the_budget_ends_a_round(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 + order.request.arm)
    result = play(tmp_path, made, budget=5 * HORIZON)
    assert result.decision.reason == "the branch budget is spent"
    assert len(made.orders) <= 5
    made = Made(lambda order: 0.0)
    result = play(tmp_path / "other", made, longest=HORIZON)
    assert "too little of the planned training" in result.decision.reason


def test_a_branch_without_a_reward_is_as_uncertain_as_one_episode_of_the_round() -> (
    None
):
    silent = BranchResult(Request(0, "screen", 0), seed=1, episodes=200)
    assert silent.trial(largest=0.5).variance == (0.5 / 200) ** 2
    spread = BranchResult(Request(0, "screen", 0), seed=1, variance=1e-2, episodes=200)
    assert spread.trial(largest=0.5).variance == 1e-2
    failed = BranchResult(Request(0, "screen", 0), seed=1, error="died")
    assert not failed.trial(largest=0.5).ok


class Listens(RecordedAdvisor):
    """Keeps what it is told."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[Any] = []
        self.rested = 0

    def propose(self, situation: Any, diagnosis: Any, k: int) -> list[Proposal]:
        self.told.append((situation.rejected, k))
        return super().propose(situation, diagnosis, k)

    def refine(
        self, situation: Any, diagnosis: Any, results: Sequence[ArmOutcome], k: int
    ) -> list[Proposal]:
        self.told.append([result.hypothesis for result in results])
        return super().refine(situation, diagnosis, results, k)

    def rest(self) -> None:
        self.rested += 1


def ledger(tmp_path: Path, kind: str) -> list[dict[str, Any]]:
    lines = read_ledger(tmp_path / "run" / "ledger.jsonl")
    return [line for line in lines if line["event"] == kind]


def test_what_is_rejected_goes_back_once(tmp_path: Path) -> None:
    bad = Term(name="t", kind="progress", expression="plaice", weight=1.0)
    wrong = Proposal(signal=Signal(terms=(bad,)))
    twice = proposal(1.0)
    advisor = Listens([[proposal(1.0), wrong, proposal(3.0), wrong, twice]], [[]])
    made = Made(lambda order: 1.0)
    result = play(tmp_path, made, advisor, candidates=3)
    first, again, _ = advisor.told
    assert first == ((), 3)
    assert [r.signal for r in again[0]] == [wrong.signal]
    assert "did you mean place" in again[0][0].reason
    assert again[1] == 1
    assert [arm.signal for arm in result.arms[1:]] == [
        proposal(1.0).signal,
        proposal(3.0).signal,
    ]
    checks = ledger(tmp_path, "check")
    assert [check["passed"] for check in checks] == [True, False, True, False]
    assert "did you mean place" in checks[-1]["remark"]
    assert len(result.outcome.rejected) == 2
    assert advisor.rested == 1


def test_hypotheses_are_compared_with_control_on_the_same_seeds(tmp_path: Path) -> None:
    candidates = [
        proposal(weight).model_copy(update={"hypothesis": expected})
        for weight, expected in (
            (1.0, Expectation(key="team.cells", moves="up")),
            (2.0, Expectation(key="team.cells", moves="down")),
        )
    ]
    advisor = Listens([candidates], [[]])
    made = Made(lambda order: 1.0)
    play(tmp_path, made, advisor)
    told = advisor.told[-1]
    assert told == [
        "team.cells should go up: it did, 0.1 against control's 0",
        "team.cells should go down: it did not, 0.2 against control's 0",
    ]
    assert ledger(tmp_path, "refinement")[0]["hypotheses"] == told
    assert all(order.keys == ("team.cells",) for order in made.orders)


def test_nothing_is_tried_that_an_earlier_round_has_tried(tmp_path: Path) -> None:
    earlier = RoundOutcome(
        round=1,
        stage="plateau",
        control_score=0.0,
        arms=(ArmOutcome(signal=proposal(1.0).signal, outcome="no better"),),
        rejected=(Rejection(signal=proposal(2.0).signal, reason="no"),),
        decision="no change",
        winner=None,
    )
    proposals = [proposal(1.05), proposal(2.0), proposal(5.0)]
    advisor = Listens([[], proposals], [[], []])
    now = corridor_situation(history=(earlier,))
    result = play(tmp_path, Made(lambda o: 1.0), advisor, situation=now, candidates=3)
    assert [arm.signal for arm in result.arms[1:]] == [proposal(5.0).signal]


def test_a_signal_that_fades_does_so_in_its_branches(tmp_path: Path) -> None:
    fading = proposal(1.0)
    fading = Proposal(signal=fading.signal.model_copy(update={"fade": 0.03}))
    made = Made(lambda order: 0.0)
    play(tmp_path, made, Listens([[fading]], [[]]), copy_steps=4)
    by_arm = {
        (order.request.arm, order.request.stretch): order.posting
        for order in made.orders
    }
    assert by_arm[0, 1].fade is None
    # 3 % of 10,000 trainer steps are 300, or 75 steps of every copy.
    assert by_arm[1, 1].fade == Fade(begin=0, end=75)
    assert by_arm[1, 1].strength == 1.0
    # A branch that goes on after its first 100 trainer steps has 200 left.
    assert by_arm[1, 2].fade == Fade(begin=0, end=50)
    assert by_arm[1, 2].strength == pytest.approx(2 / 3)
