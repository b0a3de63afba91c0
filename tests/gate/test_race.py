"""``Race`` and ``Provisional``: they do what their formulas say, branch by branch."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import (
    CONTROL,
    Decision,
    Provisional,
    Race,
    Request,
    Rule,
    Trial,
)
from also_wrappers.gate.provisional import Beside
from tests.support.reference_race import Branch, Line, Train, reference

CRITICAL = {1: 2.50, 2: 2.90}


def follow(
    rule: Rule,
    arms: int,
    train: Train,
    number: int,
    shuffle: random.Random,
    largest: float = 0.0,
) -> list[Line]:
    """All branches and decisions of a round, in order; trials come in any order."""
    log: list[Line] = []
    trials: list[Trial] = []
    deciding: Rule | None = rule
    while deciding is not None:
        step = deciding.next(arms, trials, number)
        if isinstance(step, Decision):
            adopt = step.adopt
            log.append(
                (
                    "decision",
                    step.kind,
                    step.winner,
                    adopt and (adopt.arm, adopt.phase, adopt.index, adopt.stretch),
                    step.effect,
                    step.z,
                    step.pairs,
                )
            )
            deciding = step.then
            continue
        assert step, "a rule asks for something or decides"
        for request in step:
            asked = (request.arm, request.phase, request.index, request.stretch)
            log.append(("branch", *asked, request.keep))
            assert request not in {trial.request for trial in trials}
            branch = train(*asked)
            trials.append(
                Trial(
                    request,
                    branch.score,
                    branch.variance,
                    branch.ok,
                    branch.points,
                    largest,
                )
            )
        shuffle.shuffle(trials)
    return log


def world(seed: int) -> tuple[int, Train]:
    """A round: arms that are better, worse or equal; noisy, tied, failing or dark."""
    chance = random.Random(seed)
    arms = chance.randint(2, 7)
    shifts = [
        chance.choice([0.0, 0.0, 0.0, 1.0, 2.0, 4.0, -1.0, -4.0]) for _ in range(arms)
    ]
    level = chance.choice([0.0, 3.0, 30.0, -3.0])
    rounded = chance.random() < 0.2
    failing = chance.choice([0.0, 0.0, 0.0, 0.03, 0.2])
    dark_until = chance.choice([0.0] * 7 + [1.0, 2.0, 4.0, 8.0])
    told = chance.choice([0.1, 0.3, 0.5, 0.0])

    def train(arm: int, phase: str, index: int, stretch: float) -> Branch:
        own = random.Random(f"{seed} {arm} {phase} {index} {stretch:g}")
        if own.random() < failing:
            return Branch(0.0, 0.0, (), ok=False)
        if phase == "screen" and stretch < dark_until:
            return Branch(0.0, 0.0, (0.0,) * 8)
        score = level + shifts[arm] + own.gauss(0.0, 1.0)
        score = round(score) if rounded else score
        points = tuple(score * own.random() for _ in range(8))
        return Branch(score, told * own.random(), points)

    return arms, train


def alike(one: Line, other: Line) -> bool:
    """Whether two lines of a log say the same, numbers to 1e-9."""
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
        if isinstance(a, float) and isinstance(b, float)
        else a == b
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("provisional", [False, True])
def test_agrees_with_the_formulas_branch_by_branch(provisional: bool) -> None:
    ends: Counter[tuple[object, ...]] = Counter()
    for seed in range(4000):
        arms, train = world(seed)
        number = 1 + seed % 2
        critical = 2.75 if provisional else CRITICAL[number]
        rule = Provisional() if provisional else Race()
        largest = (0.0, 5.0, 40.0)[seed % 3]
        log = follow(rule, arms, train, number, random.Random(seed), largest)
        expected = reference(train, arms, critical, largest, provisional=provisional)
        assert all(map(alike, log, expected)), seed
        assert len(log) == len(expected), seed
        for line in log:
            if line[0] == "decision":
                ends[line[1], line[3] is None] += 1
    # The worlds visit every end there is.
    kinds = {"confirmed", "no_change", "no_reward", "undecided"}
    assert {kind for kind, _ in ends} == kinds | (
        {"provisional"} if provisional else set()
    )
    assert min(ends.values()) >= 5, ends


def null(seed: int, told: float) -> Train:
    """Arms that are all alike: branches differ by 1, of which episodes tell a part."""

    def train(arm: int, phase: str, index: int, stretch: float) -> Branch:
        own = random.Random(f"{seed} {arm} {phase} {index} {stretch:g}")
        score = own.gauss(10.0, 1.0)
        return Branch(score, told, (score,) * 8)

    return train


def share_of_false_runs(rule: Rule, runs: int, told: float) -> float:
    """Share of runs of five rounds that confirm anything, of three equal candidates."""
    wrong = 0
    for run in range(runs):
        wrong += any(
            line[1] == "confirmed"
            for number in range(1, 6)
            for line in follow(
                rule, 4, null(5 * run + number, told), number, random.Random(0)
            )
        )
    return wrong / runs


@pytest.mark.parametrize("rule", [Race(), Provisional()])
@pytest.mark.parametrize("told", [0.5, 0.25])
def test_equal_candidates_are_rarely_confirmed(rule: Rule, told: float) -> None:
    """A variance that is predicted well, and one that is predicted half as large."""
    runs = 250
    limit = 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / runs)
    share = share_of_false_runs(rule, runs, told)
    print(f"{share:.3f} of {runs} runs")
    assert share <= limit


def trial(
    arm: int, score: float, *, phase: str = "screen", index: int = 0, stretch: float = 1
) -> Trial:
    """A branch whose score did not rise."""
    request = Request(arm, "screen" if phase == "screen" else "confirm", index, stretch)
    return Trial(request, score, 0.005, points=(score,) * 8)


def screened(*scores: float) -> list[Trial]:
    """All arms at half the horizon, and at the whole of it."""
    return [
        trial(arm, score, stretch=stretch)
        for stretch in (0.5, 1)
        for arm, score in enumerate(scores)
    ]


def test_the_first_round_of_a_run_needs_less_than_later_ones() -> None:
    trials = screened(1.0, 1.6)
    trials += [trial(1, 1.6, phase="confirm", index=i) for i in (1, 2)]
    trials += [trial(0, 1.2, phase="confirm", index=1)]
    first, later = Race().next(2, trials, 1), Race().next(2, trials, 2)
    assert isinstance(first, Decision)
    assert first.kind == "confirmed"
    assert first.z is not None
    assert 2.5 <= first.z < 2.9
    assert first.adopt == Request(1, "confirm", 1)
    assert later == [Request(0, "confirm", 2)]


def test_what_stands_out_is_used_at_once_and_confirmed_beside() -> None:
    trials = screened(1.0, 1.0, 1.6)
    decision = Provisional().next(3, trials)
    assert isinstance(decision, Decision)
    assert (decision.kind, decision.winner) == ("provisional", 2)
    assert decision.adopt == Request(2, "screen", 0)
    assert isinstance(decision.then, Beside)
    step = decision.then.next(3, trials)
    assert step == [Request(2, "confirm", 1)]
    assert not step[0].keep
    trials += [trial(2, 1.6, phase="confirm", index=i) for i in (1, 2)]
    trials += [trial(0, 1.0, phase="confirm", index=1)]
    confirmed = decision.then.next(3, trials)
    assert isinstance(confirmed, Decision)
    assert (confirmed.kind, confirmed.winner) == ("confirmed", 2)
    assert confirmed.adopt is None  # it is in use already
    # What is below the bar is not used, though it lies above control.
    low = Provisional().next(2, screened(1.0, 1.1))
    assert isinstance(low, Decision)
    assert (low.kind, low.adopt) == ("no_change", Request(0, "screen", 0))


def test_only_clear_harm_takes_the_weights_back() -> None:
    trials = screened(1.0, 1.6)
    decision = Provisional().next(2, trials)
    assert isinstance(decision, Decision)
    assert decision.then is not None
    for fresh, adopt in ((0.97, None), (0.4, Request(CONTROL, "screen", 0))):
        branch = trial(1, fresh, phase="confirm", index=1)
        last = decision.then.next(2, [*trials, branch])
        assert isinstance(last, Decision)
        assert (last.kind, last.winner, last.adopt) == ("no_change", None, adopt)


def test_refinements_join_at_half_the_horizon_whatever_was_extended() -> None:
    halves = [trial(arm, 1.0, stretch=0.5) for arm in range(3)]
    assert Race().next(4, halves) == [Request(3, "screen", 0, 0.5)]
    # Where nothing was seen at first, others have been extended when one joins.
    dark = screened(0.0, 0.0, 0.0) + [trial(arm, 0.0, stretch=2) for arm in range(2)]
    assert Race().next(4, dark) == [Request(3, "screen", 0, 0.5)]
    dark.append(trial(3, 1.0, stretch=0.5))
    assert Race().next(4, dark) == [Request(3, "screen", 0, 1)]
    dark.append(trial(3, 1.0, stretch=1))
    assert Race().next(4, dark) == [Request(3, "screen", 0, 2)]
    dark.append(trial(3, 1.0, stretch=2))
    assert Race().next(4, dark) == [Request(3, "confirm", 1, 2)]


def test_where_base_return_is_rare_the_better_half_goes_on() -> None:
    """A chance return of a tenth says nothing about what was trained on."""

    def rarely(*scores: float, stretch: float) -> list[Trial]:
        made = [trial(arm, s, stretch=stretch) for arm, s in enumerate(scores)]
        return [replace(one, variance=0.001, largest=1.0) for one in made]

    for rule in (Race(), Provisional()):
        short = rarely(0.10, 0.09, 0.11, stretch=0.5)
        short += rarely(0.10, 0.09, 0.11, stretch=1)
        assert rule.next(3, short) == [Request(arm, "screen", 0, 2) for arm in (0, 2)]
        twice = [
            one for one in rarely(0.1, 0.0, 0.11, stretch=2) if one.request.arm != 1
        ]
        assert rule.next(3, short + twice) == [
            Request(arm, "screen", 0, 4) for arm in (0, 2)
        ]
        # A candidate that stands out ends it, and so does base return that is common.
        for scores in ((0.1, 0.0, 0.19), (0.21, 0.0, 0.21)):
            told = [one for one in rarely(*scores, stretch=2) if one.request.arm != 1]
            step = rule.next(3, short + told)
            asked = [] if isinstance(step, Decision) else step
            assert not any(request.stretch > 2 for request in asked)


def test_a_larger_return_that_was_seen_since_revives_nobody() -> None:
    """It raises the floor of all variances, those of earlier branches included."""
    trials = screened(1.0, 1.6, 0.6)
    trials = [t for t in trials if t.request != Request(2, "screen", 0, 1)]
    trials.append(trial(1, 1.6, phase="confirm", index=1))
    assert Race().next(3, trials) == [Request(0, "confirm", 1)]
    raised = [replace(t, variance=0.08) for t in trials]
    assert Race().next(3, raised) == [Request(0, "confirm", 1)]


def test_a_failed_fresh_branch_is_replaced_once() -> None:
    trials = screened(1.0, 1.6)
    broken = replace(trial(1, 0.0, phase="confirm", index=1), ok=False, points=())
    step = Race().next(2, [*trials, broken])
    assert step == [Request(1, "confirm", 2)]
    assert step[0].keep  # the first that is whole may be adopted
    for arm, index in ((1, 2), (0, 1)):
        second = replace(broken, request=Request(arm, "confirm", index))
        decision = Race().next(2, [*trials, broken, second])
        assert isinstance(decision, Decision)
        assert decision.kind == "no_change"
        assert decision.reason == "a second fresh branch failed"


def test_ends_are_kept_where_they_may_be_wanted() -> None:
    dark = screened(0.0, 0.0) + [trial(arm, 0.0, stretch=2) for arm in range(2)]
    for rule, keeps in ((Race(), [True, False]), (Provisional(), [True, True])):
        step = rule.next(2, dark)
        assert isinstance(step, list)
        assert [request.stretch for request in step] == [4, 4]
        assert [request.keep for request in step] == keeps
        halves = rule.next(2, [])
        assert isinstance(halves, list)
        assert all(request.keep for request in halves)


def test_a_gain_too_small_to_matter_is_not_confirmed() -> None:
    level = 100.0
    trials = screened(level, level + 2.0)
    for index in range(1, 9):
        trials += [
            trial(arm, level + 2.0 * arm, phase="confirm", index=index)
            for arm in (0, 1)
        ]
    decision = Race().next(2, trials)
    assert isinstance(decision, Decision)
    assert decision.z is not None
    assert decision.z > 2.5
    assert decision.reason == "not confirmed within 16 fresh branches"


@pytest.mark.parametrize("points", [(), (0.1,) * 6])
def test_other_points_than_eight_are_refused(points: tuple[float, ...]) -> None:
    trials = [replace(t, points=points) for t in screened(1.0, 1.6)]
    with pytest.raises(ConfigurationError, match=f"{len(points)} points; Race needs"):
        Race().next(2, trials)
    # A branch that failed has none.
    failed = replace(trials[1], ok=False, points=())
    decision = Race().next(2, [trial(0, 1.0, stretch=0.5), failed])
    assert isinstance(decision, Decision)
    assert decision.reason == "every candidate failed or is clearly worse"


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"most": 2}, "most=2 fresh branches can confirm nothing"),
        ({"keep": 0}, "keep must be greater than 0"),
        ({"missed": 1.0}, "missed is a share"),
    ],
)
def test_numbers_that_cannot_work_are_refused(
    numbers: dict[str, float], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Race(**numbers)  # type: ignore[arg-type]
