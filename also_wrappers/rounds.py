"""One round of the loop: diagnose, propose, check, branch, refine, decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from also_wrappers.advisors.base import (
    Advisor,
    ArmOutcome,
    Diagnosis,
    Proposal,
    RoundOutcome,
    Situation,
)
from also_wrappers.board import Posting
from also_wrappers.exceptions import AdvisorError
from also_wrappers.files import write_json
from also_wrappers.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.slots import EpisodeRows
from also_wrappers.trainers.base import Trainer
from also_wrappers.validation.branch import Arm, BranchOrder, BranchResult
from also_wrappers.validation.check import check
from also_wrappers.validation.executors import Executor
from also_wrappers.validation.gate import CONTROL, Decision, Gate, Request

__all__ = ["Plan", "Round", "RoundResult"]


@dataclass(frozen=True)
class Plan:
    """How much a round may try.

    Attributes:
        candidates: Candidates of the first proposal.
        refinements: Replacements after the first results.
        horizon: Trainer steps of a branch.
        budget: Trainer steps that branches may still spend.
        longest: Trainer steps by which the lineage may still grow.
        seed: Of the run.
    """

    candidates: int
    refinements: int
    horizon: int
    budget: int
    longest: int
    seed: int


@dataclass(frozen=True)
class RoundResult:
    """What a round came to.

    Attributes:
        decision: The gate's decision.
        arms: Control and all candidates.
        snapshot: What becomes the mainline; empty if nothing does.
        adopted: Trainer steps of the branches that led to ``snapshot``.
        probes: Expressions to record from now on.
        outcome: The same in short, for the history.
    """

    decision: Decision
    arms: tuple[Arm, ...]
    snapshot: bytes
    adopted: int
    probes: dict[str, str]
    outcome: RoundOutcome


@dataclass
class Round:
    """Runs one round against a resting trainer. It changes neither run nor trainer,
    but for the ledger, the round's directory and the count of steps.

    Attributes:
        number: Counted from 1.
        run: The run.
        trainer: The trainer, at rest.
        advisor: Who proposes.
        gate: What decides.
        executor: Where branches run.
        plan: How much may be tried.
        situation: What the advisor is told.
        episodes: Recorded feature rows, for checks.
        posting: What is posted now.
    """

    number: int
    run: Run
    trainer: Trainer
    advisor: Advisor
    gate: Gate
    executor: Executor
    plan: Plan
    situation: Situation
    episodes: Sequence[EpisodeRows]
    posting: Posting
    _arms: list[Arm] = field(default_factory=list)
    _results: list[BranchResult] = field(default_factory=list)
    _rejected: list[Signal] = field(default_factory=list)

    def play(self) -> RoundResult:
        """Plays the round to its decision. Whatever fails in the advisor or in a
        branch is recorded and costs that step."""
        self._arms = [Arm(CONTROL, "control", self.situation.signal)]
        snapshot = self.trainer.snapshot()
        diagnosis = self._ask("diagnosis", self._diagnose)
        if diagnosis is None or diagnosis.insufficient:
            reason = "no diagnosis" if diagnosis is None else "insufficient evidence"
            return self._finish(Decision(None, reason), {})
        proposals = self._ask(
            "proposal",
            lambda: self.advisor.propose(
                self.situation, diagnosis, self.plan.candidates
            ),
        )
        self._admit(proposals or [], refined=False)
        if len(self._arms) == 1:
            return self._finish(Decision(None, "no candidate passed the checks"), {})
        decision = self._decide(snapshot, diagnosis)
        return self._finish(decision, dict(diagnosis.probes))

    def _diagnose(self) -> Diagnosis:
        diagnosis = self.advisor.diagnose(self.situation)
        self._write("diagnosis", diagnosis=diagnosis.model_dump(mode="json"))
        return diagnosis

    def _decide(self, snapshot: bytes, diagnosis: Diagnosis) -> Decision:
        refined = self.plan.refinements == 0
        while True:
            largest = max((result.largest for result in self._results), default=0.0)
            trials = [result.trial(largest) for result in self._results]
            step = self.gate.next(len(self._arms), trials)
            if not refined and self._screened() and self._reward_was_seen():
                refined = True
                self._refine(diagnosis)
                continue
            if isinstance(step, Decision):
                return step
            refusal = self._unaffordable(step)
            if refusal:
                return Decision(None, refusal)
            self._branch(step, snapshot)

    def _screened(self) -> bool:
        """Whether every arm had its first branch."""
        seen = {result.request.arm for result in self._results}
        return seen >= {arm.index for arm in self._arms}

    def _reward_was_seen(self) -> bool:
        return any(result.score != 0.0 for result in self._results)

    def _unaffordable(self, requests: Sequence[Request]) -> str:
        """Why the requested branches cannot be run; empty if they can."""
        cost = sum(self._steps(request) for request in requests)
        spent = sum(result.steps for result in self._results)
        if spent + cost > self.plan.budget:
            return "the branch budget is spent"
        grows = max(request.stretch for request in requests) * self.plan.horizon
        if grows > self.plan.longest:
            return "too little of the planned training is left for longer branches"
        return ""

    def _steps(self, request: Request) -> int:
        """An extension of a screening branch trains only what is new in it."""
        extends = self._extended(request) is not None
        return self.plan.horizon * (1 if extends else request.stretch)

    def _extended(self, request: Request) -> BranchResult | None:
        """The branch that a longer screening branch goes on with, if there is one.

        A replacement that was proposed later has none and is trained in full.
        """
        shorter = replace(request, stretch=request.stretch - 1)
        if request.stage != "screen" or request.index != 0:
            return None
        return next((r for r in self._results if r.request == shorter), None)

    def _branch(self, requests: Sequence[Request], snapshot: bytes) -> None:
        orders = [self._order(request, snapshot) for request in requests]
        for done, result in enumerate(self.executor.run(orders), start=1):
            self._results.append(result)
            self.run.accounting.branches += result.steps
            arm = self._arms[result.request.arm]
            line = self._write(
                "branch",
                **result.to_json(),
                name=arm.name,
                signal=arm.signal.id,
                done=done,
                of=len(orders),
            )
            with (self._dir() / "branches.jsonl").open("a") as file:
                file.write(f"{json.dumps(line)}\n")

    def _order(self, request: Request, snapshot: bytes) -> BranchOrder:
        arm = self._arms[request.arm]
        extended = self._extended(request)
        if extended is not None:
            snapshot = extended.snapshot
        stage = 0 if request.stage == "screen" else 5000
        seed = self.plan.seed * 1_000_003 + self.number * 10_007 + stage
        seed += request.index + 100 * request.stretch
        return BranchOrder(
            request,
            self.trainer.fork(),
            self.run.task,
            self.posting.model_copy(
                update={"signal": arm.signal, "version": 1, "probes": {}}
            ),
            snapshot,
            seed % 2**31,
            self._steps(request),
        )

    def _refine(self, diagnosis: Diagnosis) -> None:
        outcomes = [self._outcome(arm) for arm in self._arms[1:]]
        proposals = self._ask(
            "refinement",
            lambda: self.advisor.refine(
                self.situation, diagnosis, outcomes, self.plan.refinements
            ),
        )
        first = len(self._arms)
        self._admit((proposals or [])[: self.plan.refinements], refined=True)
        self._write("refinement", added=[arm.name for arm in self._arms[first:]])

    def _admit(self, proposals: Sequence[Proposal], *, refined: bool) -> None:
        """Checks candidates; those that pass become arms."""
        scale = max(
            abs(self.situation.evidence.values.get("team.base_return.max", 0.0)), 1.0
        )
        for proposal in proposals:
            self._write(
                "proposal", proposal=proposal.model_dump(mode="json"), refined=refined
            )
            admitted, remark = check(
                proposal,
                self.situation.features,
                self.situation.agents,
                self.episodes,
                [arm.signal for arm in self._arms] + self._rejected,
                scale,
            )
            if admitted is None:
                self._rejected.append(proposal.signal)
            else:
                index = len(self._arms)
                self._arms.append(
                    Arm(index, f"candidate_{index}", admitted.signal, admitted.intent)
                )
            self._write(
                "check",
                signal=proposal.signal.id,
                passed=admitted is not None,
                remark=remark,
                name=self._arms[-1].name if admitted is not None else None,
                describe=(admitted or proposal).signal.describe(),
            )
        write_json(
            self._dir() / "candidates.json",
            [
                {"name": arm.name, "signal": arm.signal.model_dump(mode="json")}
                for arm in self._arms
            ],
        )

    def _finish(self, decision: Decision, probes: dict[str, str]) -> RoundResult:
        winner = decision.winner
        control = self._of(CONTROL, "screen")
        adopted: list[BranchResult] = [result for result in control if result.ok]
        adopted = [result for result in adopted if result.request.index == 0]
        if winner is not None:
            adopted = [
                self._find(replace(result.request, arm=winner, index=1))
                for result in self._of(winner, "confirm")[:1]
            ]
        outcome = RoundOutcome(
            round=self.number,
            stage=self.situation.stage,
            control_score=control[-1].score if control and control[-1].ok else None,
            arms=tuple(self._outcome(arm) for arm in self._arms[1:]),
            decision=decision.reason,
            winner=None if winner is None else self._arms[winner].signal.id,
        )
        data = {
            "winner": None if winner is None else self._arms[winner].name,
            "reason": decision.reason,
            "effect": decision.effect,
            "z": decision.z,
            "pairs": decision.pairs,
            "critical": self.gate.critical,
            "branches": len(self._results),
            "outcome": outcome.model_dump(mode="json"),
        }
        self._write("decision", **data)
        write_json(self._dir() / "decision.json", data)
        return RoundResult(
            decision,
            tuple(self._arms),
            adopted[-1].snapshot if adopted else b"",
            sum(result.steps for result in adopted),
            probes,
            outcome,
        )

    def _outcome(self, arm: Arm) -> ArmOutcome:
        own = self._of(arm.index, "screen") + self._of(arm.index, "confirm")
        control = self._of(CONTROL, "screen")
        if not own:
            return ArmOutcome(
                signal=arm.signal, intent=arm.intent, outcome="was not tried"
            )
        failed = next((result.error for result in own if not result.ok), None)
        if failed:
            return ArmOutcome(
                signal=arm.signal, intent=arm.intent, outcome=f"failed: {failed}"
            )
        score = sum(result.score for result in own) / len(own)
        level = sum(r.score for r in control if r.ok) / max(len(control), 1)
        return ArmOutcome(
            signal=arm.signal,
            intent=arm.intent,
            outcome=f"base return {score:.3f} over {len(own)} branch(es), control "
            f"{level:.3f}",
            score=score,
        )

    def _of(self, arm: int, stage: str) -> list[BranchResult]:
        found = [
            result
            for result in self._results
            if result.request.arm == arm and result.request.stage == stage
        ]
        return sorted(found, key=lambda r: (r.request.stretch, r.request.index))

    def _find(self, request: Request) -> BranchResult:
        return next(result for result in self._results if result.request == request)

    def _ask(self, what: str, ask: Callable[[], Any]) -> Any:
        """Asks the advisor; an answer that cannot be used is recorded.

        Advisors are the user's to write: whatever they raise must not end a run.
        """
        try:
            return ask()
        except Exception as error:
            told = str(error)
            if not isinstance(error, AdvisorError):
                told = f"{type(error).__name__}: {error}"
            self._write("advisor_error", asked_for=what, error=told)
            return None
        finally:
            for exchange in self.advisor.exchanges:
                self._write("exchange", **vars(exchange))
                name = f"{exchange.role}.jsonl"
                with (self._dir() / name).open("a") as file:
                    file.write(f"{json.dumps(vars(exchange))}\n")
            self.advisor.exchanges.clear()

    def _write(self, event: Any, **data: Any) -> dict[str, Any]:
        return self.run.ledger.write(event, round=self.number, **data)

    def _dir(self) -> Any:
        return self.run.round_dir(self.number)
