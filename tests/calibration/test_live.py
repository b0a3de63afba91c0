"""Rounds on live branches: stretches are extended, and provisional swaps followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.gate import Gate, Provisional, Race
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from tests.calibration.live import Branches, describe, play
from tests.support.rounds import Made, StubTrainer

HORIZON = 1000


class Even(Made):
    """Branches whose parts all score the same."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        for result in super().run(orders):
            yield replace(result, points=(result.score,) * 8)


def branches(executor: Any, folder: Path) -> Branches:
    trainer: Any = cast(SB3Trainer, StubTrainer())
    start = folder / "start"
    task: Any = None
    return Branches(trainer, start, task, HORIZON, 0, executor, folder)


def alike(order: BranchOrder) -> float:
    return 0.5 + 0.001 * order.request.arm


def stands_out(order: BranchOrder) -> float:
    return 0.9 if order.request.arm == 2 else 0.1 + 0.01 * order.request.arm


def fades(order: BranchOrder) -> float:
    """Stands out in screening alone."""
    return stands_out(order) if order.request.phase == "screen" else 0.1


def test_a_longer_stretch_goes_on_from_the_end_of_the_shorter_one(
    tmp_path: Path,
) -> None:
    executor = Even(alike)
    play(branches(executor, tmp_path), Provisional(), arms=4)
    first = {o.request.arm: o for o in executor.orders if o.request.stretch == 0.5}
    longer = [order for order in executor.orders if order.request.stretch == 1]
    assert len(first) == 4
    assert longer
    for order in first.values():
        assert (order.snapshot, order.steps) == (tmp_path / "start", 500)
        assert order.scored_from == 250
    for order in longer:
        assert order.snapshot == first[order.request.arm].end
        assert (order.steps, order.scored_from) == (500, 0)
    assert len({order.seed for order in executor.orders}) == len(executor.orders)
    ends = [order.end for order in executor.orders if order.end]
    assert len(set(ends)) == len(ends)


def test_a_provisional_swap_is_followed_to_its_end(tmp_path: Path) -> None:
    outcomes: list[tuple[Callable[[BranchOrder], float], str]] = [
        (stands_out, "confirmed"),
        (fades, "no_change"),
    ]
    rounds = []
    for score, kind in outcomes:
        made = branches(Even(score), tmp_path)
        played = play(made, Provisional(), arms=4)
        assert played.decision.kind == "provisional"
        assert played.decision.winner == 2
        assert played.last.kind == kind
        assert any(one.request.phase == "confirm" for one in made.results)
        assert played.in_all > played.discarded
        assert played.in_all == made.trained - 1.0
        rounds.append(played)
    said = describe(rounds)
    assert "confirmed a candidate that equals control in 1 of 2 rounds (95 %" in said
    assert "provisionally in 2 of 2 rounds (95 % interval 0.158 to 1.000)" in said


def test_rules_without_a_second_part_end_with_their_decision(tmp_path: Path) -> None:
    for rule in (Race(), Gate()):
        played = play(branches(Even(stands_out), tmp_path), rule, arms=4)
        assert played.decision is played.last
        assert played.last.kind == "confirmed"
        assert played.discarded == played.in_all > 0.0
        assert "provisionally in 0 of 1 rounds" in describe([played])
