"""One round of the loop: diagnose, propose, check, branch, refine, decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import Arm
from also_wrappers.branches.executors import Executor
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.exceptions import AdvisorError
from also_wrappers.files import redact, write_json
from also_wrappers.gate.gate import CONTROL, NO_REWARD, Decision, Rule
from also_wrappers.loop.arms import Branches
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Round", "RoundResult"]


@dataclass(frozen=True)
class RoundResult:
    """What a round came to.

    Attributes:
        decision: The gate's decision.
        arms: Control and all candidates.
        snapshot: What becomes the mainline; ``None`` if nothing does.
        adopted: Trainer steps of the branches that led to ``snapshot``.
        probes: Expressions to record from now on.
        outcome: The same in short, for the history.
    """

    decision: Decision
    arms: tuple[Arm, ...]
    snapshot: Path | None
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
    gate: Rule
    executor: Executor
    plan: Plan
    situation: Situation
    episodes: Sequence[EpisodeRows]
    posting: Posting
    _rejected: list[Rejection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._branches = Branches(
            self.number,
            self.run.task,
            self.trainer,
            self.executor,
            self.plan,
            self.posting,
            self.run.accounting,
            self._write,
            self._dir() / "branches.jsonl",
        )

    def play(self) -> RoundResult:
        """Plays the round to its decision. Whatever fails in the advisor or in a
        branch is recorded and costs that step."""
        try:
            diagnosis = self._ask("diagnosis", self._diagnose)
            if diagnosis is None or diagnosis.insufficient:
                reason = (
                    "no diagnosis" if diagnosis is None else "insufficient evidence"
                )
                return self._finish(Decision(None, reason), {})
            self._propose(diagnosis)
            if len(self._branches.arms) == 1:
                nothing = Decision(None, "no candidate passed the checks")
                return self._finish(nothing, {})
            return self._finish(self._decide(diagnosis), dict(diagnosis.probes))
        finally:
            self._ask("rest", self.advisor.rest)

    def _diagnose(self) -> Diagnosis:
        diagnosis = self.advisor.diagnose(self.situation)
        self._write("diagnosis", diagnosis=diagnosis.model_dump(mode="json"))
        return diagnosis

    def _decide(self, diagnosis: Diagnosis) -> Decision:
        branches = self._branches
        refined = self.plan.refinements == 0
        while True:
            step = self.gate.next(len(branches.arms), branches.trials)
            if not refined and branches.screened and branches.reward_was_seen:
                refined = True
                self._refine(diagnosis)
                continue
            if isinstance(step, Decision):
                if branches.by_conditions:
                    return self._exploratory(step)
                if branches.reward_was_seen or not self.run.task.conditions:
                    return step
                branches.by_conditions = True
                continue
            refusal = branches.unaffordable(step)
            if refusal:
                return Decision(None, refusal)
            branches.run(step)

    def _exploratory(self, step: Decision) -> Decision:
        conditions = ", ".join(self.run.task.conditions)
        reason = (
            f"no base reward was seen; by how often {conditions} held, {step.reason}"
        )
        if step.reason == NO_REWARD:
            reason = f"no arm saw any base reward, nor {conditions}"
        return replace(step, reason=reason, exploratory=True)

    def _propose(self, diagnosis: Diagnosis) -> None:
        self._fill(
            self.plan.candidates,
            "proposal",
            lambda k: self.advisor.propose(self._known, diagnosis, k),
        )

    def _refine(self, diagnosis: Diagnosis) -> None:
        arms = self._branches.arms
        outcomes = [self._branches.outcome(arm) for arm in arms[1:]]
        first = len(arms)
        self._fill(
            self.plan.refinements,
            "refinement",
            lambda k: self.advisor.refine(self._known, diagnosis, outcomes, k),
        )
        self._write(
            "refinement",
            added=[arm.name for arm in arms[first:]],
            hypotheses=[o.hypothesis for o in outcomes if o.hypothesis],
        )

    def _fill(
        self, wanted: int, what: str, ask: Callable[[int], list[Proposal]]
    ) -> None:
        """Candidates that pass the checks become arms. What does not pass goes back to
        the advisor, once, for as many others."""
        for asked_for in (what, f"{what}, again"):
            proposals = self._ask(asked_for, partial(ask, wanted)) or []
            wanted = self._admit(proposals[:wanted], refined=what == "refinement")
            if not wanted:
                return

    @property
    def _known(self) -> Situation:
        """The situation with what was rejected since."""
        return replace(self.situation, rejected=tuple(self._rejected))

    def _admit(self, proposals: Sequence[Proposal], *, refined: bool) -> int:
        """Checks candidates; returns how many did not pass."""
        evidence = self.situation.evidence.values
        checks = Checks(
            self.situation.features,
            self.situation.agents,
            self.episodes,
            max(abs(evidence.get("team.base_return.max", 0.0)), 1.0),
            self.trainer.gamma,
            may_fade=not self.trainer.replays,
        )
        before = len(self._rejected)
        for proposal in proposals:
            self._write(
                "proposal", proposal=proposal.model_dump(mode="json"), refined=refined
            )
            siblings = [arm.signal for arm in self._branches.arms]
            admitted, remark = checks.check(proposal, [*tried(self._known), *siblings])
            name = None
            if admitted is None:
                self._rejected.append(
                    Rejection(signal=proposal.signal, reason=remark[:600])
                )
            else:
                name = self._branches.admit(admitted).name
            self._write(
                "check",
                signal=proposal.signal.id,
                passed=admitted is not None,
                remark=remark,
                name=name,
                describe=(admitted or proposal).signal.describe(),
            )
        write_json(
            self._dir() / "candidates.json",
            [
                {"name": arm.name, "signal": arm.signal.model_dump(mode="json")}
                for arm in self._branches.arms
            ],
        )
        return len(self._rejected) - before

    def _finish(self, decision: Decision, probes: dict[str, str]) -> RoundResult:
        branches = self._branches
        winner = decision.winner
        adopted = branches.adopted(winner)
        control = [result for result in branches.of(CONTROL, "screen") if result.ok]
        outcome = RoundOutcome(
            round=self.number,
            stage=self.situation.stage,
            control=self.situation.signal,
            control_score=control[-1].score if control else None,
            arms=tuple(branches.outcome(arm) for arm in branches.arms[1:]),
            rejected=tuple(self._rejected),
            decision=decision.reason,
            winner=None if winner is None else branches.arms[winner].signal.id,
        )
        data = {
            "winner": None if winner is None else branches.arms[winner].name,
            "reason": decision.reason,
            "effect": decision.effect,
            "z": decision.z,
            "pairs": decision.pairs,
            "critical": decision.critical,
            "exploratory": decision.exploratory,
            "branches": len(branches.results),
            "outcome": outcome.model_dump(mode="json"),
        }
        self._write("decision", **data)
        write_json(self._dir() / "decision.json", data)
        return RoundResult(
            decision,
            tuple(branches.arms),
            adopted[-1].snapshot if adopted else None,
            sum(result.steps for result in adopted),
            probes,
            outcome,
        )

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
                line = self._write("exchange", **vars(exchange))
                with (self._dir() / f"{exchange.role}.jsonl").open("a") as file:
                    file.write(redact(f"{json.dumps(line)}\n"))
            self.advisor.exchanges.clear()

    def _write(self, event: Any, **data: Any) -> dict[str, Any]:
        return self.run.ledger.write(event, round=self.number, **data)

    def _dir(self) -> Any:
        return self.run.round_dir(self.number)
