"""A round against branches whose outcome is made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.checks.check import Checks
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Decision, Gate, Race, Request, Rule, Trial
from also_wrappers.loop.audition import Auditions
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.journal import Journal
from also_wrappers.loop.measured import Arm
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.round import Round, RoundResult
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Fade, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features, corridor_situation
from tests.support.corridor import events
from tests.support.rounds import Made, StubTrainer

HORIZON = 100
START = Path("start.zip")


def proposal(weight: float) -> Proposal:
    term = Term(name="t", kind="progress", expression="place", weight=weight)
    return Proposal(signal=Signal(terms=(term,)))


@dataclass(frozen=True)
class Played:
    """A round that was played, and its arms."""

    result: RoundResult
    arms: list[Arm]


def play(
    tmp_path: Path,
    made: Made,
    advisor: RecordedAdvisor | None = None,
    situation: Situation | None = None,
    gate: Rule | None = None,
    conditions: Mapping[str, str] | None = None,
    **plan: int,
) -> Played:
    run = Run(Task("x", corridor_features(), conditions or {}), tmp_path / "run")
    situation = situation or corridor_situation()
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
    consultation = Consultation(
        1,
        run,
        advisor or RecordedAdvisor([[proposal(1.0), proposal(2.0)]], [[proposal(4.0)]]),
        situation,
        Checks(situation.features, situation.agents, [], 1.0, 0.99),
        Journal(run.dir / "journal.jsonl"),
    )
    plans = Plan(**(numbers | plan))
    played = Round(1, run, gate or Gate(), made, plans, situation, consultation)
    refusal = played.consult()
    trainer = StubTrainer()
    journal = Journal(run.dir / "journal.jsonl")
    auditions = Auditions(1, run, trainer, plans, journal)
    result = (
        played.trial(trainer, auditions, START, Posting(gamma=0.99))
        if refusal is None
        else played.result(refusal)
    )
    return Played(result, consultation.arms)


def name(path: Path | None) -> str:
    """The name of a snapshot's file."""
    assert path is not None
    return path.stem


def test_seeds_are_common_to_arms_and_fresh_in_every_stage(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 + order.request.arm + order.seed % 7 / 10)
    result = play(tmp_path, made).result
    assert result.decision.winner == 3
    assert name(result.snapshot) == "candidate_3-confirm-1-1"
    by_place: dict[Any, set[int]] = {}
    for order in made.orders:
        place = (order.request.phase, order.request.index)
        by_place.setdefault(place, set()).add(order.seed)
    assert all(len(seeds) == 1 for seeds in by_place.values())
    assert len(set.union(*by_place.values())) == len(by_place)
    assert {order.snapshot for order in made.orders} == {START}


def test_no_change_adopts_controls_screening_branch(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 - 0.5 * (order.request.arm > 0))
    result = play(tmp_path, made).result
    assert result.decision.winner is None
    assert name(result.snapshot) == "control-screen-0-1"
    assert result.adopted == HORIZON


def test_where_no_reward_is_seen_branches_are_extended_once(tmp_path: Path) -> None:
    made = Made(lambda order: 0.0)
    result = play(tmp_path, made).result
    assert result.decision.reason.startswith("no arm saw any base reward")
    longer = [order for order in made.orders if order.request.stretch == 2]
    # Each goes on from where its shorter branch ended, for one more horizon.
    assert [name(order.snapshot) for order in longer] == [
        f"{arm}-screen-0-1" for arm in ("control", "candidate_1", "candidate_2")
    ]
    assert {order.steps for order in longer} == {HORIZON}
    assert name(result.snapshot) == "control-screen-0-2"
    assert result.adopted == 2 * HORIZON


def test_where_no_reward_is_seen_declared_conditions_decide(tmp_path: Path) -> None:
    """Arm k is observed to see them in a share of k tenths of its episodes."""
    made = Made(lambda order: 0.0)
    result = play(tmp_path, made, conditions={"far": "place > 0.9"}).result
    decision = result.decision
    assert (decision.winner, decision.exploratory) == (2, True)
    assert (
        decision.reason
        == "no base reward was seen; by how often and how early far held, it stands out"
    )
    # It held as late in the one arm as in any, so that it counts for two thirds.
    assert decision.effect == pytest.approx(0.2 * 2 / 3)
    wanted = ("condition.far.rate", "condition.far.first")
    assert all(order.keys == wanted for order in made.orders)
    # They were extended first, in the hope of a base reward.
    assert [o for o in made.orders if o.request.stretch == 2]
    confirming = [o for o in made.orders if o.request.phase == "confirm"]
    assert {o.steps for o in confirming} == {HORIZON}
    assert result.adopted == HORIZON


