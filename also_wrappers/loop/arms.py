"""The arms of a round, the branches they are trained on, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import Arm, BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor
from also_wrappers.gate.gate import CONTROL, Request, Trial
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.model import Fade
from also_wrappers.task import Task
from also_wrappers.trainer import Trainer

__all__ = ["Branches"]

#: The branches that may become the mainline or be extended.
_KEPT = {("screen", 0), ("confirm", 1)}


@dataclass
class Branches:
    """Trains the branches of one round.

    Attributes:
        number: Of the round.
        task: The task.
        trainer: The trainer, at rest.
        executor: Where branches run.
        plan: How much may be tried.
        posting: What is posted now.
        accounting: Where steps are counted.
        record: Writes a condition of the round into the ledger.
        file: Where results are written as well.
        arms: Control and the candidates that passed the checks.
        results: Of all branches so far.
        by_conditions: Whether the gate sees how often declared conditions held, in
            place of base returns.
    """

    number: int
    task: Task
    trainer: Trainer
    executor: Executor
    plan: Plan
    posting: Posting
    accounting: Accounting
    record: Callable[..., dict[str, Any]]
    file: Path
    arms: list[Arm] = field(default_factory=list)
    results: list[BranchResult] = field(default_factory=list)
    by_conditions: bool = False

    def __post_init__(self) -> None:
        self.arms.append(Arm(CONTROL, "control", self.posting.signal))
        self._snapshot = self.file.with_name("start.zip")
        self.trainer.snapshot(self._snapshot)

    def admit(self, proposal: Proposal) -> Arm:
        """Makes a candidate an arm."""
        index = len(self.arms)
        arm = Arm(
            index,
            f"candidate_{index}",
            proposal.signal,
            proposal.intent,
            proposal.hypothesis,
        )
        self.arms.append(arm)
        return arm

    @property
    def trials(self) -> list[Trial]:
        """What the gate gets to see."""
        if self.by_conditions:
            conditions = self._condition_keys()
            return [result.condition_trial(conditions) for result in self.results]
        largest = max((result.largest for result in self.results), default=0.0)
        return [result.trial(largest) for result in self.results]

    @property
    def screened(self) -> bool:
        """Whether every arm had its first branch."""
        seen = {result.request.arm for result in self.results}
        return seen >= {arm.index for arm in self.arms}

    @property
    def reward_was_seen(self) -> bool:
        """Whether any branch has seen a base reward."""
        return any(result.score != 0.0 for result in self.results)

    def unaffordable(self, requests: Sequence[Request]) -> str:
        """Why the requested branches cannot be run; empty if they can."""
        cost = sum(self._steps(request) for request in requests)
        spent = sum(result.steps for result in self.results)
        if spent + cost > self.plan.budget:
            return "the branch budget is spent"
        if max(map(self._length, requests)) > self.plan.longest:
            return "too little of the planned training is left for longer branches"
        return ""

    def run(self, requests: Sequence[Request]) -> None:
        """Trains branches and records each as it ends."""
        orders = [self._order(request) for request in requests]
        for done, result in enumerate(self.executor.run(orders), start=1):
            self.results.append(result)
            self.accounting.branches += result.steps
            self.accounting.evaluation += result.evaluation_steps
            arm = self.arms[result.request.arm]
            line = self.record(
                "branch",
                **result.to_json(),
                name=arm.name,
                signal=arm.signal.id,
                done=done,
                of=len(orders),
            )
            with self.file.open("a") as file:
                file.write(f"{json.dumps(line)}\n")

    def adopted(self, winner: int | None) -> list[BranchResult]:
        """The branches that led to what becomes the mainline, in order.

        It was fixed beforehand: the winner's first confirmation branch, else
        control's screening branch with its extension.
        """
        if winner is not None:
            return self.of(winner, "confirm")[:1]
        control = [result for result in self.of(CONTROL, "screen") if result.ok]
        return [result for result in control if result.request.index == 0]

    def of(self, arm: int, stage: str) -> list[BranchResult]:
        """An arm's branches of a stage, in the order of their requests."""
        found = [
            result
            for result in self.results
            if result.request.arm == arm and result.request.stage == stage
        ]
        return sorted(found, key=lambda r: (r.request.stretch, r.request.index))

    def outcome(self, arm: Arm) -> ArmOutcome:
        """What became of a candidate."""

        def became(outcome: str, score: float | None = None) -> ArmOutcome:
            return ArmOutcome(
                signal=arm.signal,
                intent=arm.intent,
                outcome=outcome,
                score=score,
                hypothesis=self._hypothesis(arm),
            )

        own = self.of(arm.index, "screen") + self.of(arm.index, "confirm")
        if not own:
            return became("was not tried")
        failed = next((result.error for result in own if not result.ok), None)
        if failed:
            return became(f"failed: {failed}")
        control = [result for result in self.of(CONTROL, "screen") if result.ok]
        score = sum(result.score for result in own) / len(own)
        level = sum(result.score for result in control) / max(len(control), 1)
        return became(
            f"base return {score:.3f} over {len(own)} branch(es), control {level:.3f}",
            score,
        )

    def _hypothesis(self, arm: Arm) -> str:
        """What became of a hypothesis, on the branches that share their seeds."""
        expected = arm.hypothesis
        if expected is None:
            return ""
        pairs = [
            (mine.observed[expected.key], theirs.observed[expected.key])
            for mine in self.results
            for theirs in self.results
            if mine.request == replace(theirs.request, arm=arm.index)
            and theirs.request.arm == CONTROL
            and expected.key in mine.observed
            and expected.key in theirs.observed
        ]
        wanted = f"{expected.key} should go {expected.moves}"
        if not pairs:
            return f"{wanted}: not measured"
        mine, theirs = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        held = mine > theirs if expected.moves == "up" else mine < theirs
        return (
            f"{wanted}: it {'did' if held else 'did not'}, {mine:.3g} against "
            f"control's {theirs:.3g}"
        )

    def _length(self, request: Request) -> int:
        """Trainer steps of a branch, what it extends included."""
        grain = self.trainer.rollout
        return max(round(request.stretch * self.plan.horizon / grain), 1) * grain

    def _steps(self, request: Request) -> int:
        """An extension of a screening branch trains only what is new in it."""
        new = self._length(request) - self._trained(request)
        return max(new, self.trainer.rollout)

    def _trained(self, request: Request) -> int:
        extended = self._extended(request)
        return 0 if extended is None else self._length(extended.request)

    def _extended(self, request: Request) -> BranchResult | None:
        """The branch that a longer screening branch goes on with, if there is one."""
        if request.stage != "screen" or request.index != 0:
            return None
        shorter = [
            result
            for result in self.of(request.arm, "screen")
            if result.request.index == 0 and result.request.stretch < request.stretch
        ]
        return shorter[-1] if shorter else None

    def _order(self, request: Request) -> BranchOrder:
        arm = self.arms[request.arm]
        extended = self._extended(request)
        trained = self._trained(request)
        stage = 0 if request.stage == "screen" else 5000
        seed = self.plan.seed * 1_000_003 + self.number * 10_007 + stage
        seed += request.index + int(100 * request.stretch)
        return BranchOrder(
            request,
            self.trainer.fork(),
            self.task,
            self._posting(arm, trained),
            (extended and extended.snapshot) or self._snapshot,
            seed % 2**31,
            self._steps(request),
            self._keys(),
            new_signal=not extended and arm.signal != self.posting.signal,
            scored_from=max(self._length(request) // 2 - trained, 0),
            end=self._end(request),
        )

    def _end(self, request: Request) -> Path | None:
        """Where a branch's end goes; ``None`` where it is not wanted."""
        if (request.stage, request.index) not in _KEPT:
            return None
        name = f"{request.arm}-{request.stage}-{request.index}-{request.stretch}.zip"
        return self.file.with_name(name)

    def _posting(self, arm: Arm, trained: int) -> Posting:
        """What a branch's environments read; they are fresh, so that a signal that
        fades goes on from the strength that it has by now."""
        strength = self.posting.strength if arm.index == CONTROL else 1.0
        fade = None
        if arm.signal.fade is not None:
            lasts = arm.signal.fade * self.plan.total
            strength = max(strength - trained / lasts, 0.0)
            left = strength * lasts / self.plan.copy_steps
            fade = Fade(begin=0, end=max(round(left), 1))
        update = {"signal": arm.signal, "version": 1}
        return self.posting.model_copy(
            update={**update, "strength": strength, "fade": fade}
        )

    def _keys(self) -> tuple[str, ...]:
        expected = [arm.hypothesis for arm in self.arms if arm.hypothesis is not None]
        keys = [expectation.key for expectation in expected]
        return tuple(dict.fromkeys([*keys, *self._condition_keys()]))

    def _condition_keys(self) -> list[str]:
        return [f"condition.{name}.rate" for name in self.task.conditions]
