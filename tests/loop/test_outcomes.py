"""What is said of candidates whose branches have ended."""

from __future__ import annotations

from typing import Any

from also_wrappers.branches.branch import BranchResult
from also_wrappers.gate.rule import Request
from also_wrappers.loop.measured import Arm, Measured
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features

TERM = Term(name="t", kind="progress", expression="place", weight=1.0)


def measured(*results: BranchResult, promised: float | None = None) -> Measured:
    task = Task("x", corridor_features(), conditions={"near": "place > 0.5"})
    proposal = Proposal(signal=Signal(terms=(TERM,)))
    made = Measured(task, [Arm(0, Proposal(signal=Signal())), Arm(1, proposal)])
    made.arms += [Arm(2, proposal, promised)]
    made.results += results
    made.trained = {r.request: 100 * (r.request.stretch > 1) for r in results}
    return made


def branch(arm: int, phase: Any, score: float, stretch: float = 1) -> BranchResult:
    return BranchResult(
        Request(arm, phase, 0, stretch),
        seed=0,
        steps=100,
        score=score,
        variance=0.0004,
        points=(0.0, score),
        observed={"condition.near.rate": score / 2},
    )


def test_screening_extension_and_confirmation_are_told_apart() -> None:
    made = measured(
        branch(0, "screen", 0.0),
        branch(1, "screen", 0.2),
        branch(0, "screen", 0.1, stretch=2),
        branch(1, "screen", 0.8, stretch=2),
        branch(0, "confirm", 0.1),
        branch(1, "confirm", 0.3),
    )
    outcome = made.outcomes()[0]
    assert outcome.outcome.split("; ") == [
        "screen of 100 steps: base return 0.200 (error 0.02) over 1 branch(es), "
        "curve 0 0.2",
        "control 0.000 (error 0.02), curve 0 0",
        "condition.near.rate 0.1, control 0",
        "screen of 200 steps: base return 0.800 (error 0.02) over 1 branch(es), "
        "curve 0 0.8",
        "control 0.100 (error 0.02), curve 0 0.1",
        "condition.near.rate 0.4, control 0.05",
        "confirm of 100 steps: base return 0.300 (error 0.02) over 1 branch(es), "
        "curve 0 0.3",
        "control 0.100 (error 0.02), curve 0 0.1",
        "condition.near.rate 0.15, control 0.05",
    ]
    assert outcome.score == 0.3
    assert outcome.tried


def test_what_no_branch_was_trained_with_was_not_tried() -> None:
    made = measured(branch(0, "screen", 0.0), branch(1, "screen", 0.2), promised=0.7)
    outcome = made.outcomes()[1]
    assert not outcome.tried
    assert outcome.score is None
    assert outcome.outcome == (
        "no branch was trained; its expert earns 0.700 by itself"
    )


def test_what_an_expert_earns_by_itself_is_said_beside_its_branches() -> None:
    made = measured(branch(2, "screen", 0.2), promised=0.7)
    outcome = made.outcomes()[1].outcome
    assert outcome.endswith("rate 0.1; its expert earns 0.700 by itself")
