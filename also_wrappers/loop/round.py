"""One round of the loop: diagnose, propose, check, branch, refine, decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from also_wrappers.advisors.base import Situation
from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import Executor
from also_wrappers.files import write_json
from also_wrappers.gate.rule import CONTROL, Decision, Rule
from also_wrappers.ledger.events import Decided, Refined
from also_wrappers.loop.arms import Arms
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Trainer

__all__ = ["Round", "RoundResult"]


@dataclass(frozen=True)
class RoundResult:
    """Says what a round came to.

    Attributes:
        decision: The rule's decision.
        signal: The signal to swap in; ``None`` for no change.
        snapshot: File of what becomes the mainline; ``None`` if nothing does.
        adopted: Trainer steps of the branches that led to ``snapshot``.
        probes: Expressions to record from now on.
        outcome: The same in short, for the history.
    """

    decision: Decision
    signal: Signal | None
    snapshot: Path | None
    adopted: int
    probes: dict[str, str]
    outcome: RoundOutcome


class Round:
    """Plays one round. It changes neither run nor trainer, but for the ledger, the
    round's directory and the count of steps.

    Args:
        number: Number of the round, counted from 1.
        run: The run.
        gate: What decides.
        executor: Where branches run.
        plan: How much may be tried.
        situation: What the advisor is told.
        consultation: Asks the advisor.
    """

    def __init__(
        self,
        number: int,
        run: Run,
        gate: Rule,
        executor: Executor,
        plan: Plan,
        situation: Situation,
        consultation: Consultation,
    ) -> None:
        self._number = number
        self._run = run
        self._gate = gate
        self._executor = executor
        self._plan = plan
        self._situation = situation
        self._consultation = consultation

    def consult(self) -> Decision | None:
        """Asks for a diagnosis and candidates; needs no trainer.

        Returns:
            The decision, if there is nothing to try.
        """
        consultation = self._consultation
        consultation.diagnose()
        diagnosis = consultation.diagnosis
        if diagnosis is None:
            return Decision("undecided", "no diagnosis")
        if diagnosis.insufficient:
            return Decision("undecided", "insufficient evidence")
        if not consultation.propose(self._plan.candidates):
            return Decision("undecided", "no candidate passed the checks")
        return None

    def trial(self, trainer: Trainer, start: Path, posting: Posting) -> RoundResult:
        """Tries the candidates on branches until the rule decides.

        Args:
            trainer: The trainer, at rest.
            start: File of the snapshot that all branches begin from.
            posting: What is posted now.

        Raises:
            ConfigurationError: The rule adopts a branch that cannot be adopted.
        """
        arms = Arms(
            self._number,
            self._run,
            trainer,
            self._executor,
            self._plan,
            posting,
            start,
            self._consultation.arms,
        )
        return self.result(self._decide(arms), arms)

    def result(self, decision: Decision, arms: Arms | None = None) -> RoundResult:
        """Records a decision, and says what follows from it.

        Args:
            decision: The decision.
            arms: What was trained; nothing if not given.

        Raises:
            ConfigurationError: The decision adopts a branch that cannot be adopted.
        """
        candidates = self._consultation.arms
        lineage = arms.lineage(decision) if arms else []
        winner = None if decision.winner is None else candidates[decision.winner]
        control = arms.latest(CONTROL) if arms else None
        outcome = RoundOutcome(
            round=self._number,
            stage=self._situation.stage,
            control=self._situation.signal,
            control_score=control.score if control else None,
            arms=tuple(arms.outcomes()) if arms else (),
            rejected=tuple(self._consultation.rejected),
            decision=decision.reason,
            winner=winner.signal.id if winner else None,
        )
        adopt = decision.adopt
        event = self._run.ledger.write(
            Decided(
                round=self._number,
                kind=decision.kind,
                winner=winner.name if winner else None,
                reason=decision.reason,
                effect=decision.effect,
                z=decision.z,
                pairs=decision.pairs,
                critical=decision.critical,
                exploratory=decision.exploratory,
                branches=len(arms.results) if arms else 0,
                adopted=f"{candidates[adopt.arm].name}, {adopt.phase} {adopt.index}"
                if adopt
                else "",
                outcome=outcome,
            )
        )
        folder = self._run.round_dir(self._number)
        write_json(folder / "decision.json", event.model_dump(mode="json"))
        diagnosis = self._consultation.diagnosis
        return RoundResult(
            decision,
            winner.signal if winner else None,
            lineage[-1].snapshot if lineage else None,
            sum(result.steps for result in lineage),
            dict(diagnosis.probes) if diagnosis and arms else {},
            outcome,
        )

    def _decide(self, arms: Arms) -> Decision:
        refined = self._plan.refinements == 0
        while True:
            step = self._gate.next(len(arms.arms), arms.trials, self._number)
            if not refined and arms.screened and arms.reward_was_seen:
                refined = True
                self._refine(arms)
                continue
            if isinstance(step, Decision):
                if arms.by_conditions:
                    return self._exploratory(step)
                if arms.reward_was_seen or not self._run.task.conditions:
                    return step
                arms.by_conditions = True
                continue
            refusal = arms.unaffordable(step)
            if refusal:
                control = arms.latest(CONTROL)
                adopt = control.request if control and control.snapshot else None
                return Decision("undecided", refusal, adopt=adopt)
            arms.run(step)

    def _exploratory(self, step: Decision) -> Decision:
        conditions = ", ".join(self._run.task.conditions)
        reason = (
            f"no base reward was seen; by how often {conditions} held, {step.reason}"
        )
        if step.kind == "no_reward":
            reason = f"no arm saw any base reward, nor {conditions}"
        return replace(step, reason=reason, exploratory=True)

    def _refine(self, arms: Arms) -> None:
        outcomes = arms.outcomes()
        added = self._consultation.propose(self._plan.refinements, outcomes)
        self._run.ledger.write(
            Refined(
                round=self._number,
                added=tuple(arm.name for arm in added),
                hypotheses=tuple(o.hypothesis for o in outcomes if o.hypothesis),
            )
        )
