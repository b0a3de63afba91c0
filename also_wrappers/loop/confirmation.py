"""Confirms a provisional signal on fresh branches beside the training that uses it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.rule import CONTROL, Decision, Request, Rule
from also_wrappers.gate.standing import leader
from also_wrappers.ledger.events import BranchEnded, Decided, Event, RoundStarted
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.loop.arms import Arms
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.measured import Arm
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["PACE", "Claim", "Confirmation"]

#: The least number of mainline trainer steps for each discarded trainer step.
PACE = 3


class Claim(BaseModel):
    """Holds what a confirmation has to remember from one process to the next.

    Attributes:
        round: Number of the round that swapped the signal in.
        since: Trainer steps of the lineage at the swap.
        start: Name of the checkpoint that all branches of the round begin from.
        posting: The posting when the round was played, which control has.
        plan: The plan of the round.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    since: int
    start: str
    posting: Posting
    plan: Plan


class Confirmation:
    """Trains fresh branches of a winner and of control until the rule decides.

    At most one trainer step is discarded for every three of the mainline's own. A
    confirmation is made from the ledger, so that a run that was stopped goes on with
    its confirmation.

    Args:
        claim: The provisional signal to confirm.
        run: The run.
        executor: Where branches run.
        trainer: The trainer.
        gate: The rule that swapped the signal in.
        start: File of the snapshot that all branches of the round begin from.

    Raises:
        ConfigurationError: The rule does not repeat its decision.
    """

    def __init__(
        self,
        claim: Claim,
        run: Run,
        executor: Executor,
        trainer: Trainer,
        gate: Rule,
        start: Path,
    ) -> None:
        outcome, screened, fresh = _recorded(read_ledger(run.ledger.path), claim.round)
        control = Proposal(signal=outcome.control)
        arms = [Arm(CONTROL, control, claim.posting.promised)]
        for index, arm in enumerate(outcome.arms, start=1):
            arms.append(Arm(index, arm.proposal, arm.promised))
        self.arms = Arms(
            claim.round, run, trainer, executor, claim.plan, claim.posting, start, arms
        )
        self.arms.restore(screened)
        decision = gate.next(len(arms), self.arms.trials, claim.round)
        if (
            not isinstance(decision, Decision)
            or decision.then is None
            or decision.winner is None
        ):
            raise ConfigurationError(
                "the rule does not decide again as it did on the same branches; make "
                "its next() depend on nothing but its arguments"
            )
        self.arms.restore(fresh)
        self._screened = len(screened)
        self._then = decision.then
        self._winner = decision.winner
        self._since = claim.since
        self._run = run
        self._executor = executor
        self._waiting: list[Request] = []
        self._flight: Aside[BranchResult] | None = None
        self._cost = 0

    @property
    def branches(self) -> int:
        """The number of branches that this confirmation has trained so far."""
        return len(self.arms.results) - self._screened

    def step(self, trainer: Trainer, budget: int, until: int) -> Decision | None:
        """Records the branch that has ended, and begins the next branch.

        Branches are taken at trainer steps that are fixed beforehand, however fast
        they run, so that a run can be repeated.

        Args:
            trainer: The trainer, at rest.
            budget: Trainer steps that branches of the run may spend in all.
            until: Trainer steps of the lineage at which the last branch must end.

        Returns:
            The rule's decision; ``None`` while the rule needs more branches.
        """
        own = trainer.steps - self._since
        while True:
            if self._flight is not None:
                if own < PACE * (self._discarded + self._cost):
                    return None
                self.collect()
            elif own < PACE * self._discarded:  # after a rollback
                return None
            if not self._waiting:
                step = self._then.next(len(self.arms.arms), self.arms.trials)
                if isinstance(step, Decision):
                    return step
                self._waiting = list(step)
            order = self.arms.order(self._waiting.pop(0))
            left = budget - self._run.accounting.branches
            if order.steps > left:
                return self.stop(
                    f"{max(left, 0):,} steps of the branch budget are left, and the "
                    f"next branch takes {order.steps:,}"
                )
            left = (until - self._since) // PACE - self._discarded
            if order.steps > left:
                return self.stop(
                    "too little of the planned training is left: a branch may have "
                    f"{max(left, 0):,} steps, and takes {order.steps:,}"
                )
            self._cost = order.steps
            self._run.note_in_flight(order.steps)
            train = partial(self._train, order)
            self._flight = Aside(train, beside=self._executor.beside)

    def _train(self, order: BranchOrder) -> BranchResult:
        (result,) = self._executor.run([order])
        return result

    def collect(self) -> None:
        """Waits for the branch in training, if any, and records its result."""
        if self._flight is not None:
            result = self._flight.result()
            self._flight = None
            self.arms.record(result, self._cost)

    def stop(self, reason: str) -> Decision:
        """Ends the confirmation before the rule has decided.

        Args:
            reason: Why the confirmation ends, in a sentence.

        Returns:
            The decision ``undecided``, with what was measured so far.
        """
        self.collect()
        of = (CONTROL, self._winner)
        fresh = self.arms.trials[self._screened :]
        standing = leader([trial for trial in fresh if trial.request.arm in of])
        if standing is None:
            return Decision("undecided", reason)
        return Decision(
            "undecided",
            reason,
            effect=standing.effect,
            z=standing.z,
            pairs=standing.pairs,
        )

    @property
    def _discarded(self) -> int:
        """The trainer steps of all branches of this confirmation."""
        return sum(result.steps for result in self.arms.results[self._screened :])


def _recorded(
    events: Iterable[Event], number: int
) -> tuple[RoundOutcome, list[BranchEnded], list[BranchEnded]]:
    """Returns a round's outcome, and its branches before and after the decision.

    A round that was played more than once counts as it was played last.
    """
    decided: Decided | None = None
    screened: list[BranchEnded] = []
    fresh: list[BranchEnded] = []
    for event in events:
        match event:
            case RoundStarted(round=played) if played == number:
                decided, screened, fresh = None, [], []
            case BranchEnded(round=played) if played == number:
                (screened if decided is None else fresh).append(event)
            case Decided(round=played) if played == number:
                decided = event
    assert decided is not None
    return decided.outcome, screened, fresh
