"""Trains and records the branches of a round, from their requests to the ledger."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor
from also_wrappers.files import append
from also_wrappers.gate.cost import check_extends
from also_wrappers.gate.rule import CONTROL, Request
from also_wrappers.ledger.events import BranchEnded
from also_wrappers.loop.measured import Arm, Measured
from also_wrappers.loop.plan import Plan
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Fade
from also_wrappers.trainer import Trainer

__all__ = ["Arms"]


class Arms(Measured):
    """Trains the branches of one round, and records what the branches measured.

    Args:
        number: Number of the round.
        run: The run.
        trainer: The trainer, at rest.
        executor: Where branches run.
        plan: How much the round may try.
        posting: What is posted now.
        start: File of the snapshot that branches begin from.
        arms: Control and the candidates; more may join.
        ended: Branches of the round that an earlier process has trained and recorded.
    """

    def __init__(
        self,
        number: int,
        run: Run,
        trainer: Trainer,
        executor: Executor,
        plan: Plan,
        posting: Posting,
        start: Path,
        arms: list[Arm],
        ended: Iterable[BranchEnded] = (),
    ) -> None:
        super().__init__(run.task, arms)
        self._number = number
        self._run = run
        self._trainer = trainer
        self._executor = executor
        self._plan = plan
        self._posting = posting
        self._start = start
        self._asked: list[Request] = []
        self._ended = {_request(event): event for event in ended}

    def unaffordable(self, requests: Sequence[Request]) -> str:
        """Returns why requested branches cannot be run; empty if they can."""
        cost = sum(self._steps(request) for request in requests)
        spent = sum(result.steps for result in self.results)
        if spent + cost > self._plan.budget:
            left = max(self._plan.budget - spent, 0)
            return (
                f"{left:,} steps of the branch budget are left, and what is asked next "
                f"takes {cost:,}"
            )
        length = max(map(self._length, requests))
        if length > self._plan.longest:
            return (
                "too little of the planned training is left: a branch may have "
                f"{self._plan.longest:,} steps, and the next one would have {length:,}"
            )
        return ""

    def run(self, requests: Sequence[Request]) -> None:
        """Trains the requested branches, and records each branch as it ends.

        Branches that an earlier process has ended are not trained again.

        Raises:
            ConfigurationError: A branch extends one whose end was not to be kept.
        """
        orders = []
        for request in requests:
            order, event = self.order(request), self._ended.get(request)
            # A branch that failed has no end, and would fail again.
            has_end = order.end is None or order.end.exists()
            if event is not None and (has_end or event.error):
                self.results.append(self._result(event))
            else:
                orders.append(order)
        flying = {order.request: order.steps for order in orders}
        self._run.note_in_flight(sum(flying.values()))
        try:
            for done, result in enumerate(self._executor.run(orders), start=1):
                self.record(result, flying.pop(result.request), done, len(orders))
        except Exception:  # nobody knows how far the branches were
            self._lose(sum(flying.values()))
            raise

    def record(
        self, result: BranchResult, ordered: int, done: int = 1, of: int = 1
    ) -> None:
        """Counts the steps of an ended branch, and writes its result to the ledger.

        Args:
            result: What the branch measured.
            ordered: Trainer steps that were ordered.
            done: How many of the branches that were requested together have ended.
            of: How many branches were requested together.
        """
        self.results.append(result)
        accounting = self._run.accounting
        accounting.branches += result.steps
        accounting.evaluation += result.evaluation_steps
        if result.ok or result.steps:
            self._run.note_in_flight(-ordered)
        else:
            self._lose(ordered)
        request, arm = result.request, self.arms[result.request.arm]
        event = BranchEnded(
            round=self._number,
            name=arm.name,
            signal=arm.signal.id,
            arm=arm.index,
            phase=request.phase,
            index=request.index,
            stretch=request.stretch,
            seed=result.seed,
            trained=self.trained[request],
            steps=result.steps,
            evaluation_steps=result.evaluation_steps,
            score=result.score,
            standard_error=math.sqrt(result.variance),
            largest=result.largest,
            points=result.points,
            errors=result.errors,
            episodes=result.episodes,
            shaped=result.shaped,
            observed=result.observed,
            seconds=round(result.seconds, 2),
            error=result.error,
            done=done,
            of=of,
        )
        line = self._run.ledger.write(event).model_dump(mode="json")
        file = self._run.round_dir(self._number) / "branches.jsonl"
        with file.open("a") as lines:
            append(lines, f"{json.dumps(line)}\n")

    def _lose(self, steps: int) -> None:
        """Counts all ordered trainer steps of failed branches as spent."""
        self._run.accounting.unknown += steps
        self._run.note_in_flight(-steps)

    def restore(self, ended: Iterable[BranchEnded]) -> None:
        """Restores the round's branches from their events in the ledger.

        Args:
            ended: The events of the branches, in order.
        """
        for event in ended:
            request = _request(event)
            self._asked.append(request)
            self.trained[request] = event.trained
            self.results.append(self._result(event))

    def _result(self, event: BranchEnded) -> BranchResult:
        """Returns the result of a branch, read from its event in the ledger."""
        request = _request(event)
        snapshot = self._end(request)
        return BranchResult(
            request,
            event.seed,
            event.steps,
            score=event.score,
            variance=event.standard_error**2,
            largest=event.largest,
            episodes=event.episodes,
            shaped=event.shaped,
            seconds=event.seconds,
            error=event.error,
            points=event.points,
            errors=event.errors,
            snapshot=snapshot if snapshot.exists() else None,
            observed=event.observed,
            evaluation_steps=event.evaluation_steps,
        )

    def _length(self, request: Request) -> int:
        """Returns the trainer steps of a whole branch, extended part included."""
        grain = self._trainer.rollout
        return max(round(request.stretch * self._plan.horizon / grain), 1) * grain

    def _steps(self, request: Request) -> int:
        """Returns the trainer steps that a branch adds to the one it extends."""
        shorter = self._shorter(request)
        before = 0 if shorter is None else self._length(shorter.request)
        return max(self._length(request) - before, self._trainer.rollout)

    def _shorter(self, request: Request) -> BranchResult | None:
        """Returns the result that a longer request extends, if its end was kept."""
        shorter = [
            result
            for result in self.results
            if replace(result.request, stretch=request.stretch) == request
            and result.request.stretch < request.stretch
            and result.snapshot
        ]
        return max(shorter, key=lambda r: r.request.stretch, default=None)

    def order(self, request: Request) -> BranchOrder:
        """Returns the order that trains one requested branch.

        Raises:
            ConfigurationError: The branch extends one whose end was not to be kept.
        """
        check_extends(request, self._asked)
        self._asked.append(request)
        arm = self.arms[request.arm]
        shorter = self._shorter(request)
        trained = 0 if shorter is None else self._length(shorter.request)
        self.trained[request] = trained
        phase = 0 if request.phase == "screen" else 5000
        seed = self._plan.seed * 1_000_003 + self._number * 10_007 + phase
        seed += request.index + int(100 * request.stretch)
        return BranchOrder(
            request,
            self._trainer.fork(),
            self._run.task,
            self._posted(arm, trained),
            self._start if shorter is None else _kept(shorter),
            seed % 2**31,
            self._steps(request),
            self._keys(),
            new_signal=shorter is None and arm.signal != self._posting.signal,
            scored_from=max(self._length(request) // 2 - trained, 0),
            end=self._end(request) if request.keep else None,
        )

    def _end(self, request: Request) -> Path:
        """Returns the file to which the end of a branch is written."""
        folder = self._run.round_dir(self._number) / "snapshots"
        folder.mkdir(exist_ok=True)
        name = self.arms[request.arm].name
        return (
            folder / f"{name}-{request.phase}-{request.index}-{request.stretch:g}.zip"
        )

    def _posted(self, arm: Arm, trained: int) -> Posting:
        """Builds the posting that the environments of a branch read.

        A signal that fades by itself goes on from the strength that it has by now,
        although the environments are fresh.
        """
        strength = self._posting.strength if arm.index == CONTROL else 1.0
        fade = None
        if arm.signal.fade is not None:
            lasts = arm.signal.fade * self._plan.total
            strength = max(strength - trained / lasts, 0.0)
            left = strength * lasts / self._plan.copy_steps
            fade = Fade(begin=0, end=max(round(left), 1))
        update = {"signal": arm.signal, "version": 1, "promised": arm.promised}
        return self._posting.model_copy(
            update={**update, "strength": strength, "fade": fade}
        )

    def _keys(self) -> tuple[str, ...]:
        """Returns the keys of the evidence that every branch is to report."""
        hypotheses = [arm.proposal.hypothesis for arm in self.arms]
        keys = [expected.key for expected in hypotheses if expected is not None]
        for name in self._task.conditions:
            keys += [f"condition.{name}.rate", f"condition.{name}.first"]
        return tuple(dict.fromkeys(keys))


def _request(event: BranchEnded) -> Request:
    return Request(event.arm, event.phase, event.index, event.stretch)


def _kept(result: BranchResult) -> Path:
    assert result.snapshot is not None
    return result.snapshot
