"""Plays one round of the loop: diagnose, propose, check, branch, refine, decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from also_wrappers.advisors.base import Situation
from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import Executor
from also_wrappers.files import write_json
from also_wrappers.gate.provisional import Provisional
from also_wrappers.gate.rule import CONTROL, Decision, DecisionKind, Rule
from also_wrappers.ledger.events import BranchEnded, Decided, Refined
from also_wrappers.loop.arms import Arms
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.audition import Auditions
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.measured import Arm
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.watch import Turn
from also_wrappers.proposals.outcomes import ArmOutcome, RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Trainer

__all__ = ["Round", "RoundResult"]


@dataclass(frozen=True)
class RoundResult:
    """Holds the decision of a round, and what follows from it.

    Attributes:
        decision: The rule's decision.
        signal: The signal to swap in; ``None`` for no change.
        promised: Base return that its expert earns by itself, where that is known.
        snapshot: File of the snapshot that becomes the mainline; ``None`` if none does.
        adopted: Trainer steps from the start of the round to ``snapshot``.
        insufficient: Whether the advisor wants to see more before it says anything.
        turns: Candidates to use next, in order, if an exploratory winner leads to no
            base reward.
        control_end: File of control's screening branch, if its end was kept.
        probes: Expressions to record from now on.
        outcome: The outcome of the round in short, for the history.
    """

    decision: Decision
    signal: Signal | None
    promised: float | None
    snapshot: Path | None
    adopted: int
    insufficient: bool
    turns: tuple[Turn, ...]
    control_end: Path | None
    probes: dict[str, str]
    outcome: RoundOutcome


@dataclass(frozen=True)
class _Refining:
    """Holds replacements that the advisor was asked for.

    Attributes:
        outcomes: Results of the first branches, which the advisor is told.
        asked: Work that asks the advisor; returns True if any replacement passed the
            checks.
    """

    outcomes: list[ArmOutcome]
    asked: Aside[bool]


class Round:
    """Plays one round, from the diagnosis to the decision.

    Playing a round changes neither run nor trainer, but for the ledger, the round's
    directory and the count of steps.

    Args:
        number: Number of the round, counted from 1.
        run: The run.
        gate: The rule that decides the round.
        executor: Where branches run.
        plan: How much the round may try.
        situation: What the advisor is told.
        consultation: Asks the advisor.
        ended: Branches that an earlier process has trained for the round.
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
        ended: Sequence[BranchEnded] = (),
    ) -> None:
        self._number = number
        self._run = run
        self._gate = gate
        self._executor = executor
        self._plan = plan
        self._situation = situation
        self._consultation = consultation
        self._ended = ended

    def consult(self) -> Decision | None:
        """Asks the advisor for a diagnosis and candidates, without the trainer.

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
        experts = consultation.ask_experts()
        wanted = self._plan.candidates - experts
        if not (wanted and consultation.propose(wanted)) and not experts:
            return self._nothing()
        return None

    def trial(
        self, trainer: Trainer, auditions: Auditions, start: Path, posting: Posting
    ) -> RoundResult:
        """Tries the candidates on branches until the rule decides.

        Args:
            trainer: The trainer, at rest.
            auditions: Plays the experts of candidates.
            start: File of the snapshot that all branches begin from.
            posting: What is posted now.

        Raises:
            ConfigurationError: The rule adopts a branch that cannot be adopted.
        """
        self._consultation.audition(auditions)
        if len(self._consultation.arms) == 1:
            return self.result(self._nothing())
        arms = Arms(
            self._number,
            self._run,
            trainer,
            self._executor,
            self._plan,
            posting,
            start,
            list(self._consultation.arms),
            self._ended,
        )
        best = self._consultation.unrivalled
        if best is not None and isinstance(self._gate, Provisional):
            return self.result(_at_sight(best), arms, start)
        return self.result(self._decide(arms, auditions), arms)

    def result(
        self, decision: Decision, arms: Arms | None = None, start: Path | None = None
    ) -> RoundResult:
        """Records a decision, and returns what follows from the decision.

        Args:
            decision: The decision.
            arms: The branches that were trained; none if not given.
            start: File of the snapshot that becomes the mainline where no branch was
                trained.

        Raises:
            ConfigurationError: The decision adopts a branch that cannot be adopted.
        """
        candidates = self._consultation.arms
        snapshot, adopted = start, 0
        if arms and start is None:
            snapshot, adopted = arms.adopted(decision) or (None, 0)
        winner = None if decision.winner is None else candidates[decision.winner]
        control = arms.latest(CONTROL) if arms else None
        outcome = RoundOutcome(
            round=self._number,
            stage=self._situation.stage,
            control=self._situation.signal,
            control_score=control.score if control else None,
            arms=tuple(arms.outcomes()) if arms else (),
            rejected=tuple(self._consultation.rejected),
            played=self._consultation.played,
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
            winner.promised if winner else None,
            snapshot,
            adopted,
            diagnosis is not None and diagnosis.insufficient,
            arms.turns(decision.winner) if arms and decision.exploratory else (),
            control.snapshot if control else None,
            dict(diagnosis.probes) if diagnosis and arms else {},
            outcome,
        )

    def _nothing(self) -> Decision:
        """Returns the decision of a round that has no candidate to try."""
        rejected = len(self._consultation.rejected)
        played = len(self._consultation.played)
        reasons = []
        if rejected:
            reasons.append(f"none of {rejected} candidate(s) passed the checks")
        if played:
            reasons.append(f"none of {played} expert(s) earned more than the policy")
        if not reasons:
            reasons.append(
                "no candidate was proposed; for more to propose, declare conditions, "
                "more features, or actions and places, or ask a language model"
            )
        return Decision("undecided", ", and ".join(reasons))

    def _decide(self, arms: Arms, auditions: Auditions) -> Decision:
        refined = self._plan.refinements == 0
        refining: _Refining | None = None
        while True:
            step = self._gate.next(len(arms.arms), arms.trials, self._number)
            if not refined and arms.screened and arms.promising:
                refined = True
                refining = self._refine(arms)
            waits = isinstance(step, Decision) or not self._consultation.slow
            if refining is not None and waits:
                self._join(arms, refining, auditions)
                refining = None
                continue
            if isinstance(step, Decision):
                if step.winner is not None or not arms.blind:
                    return self._exploratory(step) if arms.by_conditions else step
                if self._run.task.conditions and not arms.by_conditions:
                    arms.by_conditions = True
                    continue
                if step.kind == "no_reward" and arms.by_conditions:
                    unseen = ", ".join(self._run.task.conditions)
                    reason = f"no arm saw any base reward, nor {unseen}"
                    step = replace(step, reason=reason)
                return self._by_hypothesis(arms, step)
            nothing = not (arms.reward_was_seen or arms.by_conditions)
            if nothing and any(request.stretch > 1 for request in step):
                # Longer branches of all arms would cost more than using a wrong signal
                # would, as its use is watched.
                decision = self._at_once(arms)
                if decision.winner is not None:
                    return decision
            reason = arms.unaffordable(step)
            if reason:
                return self._by_hypothesis(arms, self._cut_short(arms, reason))
            arms.run(step)
            if refining is not None:  # the advisor has answered while branches trained
                self._join(arms, refining, auditions)
                refining = None

    def _exploratory(self, step: Decision) -> Decision:
        """Returns a decision by conditions, without a claim about base return."""
        kind: DecisionKind = step.kind if step.winner is None else "provisional"
        conditions = ", ".join(self._run.task.conditions)
        reason = (
            f"no base reward was seen; by how often and how early {conditions} held, "
            + (step.reason if step.winner is None else "it stands out")
        )
        return replace(step, kind=kind, reason=reason, exploratory=True, then=None)

    def _at_once(self, arms: Arms) -> Decision:
        """Decides by the first branches if they suffice, though none saw reward."""
        if self._run.task.conditions and isinstance(self._gate, Provisional):
            arms.by_conditions = True
            step = self._gate.next(len(arms.arms), arms.trials, self._number)
            arms.by_conditions = False
            if isinstance(step, Decision) and step.winner is not None:
                return self._exploratory(step)
        nothing = Decision("no_reward", "no arm saw any base reward")
        return self._by_hypothesis(arms, nothing)

    def _by_hypothesis(self, arms: Arms, step: Decision) -> Decision:
        """Uses a candidate whose hypothesis held where control earned nothing."""
        supported = arms.supported()
        uses = isinstance(self._gate, Provisional) and step.winner is None
        if not uses or not arms.blind or not supported:
            return step
        best = supported[0]
        branch = arms.latest(best.index)
        assert branch is not None
        control = arms.latest(CONTROL)
        expected = best.proposal.hypothesis
        assert control is not None
        assert expected is not None
        return replace(
            step,
            kind="provisional",
            reason=f"control has no base return to lose, and {expected.key} went "
            f"{expected.moves} as expected",
            winner=best.index,
            adopt=branch.request,
            effect=branch.score - control.score,
            z=None,
            critical=None,
            exploratory=True,
        )

    def _cut_short(self, arms: Arms, reason: str) -> Decision:
        """Decides by the branches so far, as the rule can ask for no more.

        A candidate that beat control in every one of several pairs of branches is used,
        as provisional.
        """
        control = arms.latest(CONTROL)
        adopt = control.request if control and control.snapshot else None
        leader = arms.leader
        if leader is None:
            return Decision("undecided", reason, adopt=adopt)
        measured = Decision(
            "undecided",
            reason,
            adopt=adopt,
            effect=leader.effect,
            z=leader.z,
            pairs=leader.pairs,
        )
        end = arms.best_end(leader.arm)
        if end is None or not 1 < leader.pairs == leader.won:
            return measured
        reason = f"{reason}; it beat control in all of {leader.pairs} pairs"
        return replace(
            measured,
            kind="provisional",
            reason=reason,
            winner=leader.arm,
            adopt=end,
            exploratory=arms.by_conditions,
        )

    def _refine(self, arms: Arms) -> _Refining:
        """Asks the advisor for replacements, given the first branches' results."""
        outcomes = arms.outcomes()
        ask = partial(self._consultation.propose, self._plan.refinements, outcomes)
        return _Refining(outcomes, Aside(ask, beside=self._consultation.slow))

    def _join(self, arms: Arms, refining: _Refining, auditions: Auditions) -> None:
        """Makes arms of the replacements that the advisor was asked for."""
        self._consultation.wait(refining.asked)
        self._consultation.audition(auditions, refining.outcomes)
        added = self._consultation.arms[len(arms.arms) :]
        arms.arms.extend(added)
        hypotheses = (outcome.hypothesis for outcome in refining.outcomes)
        self._run.ledger.write(
            Refined(
                round=self._number,
                added=tuple(arm.name for arm in added),
                hypotheses=tuple(filter(None, hypotheses)),
            )
        )


def _at_sight(arm: Arm) -> Decision:
    """Returns the decision to use, under watch, a candidate without a branch."""
    return Decision(
        "provisional",
        f"the policy has no base return to lose, and the expert earns "
        f"{arm.promised:.3f} by itself",
        winner=arm.index,
        exploratory=True,
    )
