"""Asks the advisor for a diagnosis and proposals, and checks its answers.

A consultation needs a situation and no trainer, so that training goes on while a slow
advisor answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter

from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.checks.check import Checks
from also_wrappers.exceptions import AdvisorError, ConfigurationError, brief
from also_wrappers.files import append, without_secrets, write_json
from also_wrappers.gate.rule import CONTROL
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Checked,
    Diagnosed,
    Exchanged,
    Proposed,
    Waited,
)
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.audition import Auditions, Verdict
from also_wrappers.loop.journal import Journal
from also_wrappers.loop.measured import Arm
from also_wrappers.loop.plays import best_of
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Played, Rejection
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal

__all__ = ["Consultation"]

T = TypeVar("T")


class _Waiting(NamedTuple):
    """Holds a candidate that has passed the checks and waits for its audition.

    Attributes:
        proposal: The candidate as it was proposed.
        passed: The candidate as it would be tried.
        remark: What the checks have changed.
    """

    proposal: Proposal
    passed: Proposal
    remark: str


_DIAGNOSIS: TypeAdapter[Diagnosis | None] = TypeAdapter(Diagnosis | None)
_PROPOSALS: TypeAdapter[list[Proposal] | None] = TypeAdapter(list[Proposal] | None)

#: Characters of a reason that a rejection keeps.
_LONGEST_REASON = 600


class Consultation:
    """Asks the advisor in one round, and checks what the advisor proposes.

    Whatever fails in the advisor is recorded and costs that answer.

    Args:
        number: Number of the round.
        run: The run.
        advisor: The advisor that is asked.
        situation: What the advisor is told.
        checks: The checks that candidates have to pass.
        journal: Keeps the answers.
        promised: Base return that the active signal's expert earns by itself, where
            that is known.

    Attributes:
        arms: Control, and the candidates that passed the checks.
        rejected: The candidates that did not pass, with the reasons.
        diagnosis: The advisor's diagnosis; ``None`` without an answer.
    """

    def __init__(
        self,
        number: int,
        run: Run,
        advisor: Advisor,
        situation: Situation,
        checks: Checks,
        journal: Journal,
        promised: float | None = None,
    ) -> None:
        self.arms = [Arm(CONTROL, Proposal(signal=situation.signal), promised)]
        self.rejected: list[Rejection] = []
        self.diagnosis: Diagnosis | None = None
        self._number = number
        self._run = run
        self._advisor = advisor
        self._situation = situation
        self._checks = checks
        self._journal = journal
        self._waiting: list[_Waiting] = []
        self._entrants: list[Proposal] = []
        self._played: list[Played] = []
        self._alone: list[tuple[Played, Arm]] = []

    def diagnose(self) -> None:
        """Asks the advisor what goes wrong, and keeps the diagnosis."""
        ask = self._advisor.diagnose
        diagnosis = self._ask("diagnosis", _DIAGNOSIS, ask, self._situation)
        if diagnosis is not None:
            self._run.ledger.write(Diagnosed(round=self._number, diagnosis=diagnosis))
        self.diagnosis = diagnosis

    @property
    def slow(self) -> bool:
        """True where training goes on while the advisor answers."""
        return self._advisor.slow

    @property
    def played(self) -> tuple[Played, ...]:
        """The experts that played, of which the best became a candidate."""
        return tuple(self._played)

    @property
    def unrivalled(self) -> Arm | None:
        """The best arm that needs no branch to be used; ``None`` without one."""
        best = best_of([played for played, _ in self._alone])
        return next((arm for played, arm in self._alone if played is best), None)

    def ask_experts(self) -> bool:
        """Asks the advisor for experts to play in ``audition``.

        Returns:
            True if there are experts to play.
        """
        if self._situation.actions is not None:
            self._entrants = self._ask_experts()
        return bool(self._entrants)

    def propose(self, wanted: int, results: Sequence[ArmOutcome] = ()) -> bool:
        """Asks for candidates, and makes arms of those that pass the checks.

        Candidates with a new expert wait for its audition, which needs the trainer.
        Candidates that do not pass go back to the advisor, once, for as many others.

        Args:
            wanted: How many candidates.
            results: How earlier candidates of the round did; where there are any,
                replacements are asked for.

        Returns:
            True if any candidate passed the checks.
        """
        before = len(self.arms) + len(self._waiting)
        what = "refinement" if results else "proposal"
        for asked_for in (what, f"{what}, again"):
            situation = replace(
                self._situation,
                diagnosis=self.diagnosis,
                results=tuple(results),
                rejected=tuple(self.rejected),
            )
            ask = self._advisor.propose
            proposals = self._ask(asked_for, _PROPOSALS, ask, situation, wanted)
            admitted = [
                self._admit(proposal, situation, refined=bool(results))
                for proposal in (proposals or [])[:wanted]
            ]
            self._write_candidates()
            wanted = admitted.count(False)
            if not wanted:
                break
        return len(self.arms) + len(self._waiting) > before

    def audition(
        self, auditions: Auditions, results: Sequence[ArmOutcome] = ()
    ) -> None:
        """Plays the experts that wait, and makes arms of those that pass.

        Experts that do not pass go back to the advisor, once, for as many others.

        Args:
            auditions: Plays the experts, with the trainer at rest.
            results: As in ``propose``.
        """
        rejected = 0
        if self._entrants:
            rejected = 0 if self._choose(auditions) else 1
        rejected += self._play(auditions)
        if rejected:
            again = partial(self.propose, rejected, results)
            self.wait(Aside(again, beside=self.slow))
            self._play(auditions)

    def renew(self, auditions: Auditions) -> float | None:
        """Plays the active signal's expert again, beside the present policy.

        Where the expert is silent the policy acts, so what both earn together grows
        with the policy; the pull towards an expert that speaks seldom would end early.

        Args:
            auditions: Plays the expert, with the trainer at rest.

        Returns:
            The base return that the expert promises from now on: what it earns, where
            that is clearly more than what the policy earns alone, else what it has
            promised before; ``None`` where that is not known, or no expert is in force.
        """
        control = self.arms[CONTROL]
        if control.signal.expert is None:
            return None
        verdict = auditions.play(control.signal, active=True)
        if verdict.promised is not None:
            self.arms = [
                replace(arm, promised=verdict.promised)
                if arm is control or _says_the_same(arm.signal, control.signal)
                else arm
                for arm in self.arms
            ]
        return self.arms[CONTROL].promised

    def wait(self, asked: Aside[T]) -> T:
        """Returns an answer of the advisor; records how long training waits.

        Args:
            asked: Work that asks the advisor.
        """
        if self.slow and not asked.done:
            began = time.monotonic()
            waited = Waited(round=self._number, advisor=self._advisor.name)
            self._run.ledger.write(waited)
            asked.wait()
            seconds = round(time.monotonic() - began, 2)
            self._run.ledger.write(waited.model_copy(update={"seconds": seconds}))
        return asked.result()

    def rest(self) -> None:
        """Asks the advisor to free the memory that only its answers need."""
        self._asked("rest", self._advisor.rest, ())

    def _ask_experts(self) -> list[Proposal]:
        """Asks for experts, and returns those that can be played."""
        situation = replace(
            self._situation, diagnosis=self.diagnosis, played=tuple(self._played)
        )
        ask = self._advisor.experts
        proposals = self._ask("experts", _PROPOSALS, ask, situation) or []
        known = tried(situation)
        entrants = []
        for proposal in proposals:
            passed, remark = self._checks.check(proposal, known)
            known.append(proposal.signal)
            if passed is not None and passed.signal.expert is not None:
                entrants.append(proposal)
            else:
                remark = remark or "it has no expert to play"
                self._run.ledger.write(
                    Proposed(round=self._number, proposal=proposal, refined=False)
                )
                self._settle(proposal, None, remark)
        return entrants

    def _choose(self, auditions: Auditions) -> bool:
        """Ranks many experts, and makes a candidate of the best one.

        Returns:
            True if any expert earned more than the policy, or met declared conditions
            more often.
        """
        while self._entrants:
            played = auditions.rank(self._entrants)
            self._played += played
            # Without trainer steps nothing is played, and asking would never end.
            self._entrants = self._ask_experts() if played else []
        best = best_of(self._played)
        if best is None:
            return False
        return self._admit(best.proposal, self._situation, refined=False)

    def _play(self, auditions: Auditions) -> int:
        """Plays the waiting experts; returns how many of them did not pass."""
        waiting, self._waiting = self._waiting, []
        rejected = 0
        for proposal, passed, remark in waiting:
            try:
                verdict = auditions.play(passed.signal)
            except ConfigurationError as error:
                verdict = Verdict(str(error))
            if verdict.refusal:
                rejected += 1
                self._settle(proposal, None, verdict.refusal)
                continue
            assert verdict.played is not None
            number, distance = len(self.arms), verdict.played.distance
            arm = Arm(number, passed, verdict.promised, distance)
            self._settle(proposal, arm, remark)
            if verdict.alone:
                self._alone.append((verdict.played, arm))
        if waiting:
            self._write_candidates()
        return rejected

    def _admit(
        self, proposal: Proposal, situation: Situation, *, refined: bool
    ) -> bool:
        """Checks one candidate; returns True if the candidate passed."""
        ledger = self._run.ledger
        ledger.write(Proposed(round=self._number, proposal=proposal, refined=refined))
        known = replace(situation, rejected=tuple(self.rejected))
        siblings = [arm.signal for arm in self.arms]
        siblings += [passed.signal for _, passed, _ in self._waiting]
        passed, remark = self._checks.check(proposal, [*tried(known), *siblings])
        control = self.arms[CONTROL]
        if passed is None or passed.signal.expert is None:
            arm = Arm(len(self.arms), passed) if passed else None
            self._settle(proposal, arm, remark)
        elif _says_the_same(passed.signal, control.signal):
            promised = control.promised
            self._settle(proposal, Arm(len(self.arms), passed, promised), remark)
        else:
            self._waiting.append(_Waiting(proposal, passed, remark))
        return passed is not None

    def _settle(self, proposal: Proposal, arm: Arm | None, remark: str) -> None:
        """Makes an arm of a candidate, or rejects one without an arm."""
        if arm is None:
            reason = remark[:_LONGEST_REASON]
            self.rejected.append(Rejection(proposal=proposal, reason=reason))
        else:
            self.arms.append(arm)
        self._run.ledger.write(
            Checked(
                round=self._number,
                signal=proposal.signal.id,
                passed=arm is not None,
                remark=remark,
                name=arm.name if arm else None,
                describe=(arm.signal if arm else proposal.signal).describe(),
            )
        )

    def _write_candidates(self) -> None:
        write_json(
            self._run.round_dir(self._number) / "candidates.json",
            without_secrets(
                [
                    {"name": arm.name, "signal": arm.signal.model_dump(mode="json")}
                    for arm in self.arms
                ]
            ),
        )

    def _ask(
        self,
        what: str,
        form: TypeAdapter[T | None],
        ask: Callable[..., T],
        *question: object,
    ) -> T | None:
        """Asks the advisor once; records an answer that cannot be used.

        Users write advisors, too: no error of an advisor may end a run.
        """
        return self._journal.once(what, form, partial(self._asked, what, ask, question))

    def _asked(
        self, what: str, ask: Callable[..., T], question: tuple[object, ...]
    ) -> T | None:
        try:
            return ask(*question)
        except Exception as error:
            reason = str(error)
            if not isinstance(error, AdvisorError):
                reason = brief(error)
            self._run.ledger.write(
                AdvisorFailed(round=self._number, asked_for=what, error=reason)
            )
            return None
        finally:
            for exchange in self._advisor.exchanges:
                event = Exchanged(round=self._number, exchange=exchange)
                line = self._run.ledger.write(event).model_dump(mode="json")
                folder = self._run.round_dir(self._number)
                with (folder / f"{exchange.role}.jsonl").open("a") as file:
                    append(file, f"{json.dumps(line)}\n")
            self._advisor.exchanges.clear()


def _says_the_same(one: Signal, other: Signal) -> bool:
    """True where two signals have the same expert."""
    if one.expert is None or other.expert is None or one.define != other.define:
        return False
    return one.expert.rules == other.expert.rules