def test_where_nothing_at_all_is_seen_nothing_changes(tmp_path: Path) -> None:
    class Unseen(Made):
        def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
            for result in super().run(orders):
                yield replace(result, observed={})

    made = Unseen(lambda order: 0.0)
    result = play(tmp_path, made, conditions={"far": "place > 0.9"}).result
    assert result.decision.winner is None
    assert result.decision.reason == "no arm saw any base reward, nor far"
    assert result.adopted == 2 * HORIZON


def test_replacements_join_extended_branches_at_their_length(tmp_path: Path) -> None:
    def score(order: BranchOrder) -> float:
        reached = order.request.stretch == 2
        return (0.1 + order.request.arm) * reached

    made = Made(score)
    result = play(tmp_path, made).result
    assert result.decision.winner == 3
    joined = [
        (order.steps, name(order.snapshot))
        for order in made.orders
        if order.request.arm == 3 and order.request.phase == "screen"
    ]
    assert joined[:2] == [(HORIZON, "start"), (HORIZON, "candidate_3-screen-0-1")]
    confirming = [o for o in made.orders if o.request.phase == "confirm"]
    assert {order.steps for order in confirming} == {2 * HORIZON}
    assert result.adopted == 2 * HORIZON


def test_screening_early_extends_the_best_and_control(tmp_path: Path) -> None:
    """At half the horizon arm 1 is clearly worse; the others go on for the rest."""
    made = Made(lambda order: [0.5, 0.1, 0.9, 0.6][order.request.arm])
    result = play(tmp_path, made, gate=Gate(early=True, top=3, max_pairs=2)).result
    screens = [o for o in made.orders if o.request.phase == "screen"]
    halves = [o for o in screens if o.request.stretch == 0.5]
    assert [o.request.arm for o in halves] == [0, 1, 2, 3]
    assert {(o.steps, o.scored_from) for o in halves} == {(HORIZON // 2, HORIZON // 4)}
    longer = [o for o in screens if o.request.stretch == 1]
    assert {o.request.arm for o in longer} == {0, 2, 3}
    # Their scores are those of the last half of the whole.
    assert {(o.steps, o.scored_from) for o in longer} == {(HORIZON // 2, 0)}
    assert {name(o.snapshot) for o in longer} == {
        f"{arm}-screen-0-0.5" for arm in ("control", "candidate_2", "candidate_3")
    }
    assert not [o for o in screens if o.request.index]
    confirming = [o for o in made.orders if o.request.phase == "confirm"]
    assert {o.steps for o in confirming} == {HORIZON}
    assert {o.request.arm for o in confirming} == {0, 2}
    assert result.decision.winner == 2
    assert result.adopted == HORIZON
    seeds = {(o.request.phase, o.request.stretch): o.seed for o in made.orders}
    assert len(set(seeds.values())) == len(seeds)


def test_the_budget_ends_a_round(tmp_path: Path) -> None:
    made = Made(lambda order: 1.0 + order.request.arm)
    result = play(tmp_path, made, budget=5 * HORIZON).result
    left = (5 - len(made.orders)) * HORIZON
    assert result.decision.reason.startswith(
        f"{left:,} steps of the branch budget are left, and what is asked next takes "
    )
    assert len(made.orders) <= 5
    made = Made(lambda order: 0.0)
    result = play(tmp_path / "other", made, longest=HORIZON).result
    assert result.decision.reason == (
        "too little of the planned training is left: a branch may have "
        f"{HORIZON:,} steps, and the next one would have {2 * HORIZON:,}"
    )


def test_what_beat_control_in_every_pair_is_used_when_the_budget_ends(
    tmp_path: Path,
) -> None:
    """Control and one candidate, and a fresh pair: for a third branch there is none."""
    made = Made(lambda order: [0.2, 0.8][order.request.arm])
    options: dict[str, Any] = {"candidates": 1, "refinements": 0, "budget": 4 * HORIZON}
    result = play(tmp_path, made, gate=Race(), **options).result
    decision = result.decision
    assert (decision.kind, decision.winner) == ("provisional", 1)
    assert decision.pairs == 2
    assert decision.effect == pytest.approx(0.6)
    assert decision.z is not None
    assert decision.reason == (
        "0 steps of the branch budget are left, and what is asked next takes "
        f"{HORIZON:,}; it beat control in all of 2 pairs"
    )
    assert name(result.snapshot) == "candidate_1-screen-0-1"


def test_one_pair_is_not_enough_and_is_told_all_the_same(tmp_path: Path) -> None:
    made = Made(lambda order: [0.2, 0.8][order.request.arm])
    options: dict[str, Any] = {"candidates": 1, "refinements": 0, "budget": 2 * HORIZON}
    decision = play(tmp_path, made, gate=Race(), **options).result.decision
    assert (decision.kind, decision.winner) == ("undecided", None)
    assert decision.pairs == 1
    assert decision.effect == pytest.approx(0.6)


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

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        if situation.results:
            self.told.append([result.hypothesis for result in situation.results])
        else:
            self.told.append((situation.rejected, k))
        return super().propose(situation, k)

    def rest(self) -> None:
        self.rested += 1


def test_what_is_rejected_goes_back_once(tmp_path: Path) -> None:
    bad = Term(name="t", kind="progress", expression="plaice", weight=1.0)
    wrong = Proposal(signal=Signal(terms=(bad,)))
    twice = proposal(1.0)
    advisor = Listens([[proposal(1.0), wrong, proposal(3.0), wrong, twice]], [[]])
    made = Made(lambda order: 1.0)
    played = play(tmp_path, made, advisor, candidates=3)
    first, again, _ = advisor.told
    assert first == ((), 3)
    assert [r.proposal.signal for r in again[0]] == [wrong.signal]
    assert "did you mean place" in again[0][0].reason
    assert again[1] == 1
    assert [arm.signal for arm in played.arms[1:]] == [
        proposal(1.0).signal,
        proposal(3.0).signal,
    ]
    checks = events(tmp_path / "run", "check")
    assert [check["passed"] for check in checks] == [True, False, True, False]
    assert "did you mean place" in checks[-1]["remark"]
    assert len(played.result.outcome.rejected) == 2


def test_where_nothing_was_proposed_the_remedy_is_named(tmp_path: Path) -> None:
    result = play(tmp_path, Made(lambda order: 1.0), RecordedAdvisor([[]])).result
    assert result.decision.reason == (
        "no candidate was proposed; for more to propose, declare conditions, more "
        "features, or actions and places, or ask a language model"
    )
    bad = Term(name="t", kind="progress", expression="plaice", weight=1.0)
    rejected = RecordedAdvisor([[Proposal(signal=Signal(terms=(bad,)))]])
    result = play(tmp_path / "other", Made(lambda order: 1.0), rejected).result
    assert result.decision.reason == "none of 1 candidate(s) passed the checks"


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
    assert events(tmp_path / "run", "refinement")[0]["hypotheses"] == told
    assert all(order.keys == ("team.cells",) for order in made.orders)


def test_nothing_is_tried_that_an_earlier_round_has_tried(tmp_path: Path) -> None:
    earlier = RoundOutcome(
        round=1,
        stage="plateau",
        control_score=0.0,
        arms=(ArmOutcome(proposal=proposal(1.0), outcome="no better"),),
        rejected=(Rejection(proposal=proposal(2.0), reason="no"),),
        decision="no change",
        winner=None,
    )
    proposals = [proposal(1.05), proposal(2.0), proposal(5.0)]
    advisor = Listens([[], proposals], [[], []])
    now = corridor_situation(history=(earlier,))
    played = play(tmp_path, Made(lambda o: 1.0), advisor, situation=now, candidates=3)
    assert [arm.signal for arm in played.arms[1:]] == [proposal(5.0).signal]


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


class Names:
    """Screens every arm once and then decides as it was made to."""

    def __init__(self, decision: Decision, keep: bool = True) -> None:
        self._decision = decision
        self._keep = keep

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = [Request(arm, "confirm", 0, keep=self._keep) for arm in range(arms)]
        return self._decision if trials else wanted


def test_the_branch_that_a_decision_names_becomes_the_mainline(tmp_path: Path) -> None:
    """Whatever its phase and index: a rule of the user's knows no hidden places."""
    decision = Decision("confirmed", "so be it", 2, Request(2, "confirm", 0))
    made = Made(lambda order: 1.0)
    result = play(tmp_path, made, gate=Names(decision), refinements=0).result
    assert result.signal == proposal(2.0).signal
    assert name(result.snapshot) == "candidate_2-confirm-0-1"
    assert result.adopted == HORIZON


@pytest.mark.parametrize(
    ("adopt", "keep", "message"),
    [
        (None, True, "candidate_2 as the winner and no branch of it"),
        (Request(1, "confirm", 0), True, "candidate_2 as the winner and no branch of"),
        (Request(2, "confirm", 7), True, "whose end is not there"),
        (Request(2, "confirm", 0), False, "requested with keep=True"),
    ],
)
def test_a_winner_without_a_branch_to_go_on_with_is_refused(
    tmp_path: Path, adopt: Request | None, keep: bool, message: str
) -> None:
    rule = Names(Decision("confirmed", "so be it", 2, adopt), keep)
    with pytest.raises(ConfigurationError, match=message):
        play(tmp_path, Made(lambda order: 1.0), gate=rule, refinements=0)
