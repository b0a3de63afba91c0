"""Runs whose first round swaps in a provisional signal, on a walker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.files import write_json
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainer import AuditionOutcome, Imitated
from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.rounds import Made
from tests.support.trainers import ACTIONS
from tests.support.walker import ROLLOUT, Walker, Work, train_to_the_end

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
    pull more.

    Attributes:
        policy: Base return that it earns without an expert.
        agreements: What it says of its agreement with the expert, call by call; the
            last number stays.
    """

    imitates = True
    policy = 0.1
    agreements: tuple[float, ...] = (0.0,)

    def imitated(self) -> Imitated | None:
        now, *later = self.agreements
        self.agreements = tuple(later) or (now,)
        return Imitated(1.0, (100,), (100.0 * now,))

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
    walker.agreements = options.pop("agreements", walker.agreements)
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
    train_to_the_end(walker, adaptation)
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
