"""Reads what the branches of a round's arms measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from also_wrappers.branches.branch import BranchResult
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.anchored import Anchored
from also_wrappers.gate.rule import CONTROL, Decision, Request, Trial
from also_wrappers.gate.standing import Standing, leader
from also_wrappers.loop.watch import Turn
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task

__all__ = ["BLIND", "Arm", "Measured"]

#: Control has no base return to lose up to this share of a round's largest one.
BLIND = 0.05


@dataclass(frozen=True)
class Arm:
    """Holds one proposal under test, or control. Arm 0 is control.

    Attributes:
        index: Number of the arm in its round.
        proposal: The proposal under test; of control, the active signal.
        promised: Base return that the proposal's expert earns by itself; ``None`` where
            that is not known.
        distance: How far the policy was from its expert in the audition; ``None`` where
            that is not known.
    """

    index: int
    proposal: Proposal
    promised: float | None = None
    distance: float | None = None

    @property
    def name(self) -> str:
        """The arm's name in reports: ``control``, or ``candidate_`` and its index."""
        return "control" if self.index == CONTROL else f"candidate_{self.index}"

    @property
    def signal(self) -> Signal:
        """The signal that branches of the arm are trained on."""
        return self.proposal.signal


class Measured:
    """Reads what the branches of a round measured, arm by arm.

    Args:
        task: The task.
        arms: Control and the candidates; more may join.

    Attributes:
        arms: Control and the candidates.
        results: Results of all branches so far.
        trained: Trainer steps of the shorter branch that each branch extends.
        by_conditions: Whether the gate sees how often and how early declared
            conditions held, in place of base returns.
    """

    def __init__(self, task: Task, arms: list[Arm]) -> None:
        self.arms = arms
        self.results: list[BranchResult] = []
        self.trained: dict[Request, int] = {}
        self.by_conditions = False
        self._task = task

    @property
    def trials(self) -> list[Trial]:
        """The trials of all branches, as the gate sees them."""
        if self.by_conditions:
            latest = {
                name: max(
                    result.observed.get(f"condition.{name}.first", 0.0)
                    for result in self.results
                )
                for name in self._task.conditions
            }
            return [result.condition_trial(latest) for result in self.results]
        largest = max((result.largest for result in self.results), default=0.0)
        return [result.trial(largest) for result in self.results]

    @property
    def screened(self) -> bool:
        """True once every arm has had its first branch."""
        indices = {result.request.arm for result in self.results}
        return indices >= {arm.index for arm in self.arms}

    @property
    def reward_was_seen(self) -> bool:
        """True where any branch has earned a base reward."""
        return any(result.score != 0.0 for result in self.results)

    @property
    def promising(self) -> bool:
        """True where any arm has earned clearly more than nothing."""
        largest = max((result.largest for result in self.results), default=0.0)
        return any(abs(result.score) > BLIND * largest for result in self.results)

    @property
    def blind(self) -> bool:
        """True where control was screened and has no base return to lose."""
        control = self.latest(CONTROL)
        if control is None:
            return False
        largest = max(result.largest for result in self.results)
        return abs(control.score) <= BLIND * largest

    @property
    def rare(self) -> bool:
        """True where control's longest screening branch hardly earned anything."""
        control = self.latest(CONTROL)
        largest = max((result.largest for result in self.results), default=0.0)
        return control is not None and abs(control.score) <= Anchored.rare * largest

    @property
    def leader(self) -> Standing | None:
        """The best candidate's standing against control; ``None`` without pairs."""
        return leader(self.trials)

    def latest(self, arm: int) -> BranchResult | None:
        """Returns the longest whole screening branch of an arm; ``None`` without any.

        Of branches of one length, the first replicate comes before others.
        """
        whole = [
            result
            for result in self.results
            if result.request.arm == arm
            and result.request.phase == "screen"
            and result.ok
        ]
        return max(
            whole, key=lambda r: (-r.request.index, r.request.stretch), default=None
        )

    def best_end(self, arm: int) -> Request | None:
        """Returns the longest branch of an arm that could become the mainline."""
        ends = [r for r in self.results if r.request.arm == arm and r.snapshot]
        longest = max(ends, key=lambda r: r.request.stretch, default=None)
        return longest.request if longest else None

    def turns(self, winner: int | None) -> tuple[Turn, ...]:
        """Returns the candidates to use next if an exploratory winner fails.

        Args:
            winner: Index of the winner.
        """
        turns = []
        rates = [f"condition.{name}.rate" for name in self._task.conditions]
        for arm in self.supported():
            branch = self.latest(arm.index)
            if arm.index != winner and branch is not None and branch.snapshot:
                shares = [branch.observed.get(key, 0.0) for key in rates]
                turns.append(
                    Turn(
                        name=arm.name,
                        signal=arm.signal,
                        snapshot=branch.snapshot.name,
                        steps=self.trained[branch.request] + branch.steps,
                        promised=arm.promised,
                        conditions=sum(shares) / len(shares) if shares else None,
                    )
                )
        return tuple(turns)

    def adopted(self, decision: Decision) -> tuple[Path, int] | None:
        """Returns the branch's end that a decision makes the mainline.

        Returns:
            The file of the branch's end, and the branch's trainer steps from the start
            of the round on; ``None`` if nothing becomes the mainline.

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
            return None
        for result in self.results:
            if result.request == adopt and result.snapshot:
                return result.snapshot, self.trained[adopt] + result.steps
        raise ConfigurationError(
            f"the rule adopts the branch {adopt.phase} {adopt.index} of "
            f"{self.arms[adopt.arm].name}, whose end is not there; it must have "
            "been requested with keep=True, and not have failed"
        )

    def outcomes(self) -> list[ArmOutcome]:
        """Returns what became of each candidate, in the order of the arms."""
        return [self._outcome(arm) for arm in self.arms[1:]]

    def _outcome(self, arm: Arm) -> ArmOutcome:
        own = [result for result in self.results if result.request.arm == arm.index]
        failed = next((result.error for result in own if not result.ok), None)
        promise = ""
        if arm.promised is not None:
            promise = f"; its expert earns {arm.promised:.3f} by itself"
        if arm.distance is not None:
            promise += f"; the policy was {arm.distance:.2f} from it"
        score: float | None = None
        if failed:
            outcome = f"failed: {failed}"
        elif own:
            # Screening scores were picked for being large; confirming scores were not.
            alike = {(r.request.phase, r.request.stretch) for r in own}
            stages = sorted(alike, key=lambda stage: (stage[0] != "screen", stage[1]))
            outcome = "; ".join(self._stage(arm, *stage) for stage in stages)
            last = self._branches(arm.index, *stages[-1])
            score = _mean([result.score for result in last])
        else:
            outcome = "no branch was trained"
        return ArmOutcome(
            proposal=arm.proposal,
            outcome=f"{outcome}{promise}",
            score=score,
            tried=bool(own),
            promised=arm.promised,
            hypothesis=self._hypothesis(arm),
        )

    def _branches(self, arm: int, phase: str, stretch: float) -> list[BranchResult]:
        """Returns the whole branches of an arm that have one phase and length."""
        return [
            result
            for result in self.results
            if result.request.arm == arm
            and (result.request.phase, result.request.stretch) == (phase, stretch)
            and result.ok
        ]

    def _stage(self, arm: Arm, phase: str, stretch: float) -> str:
        """Writes what an arm's branches of one phase and length measured."""
        mine, theirs = (
            self._branches(index, phase, stretch) for index in (arm.index, CONTROL)
        )
        first = mine[0]
        steps = self.trained.get(first.request, 0) + first.steps
        text = f"{phase} of {steps:,} steps: base return {_measured(mine)} over "
        text += f"{len(mine)} branch(es), curve {_curve(mine)}"
        if theirs:
            text += f"; control {_measured(theirs)}, curve {_curve(theirs)}"
        for name in self._task.conditions:
            key = f"condition.{name}.rate"
            rates = [
                f"{_mean([result.observed[key] for result in results]):.2g}"
                for results in (mine, theirs)
                if results and all(key in result.observed for result in results)
            ]
            if rates:
                text += f"; {key} {', control '.join(rates)}"
        return text

    def supported(self) -> list[Arm]:
        """Returns the candidates whose hypothesis held, best base return first.

        A hypothesis held if its number moved as predicted in every pair of branches on
        common seeds.
        """
        ends = {arm.index: self.latest(arm.index) for arm in self.arms[1:]}
        scores = {arm: end.score for arm, end in ends.items() if end and end.snapshot}
        candidates = []
        for arm in self.arms[1:]:
            pairs = self._moved(arm) if arm.index in scores else []
            if pairs and all(_held(arm, mine, theirs) for mine, theirs in pairs):
                candidates.append(arm)
        return sorted(candidates, key=lambda arm: -scores[arm.index])

    def _moved(self, arm: Arm) -> list[tuple[float, float]]:
        """Returns pairs of a hypothesis's number: the arm's and control's.

        The two branches of a pair have common seeds.
        """
        expected = arm.proposal.hypothesis
        if expected is None:
            return []
        return [
            (mine.observed[expected.key], theirs.observed[expected.key])
            for mine in self.results
            for theirs in self.results
            if mine.request == replace(theirs.request, arm=arm.index)
            and theirs.request.arm == CONTROL
            and expected.key in mine.observed
            and expected.key in theirs.observed
        ]

    def _hypothesis(self, arm: Arm) -> str:
        """Writes what became of an arm's hypothesis, on common seeds."""
        expected = arm.proposal.hypothesis
        if expected is None:
            return ""
        pairs = self._moved(arm)
        wanted = f"{expected.key} should go {expected.moves}"
        if not pairs:
            return f"{wanted}: not measured"
        mine, theirs = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        holds = _held(arm, mine, theirs)
        return (
            f"{wanted}: it {'did' if holds else 'did not'}, {mine:.3g} against "
            f"control's {theirs:.3g}"
        )


def _held(arm: Arm, mine: float, theirs: float) -> bool:
    """True where a number moved against control's as the arm's hypothesis says."""
    expected = arm.proposal.hypothesis
    assert expected is not None
    return mine > theirs if expected.moves == "up" else mine < theirs


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _measured(results: Sequence[BranchResult]) -> str:
    """Writes the mean score of branches, with its standard error between episodes."""
    error = math.sqrt(sum(result.variance for result in results)) / len(results)
    return f"{_mean([result.score for result in results]):.3f} (error {error:.2g})"


def _curve(results: Sequence[BranchResult]) -> str:
    """Writes the mean base returns of equal parts of branches, in order."""
    parts = zip(*(result.points for result in results), strict=False)
    return " ".join(f"{_mean(part):.2g}" for part in parts)
