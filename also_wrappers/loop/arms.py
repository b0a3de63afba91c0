"""The arms of a round, the branches they are trained on, and what came of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import append
from also_wrappers.gate.rule import CONTROL, Decision, Request, Trial
from also_wrappers.ledger.events import BranchEnded
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Fade, Signal
from also_wrappers.trainer import Trainer

__all__ = ["Arm", "Arms"]


@dataclass(frozen=True)
class Arm:
    """Puts one proposal under test. Arm 0 is control.

    Attributes:
        index: Number of the arm in its round.
        proposal: What is tested.
    """

    index: int
    proposal: Proposal

    @property
    def name(self) -> str:
        """A name for people."""
        return "control" if self.index == CONTROL else f"candidate_{self.index}"

    @property
    def signal(self) -> Signal:
        """The signal that branches of the arm are trained on."""
        return self.proposal.signal


class Arms:
    """Trains the branches of one round.

    Args:
        number: Number of the round.
        run: The run.
        trainer: The trainer, at rest.
        executor: Where branches run.
        plan: How much may be tried.
        posting: What is posted now.
        start: File of the snapshot that branches begin from.
        arms: Control and the candidates; more may join.

    Attributes:
        arms: Control and the candidates.
        results: Results of all branches so far.
        by_conditions: Whether the gate sees how often declared conditions held, in
            place of base returns.
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
    ) -> None:
        self.arms = arms
        self.results: list[BranchResult] = []
        self.by_conditions = False
        self._number = number
        self._run = run
        self._trainer = trainer
        self._executor = executor
        self._plan = plan
        self._posting = posting
        self._start = start
        self._extended: dict[Request, BranchResult] = {}

    @property
    def trials(self) -> list[Trial]:
        """What the gate gets to see."""
        if self.by_conditions:
            rates = self._rates()
            return [result.condition_trial(rates) for result in self.results]
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
        """Says why the requested branches cannot be run; empty if they can."""
        cost = sum(self._steps(request) for request in requests)
        spent = sum(result.steps for result in self.results)
        if spent + cost > self._plan.budget:
            return "the branch budget is spent"
        if max(map(self._length, requests)) > self._plan.longest:
            return "too little of the planned training is left for longer branches"
        return ""

    def run(self, requests: Sequence[Request]) -> None:
        """Trains branches and records each as it ends."""
        orders = [self._order(request) for request in requests]
        accounting = self._run.accounting
        file = self._run.round_dir(self._number) / "branches.jsonl"
        for done, result in enumerate(self._executor.run(orders), start=1):
            self.results.append(result)
            accounting.branches += result.steps
            accounting.evaluation += result.evaluation_steps
            arm = self.arms[result.request.arm]
            event = BranchEnded(
                round=self._number,
                name=arm.name,
                signal=arm.signal.id,
                arm=arm.index,
                phase=result.request.phase,
                index=result.request.index,
                stretch=result.request.stretch,
                seed=result.seed,
                steps=result.steps,
                evaluation_steps=result.evaluation_steps,
                score=result.score,
                standard_error=math.sqrt(result.variance),
                points=result.points,
                episodes=result.episodes,
                shaped=result.shaped,
                observed=result.observed,
                seconds=round(result.seconds, 2),
                error=result.error,
                done=done,
                of=len(orders),
            )
            line = self._run.ledger.write(event).model_dump(mode="json")
            with file.open("a") as lines:
                append(lines, f"{json.dumps(line)}\n")

    def latest(self, arm: int) -> BranchResult | None:
        """Returns the longest whole screening branch of an arm, the first replicate
        before others; ``None`` without any."""
        whole = [result for result in self._of(arm, "screen") if result.ok]
        return max(
            whole, key=lambda r: (-r.request.index, r.request.stretch), default=None
        )

    def lineage(self, decision: Decision) -> list[BranchResult]:
        """Returns the branches that lead to what becomes the mainline, in order.

        Raises:
            ConfigurationError: The decision names a winner and no branch of it, or a
                branch whose end is not there.
        """
        adopt = decision.adopt
        if decision.winner is not None and (
            adopt is None or adopt.arm != decision.winner
        ):
            raise ConfigurationError(
                f"the rule names {self.arms[decision.winner].name} as the winner and "
                "no branch of it to go on with; give its Decision one of the winner's "
                "requests as adopt"
            )
        if adopt is None:
            return []
        ends = [r for r in self.results if r.request == adopt and r.snapshot]
        if not ends:
            raise ConfigurationError(
                f"the rule adopts the branch {adopt.phase} {adopt.index} of "
                f"{self.arms[adopt.arm].name}, whose end is not there; it must have "
                "been requested with keep=True, and not have failed"
            )
        lineage = ends[:1]
        while lineage[0].request in self._extended:
            lineage.insert(0, self._extended[lineage[0].request])
        return lineage

    def outcomes(self) -> list[ArmOutcome]:
        """Says what became of each candidate."""
        return [self._outcome(arm) for arm in self.arms[1:]]

    def _outcome(self, arm: Arm) -> ArmOutcome:
        def became(outcome: str, score: float | None = None) -> ArmOutcome:
            return ArmOutcome(
                proposal=arm.proposal,
                outcome=outcome,
                score=score,
                hypothesis=self._hypothesis(arm),
            )

        own = self._of(arm.index, "screen") + self._of(arm.index, "confirm")
        if not own:
            return became("was not tried")
        failed = next((result.error for result in own if not result.ok), None)
        if failed:
            return became(f"failed: {failed}")
        control = [result for result in self._of(CONTROL, "screen") if result.ok]
        score = sum(result.score for result in own) / len(own)
        level = sum(result.score for result in control) / max(len(control), 1)
        return became(
            f"base return {score:.3f} over {len(own)} branch(es), control {level:.3f}",
            score,
        )

    def _hypothesis(self, arm: Arm) -> str:
        """What became of a hypothesis, on the branches that share their seeds."""
        expected = arm.proposal.hypothesis
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

    def _of(self, arm: int, phase: str) -> list[BranchResult]:
        """An arm's branches of a phase, in the order of their requests."""
        own = [
            result
            for result in self.results
            if result.request.arm == arm and result.request.phase == phase
        ]
        return sorted(own, key=lambda r: (r.request.stretch, r.request.index))

    def _length(self, request: Request) -> int:
        """Trainer steps of a branch, what it extends included."""
        grain = self._trainer.rollout
        return max(round(request.stretch * self._plan.horizon / grain), 1) * grain

    def _steps(self, request: Request) -> int:
        """An extension trains only what is new in it."""
        new = self._length(request) - self._trained(request)
        return max(new, self._trainer.rollout)

    def _trained(self, request: Request) -> int:
        shorter = self._shorter(request)
        return 0 if shorter is None else self._length(shorter.request)

    def _shorter(self, request: Request) -> BranchResult | None:
        """The branch that a longer request goes on with, if its end was kept."""
        shorter = [
            result
            for result in self.results
            if replace(result.request, stretch=request.stretch) == request
            and result.request.stretch < request.stretch
            and result.snapshot
        ]
        return max(shorter, key=lambda r: r.request.stretch, default=None)

    def _order(self, request: Request) -> BranchOrder:
        arm = self.arms[request.arm]
        shorter = self._shorter(request)
        if shorter is not None:
            self._extended[request] = shorter
        trained = self._trained(request)
        phase = 0 if request.phase == "screen" else 5000
        seed = self._plan.seed * 1_000_003 + self._number * 10_007 + phase
        seed += request.index + int(100 * request.stretch)
        return BranchOrder(
            request,
            self._trainer.fork(),
            self._run.task,
            self._posted(arm, trained),
            shorter.snapshot if shorter and shorter.snapshot else self._start,
            seed % 2**31,
            self._steps(request),
            self._keys(),
            new_signal=shorter is None and arm.signal != self._posting.signal,
            scored_from=max(self._length(request) // 2 - trained, 0),
            end=self._end(request) if request.keep else None,
        )

    def _end(self, request: Request) -> Path:
        """Where the end of a branch goes."""
        folder = self._run.round_dir(self._number) / "snapshots"
        folder.mkdir(exist_ok=True)
        name = self.arms[request.arm].name
        return (
            folder / f"{name}-{request.phase}-{request.index}-{request.stretch:g}.zip"
        )

    def _posted(self, arm: Arm, trained: int) -> Posting:
        """What a branch's environments read; they are fresh, so that a signal that
        fades goes on from the strength that it has by now."""
        strength = self._posting.strength if arm.index == CONTROL else 1.0
        fade = None
        if arm.signal.fade is not None:
            lasts = arm.signal.fade * self._plan.total
            strength = max(strength - trained / lasts, 0.0)
            left = strength * lasts / self._plan.copy_steps
            fade = Fade(begin=0, end=max(round(left), 1))
        update = {"signal": arm.signal, "version": 1}
        return self._posting.model_copy(
            update={**update, "strength": strength, "fade": fade}
        )

    def _keys(self) -> tuple[str, ...]:
        """Keys of the evidence whose numbers are wanted of every branch."""
        hypotheses = [arm.proposal.hypothesis for arm in self.arms]
        keys = [expected.key for expected in hypotheses if expected is not None]
        return tuple(dict.fromkeys([*keys, *self._rates()]))

    def _rates(self) -> list[str]:
        return [f"condition.{name}.rate" for name in self._run.task.conditions]
