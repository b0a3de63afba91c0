"""Consultation: the advisor diagnoses and proposes, and its answers are checked.

It needs a situation and no trainer, so that it goes on while training does where the
advisor is slow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.checks.check import Checks
from also_wrappers.exceptions import AdvisorError
from also_wrappers.files import append, redact, write_json
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Checked,
    Diagnosed,
    Exchanged,
    Proposed,
    Waited,
)
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.measured import Arm
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run

__all__ = ["Consultation"]

T = TypeVar("T")

#: Characters of a reason that a rejection keeps.
_LONGEST_REASON = 600


class Consultation:
    """Asks the advisor in one round, and checks what it proposes.

    Whatever fails in the advisor is recorded and costs that answer.

    Args:
        number: Number of the round.
        run: The run.
        advisor: Who is asked.
        situation: What the advisor is told.
        checks: What candidates have to pass.

    Attributes:
        arms: Control, and the candidates that passed the checks.
        rejected: The candidates that did not.
        diagnosis: What the advisor makes of the evidence; ``None`` without an answer.
    """

    def __init__(
        self,
        number: int,
        run: Run,
        advisor: Advisor,
        situation: Situation,
        checks: Checks,
    ) -> None:
        self.arms = [Arm(0, Proposal(signal=situation.signal))]
        self.rejected: list[Rejection] = []
        self.diagnosis: Diagnosis | None = None
        self._number = number
        self._run = run
        self._advisor = advisor
        self._situation = situation
        self._checks = checks

    def diagnose(self) -> None:
        """Asks what goes wrong."""
        diagnosis = self._ask("diagnosis", self._advisor.diagnose, self._situation)
        if diagnosis is not None:
            self._run.ledger.write(Diagnosed(round=self._number, diagnosis=diagnosis))
        self.diagnosis = diagnosis

    @property
    def slow(self) -> bool:
        """Whether training goes on while the advisor answers."""
        return self._advisor.slow

    def propose(self, wanted: int, results: Sequence[ArmOutcome] = ()) -> list[Arm]:
        """Asks for candidates; those that pass the checks become arms.

        Candidates that do not pass go back to the advisor, once, for as many others.

        Args:
            wanted: How many candidates.
            results: How earlier candidates of the round did; where there are any,
                replacements are asked for.

        Returns:
            The arms that were added.
        """
        before = len(self.arms)
        what = "refinement" if results else "proposal"
        for asked_for in (what, f"{what}, again"):
            situation = replace(
                self._situation,
                diagnosis=self.diagnosis,
                results=tuple(results),
                rejected=tuple(self.rejected),
            )
            proposals = self._ask(asked_for, self._advisor.propose, situation, wanted)
            admitted = [
                self._admit(proposal, situation, refined=bool(results))
                for proposal in (proposals or [])[:wanted]
            ]
            self._write_candidates()
            wanted = admitted.count(False)
            if not wanted:
                break
        return self.arms[before:]

    def wait(self, asked: Aside[T]) -> T:
        """Returns what was asked for beside the training; says if training waits.

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
        """Lets the advisor free what only asking needs."""
        self._ask("rest", self._advisor.rest)

    def _admit(
        self, proposal: Proposal, situation: Situation, *, refined: bool
    ) -> bool:
        """Checks one candidate; returns whether it became an arm."""
        ledger = self._run.ledger
        ledger.write(Proposed(round=self._number, proposal=proposal, refined=refined))
        known = replace(situation, rejected=tuple(self.rejected))
        siblings = [arm.signal for arm in self.arms]
        passed, remark = self._checks.check(proposal, [*tried(known), *siblings])
        name = None
        if passed is None:
            reason = remark[:_LONGEST_REASON]
            self.rejected.append(Rejection(proposal=proposal, reason=reason))
        else:
            arm = Arm(len(self.arms), passed)
            self.arms.append(arm)
            name = arm.name
        ledger.write(
            Checked(
                round=self._number,
                signal=proposal.signal.id,
                passed=passed is not None,
                remark=remark,
                name=name,
                describe=(passed or proposal).signal.describe(),
            )
        )
        return passed is not None

    def _write_candidates(self) -> None:
        write_json(
            self._run.round_dir(self._number) / "candidates.json",
            [
                {"name": arm.name, "signal": arm.signal.model_dump(mode="json")}
                for arm in self.arms
            ],
        )

    def _ask(self, what: str, ask: Callable[..., T], *question: object) -> T | None:
        """Asks the advisor; an answer that cannot be used is recorded.

        Advisors are the user's to write: whatever they raise must not end a run.
        """
        try:
            return ask(*question)
        except Exception as error:
            reason = str(error)
            if not isinstance(error, AdvisorError):
                reason = f"{type(error).__name__}: {error}"
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
                    append(file, redact(f"{json.dumps(line)}\n"))
            self._advisor.exchanges.clear()
