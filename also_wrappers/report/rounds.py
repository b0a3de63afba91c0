"""What each round observed, proposed, measured and decided, collected from a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from also_wrappers.evidence.document import Evidence
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Auditioned,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Exchanged,
    Observed,
    Proposed,
    RolledBack,
    RoundFinished,
    RoundStarted,
    Settled,
    Swapped,
)
from also_wrappers.ledger.stamp import RoundEvent
from also_wrappers.proposals.diagnosis import Claim
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.report.arms import (
    arm_colors,
    draw_arms,
    draw_scores,
    whole_branches,
)
from also_wrappers.report.standing import ActiveSignal, Standing, standing_of
from also_wrappers.report.words import effect_in_words, number, settled_as
from also_wrappers.signal.model import Signal

__all__ = ["ArmRecord", "RoundRecord", "Use", "collect_rounds"]

_CONTROL = "control"


@dataclass
class ArmRecord:
    """Collects what a ledger has of one arm of a round.

    Attributes:
        check: How the candidate passed the checks; ``None`` for control.
        proposal: The candidate, where the ledger has it as it was tried.
        audition: What the arm's expert earned by itself; ``None`` without an expert.
        branches: The arm's branches, in the order in which they ended; one that goes on
            with a shorter one comes after it.
        hypothesis: What became of the candidate's hypothesis, in words.
    """

    check: Checked | None = None
    proposal: Proposal | None = None
    audition: Auditioned | None = None
    branches: list[BranchEnded] = field(default_factory=list)
    hypothesis: str = ""

    @property
    def whole(self) -> list[BranchEnded]:
        """The branches, each one once, as it ended."""
        return whole_branches(self.branches)

    @property
    def scores(self) -> list[float]:
        """Base returns of the branches that did not fail."""
        return [branch.score for branch in self.whole if not branch.error]

    @property
    def mean(self) -> float | None:
        """Mean base return of the branches; ``None`` if all of them failed."""
        return sum(self.scores) / len(self.scores) if self.scores else None


@dataclass
class Use:
    """Collects what became of one signal that a round swapped in.

    Attributes:
        swapped: The swap.
        decided: The decision for the signal; ``None`` where one before it had been
            given up, so that its turn came.
        audition: What the signal's expert earned by itself; ``None`` without an expert.
        branches: Number of branches that were trained beside the training since.
        settled: How the signal was settled; ``None`` if it was not.
        undone: How the swap was rolled back; ``None`` if it was not.
    """

    swapped: Swapped
    decided: Decided | None = None
    audition: Auditioned | None = None
    branches: int = 0
    settled: Settled | None = None
    undone: RolledBack | None = None

    @property
    def standing(self) -> Standing | None:
        """How sure the run was of the signal at the swap."""
        return standing_of(self.swapped)

    @property
    def effect_in_words(self) -> str:
        """What the signal was measured to be worth; empty where it was not."""
        if self.settled and self.settled.effect is not None:
            return effect_in_words(self.settled)
        effect = effect_in_words(self.decided) if self.decided else ""
        if not effect or self.standing == "confirmed":
            return effect
        return f"{effect}, in the screening that chose it"


@dataclass
class RoundRecord:
    """Collects what a ledger has of one round; what did not happen is ``None``.

    Attributes:
        started: The round's beginning.
        audition: What the expert in force earned by itself; ``None`` without an expert.
        tried: Trainer steps of the mainline when the first branch ended.
        previous: Evidence of the round before.
        uses: The signals that were swapped in, in order.
        arms: The arms by name, control first.
        auditions: The experts that played, in order.
        proposed: The candidates by their description, in one line.
        rejected: How often each candidate did not pass the checks, by its description
            and what was wrong with it.
        exchanges: Requests to a language model, and their answers.
        failures: Answers that the advisor did not give.
    """

    started: RoundStarted
    audition: Auditioned | None = None
    tried: int | None = None
    previous: Evidence | None = None
    observed: Observed | None = None
    diagnosed: Diagnosed | None = None
    decided: Decided | None = None
    finished: RoundFinished | None = None
    uses: list[Use] = field(default_factory=list)
    arms: dict[str, ArmRecord] = field(default_factory=dict)
    auditions: list[Auditioned] = field(default_factory=list)
    proposed: dict[str, Proposal] = field(default_factory=dict)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    exchanges: list[Exchange] = field(default_factory=list)
    failures: list[AdvisorFailed] = field(default_factory=list)

    def add(self, event: RoundEvent) -> None:
        """Takes one event of the round."""
        match event:
            case Observed():
                self.observed = event
            case Diagnosed():
                self.diagnosed = event
            case AdvisorFailed():
                self.failures.append(event)
            case Proposed(proposal=proposal):
                self.proposed[proposal.signal.describe()] = proposal
            case Auditioned():
                self.auditions.append(event)
            case Checked(name=None):
                self.rejected[event.describe, event.remark] += 1
            case Exchanged(exchange=exchange):
                self.exchanges.append(exchange)
            case Checked(name=str(name)):
                self._add_candidate(name, event)
            case BranchEnded():
                self._add_branch(event)
            case Decided():
                self.decided = event
                candidates = [arm for arm in self.arms.values() if arm.check]
                for arm, outcome in zip(candidates, event.outcome.arms, strict=False):
                    arm.hypothesis = outcome.hypothesis
            case Swapped():
                self._add_swap(event)
            case Settled() if self.uses:
                self.uses[-1].settled = event
            case RoundFinished():
                self.finished = event

    @property
    def result(self) -> str:
        """What the round came to, in a few words."""
        if self.uses:
            use = self.uses[-1]
            words = f"{use.standing} signal swapped in"
            if use.undone:
                return f"{words}, rolled back"
            if use.settled:
                return f"{words}, {settled_as(use.settled)}"
            return words
        if self.finished and self.finished.skipped:
            return "skipped"
        if self.decided:
            return "no change" if self.decided.winner is None else "to be swapped in"
        return "not decided"

    @property
    def effect_in_words(self) -> str:
        """The effect of the signal of the round, or of its best candidate."""
        if self.uses:
            return self.uses[-1].effect_in_words
        return effect_in_words(self.decided) if self.decided else ""

    @property
    def branches(self) -> dict[str, list[BranchEnded]]:
        """The branches of each arm by its name, control first."""
        return {name: arm.branches for name, arm in self.arms.items()}

    @property
    def paid(self) -> bool:
        """Whether any branch saw a base reward."""
        ended = (branch for arm in self.arms.values() for branch in arm.branches)
        return any(branch.largest for branch in ended)

    def colors(self) -> dict[str, str]:
        """Returns the color of each arm that is drawn."""
        return arm_colors(self.branches)

    def draw_arms(self) -> str:
        """Draws the learning curves of the arms.

        Returns:
            An SVG element; empty where no branch tells of its course.
        """
        return draw_arms(self.branches)

    def draw_scores(self) -> str:
        """Draws the scores of all branches, a row for every arm.

        Returns:
            An SVG element.
        """
        return draw_scores(self.branches)

    def number_of(self, claim: Claim) -> str:
        """Returns the number of the evidence that a claim speaks of, in brackets.

        Args:
            claim: The claim.
        """
        values = self.observed.evidence.values if self.observed else {}
        keys = [key for key in (claim.key, claim.than) if key in values]
        return f"({' and '.join(number(values[key]) for key in keys)})" if keys else ""

    def _add_candidate(self, name: str, event: Checked) -> None:
        """Takes a candidate that became an arm."""
        arm = self._arm(name)
        arm.check = event
        arm.proposal = self.proposed.get(event.describe)
        if arm.proposal is not None:
            arm.audition = self._played(arm.proposal.signal)

    def _played(self, signal: Signal) -> Auditioned | None:
        """Returns what the expert of a signal earned by itself."""
        known = [self.audition] if self.audition else []
        played = [event for event in [*known, *self.auditions] if event.is_of(signal)]
        return played[-1] if played else None

    def _add_branch(self, event: BranchEnded) -> None:
        """Takes a branch, which is one beside the training if a signal is in use."""
        self._arm(event.name).branches.append(event)
        if self.tried is None:
            self.tried = event.trainer_steps.mainline
        if self.uses:
            self.uses[-1].branches += 1

    def _add_swap(self, event: Swapped) -> None:
        """Takes a swap; one that a stopped run plays again is told once."""
        ids = [use.swapped.signal.id for use in self.uses]
        if event.signal.id in ids:
            del self.uses[ids.index(event.signal.id) :]
        decided = None if self.uses else self.decided
        self.uses.append(Use(event, decided, self._played(event.signal)))

    def _arm(self, name: str) -> ArmRecord:
        """Returns the arm of a name, which is new if it has no record yet."""
        if name not in self.arms:
            self.arms[name] = ArmRecord()
            if name == _CONTROL:  # branches end in any order
                self.arms[name].audition = self.audition
                self.arms = {name: self.arms.pop(name), **self.arms}
        return self.arms[name]


def collect_rounds(events: Iterable[Event]) -> list[RoundRecord]:
    """Collects the rounds of a run, in order.

    A round that was interrupted and played again is the round of its last playing.

    Args:
        events: The events of a ledger.
    """
    rounds: dict[int, RoundRecord] = {}
    active = ActiveSignal()
    for event in events:
        active.add(event)
        if isinstance(event, RoundStarted):
            rounds[event.round] = RoundRecord(event, active.audition)
        elif isinstance(event, RoundEvent) and event.round in rounds:
            rounds[event.round].add(event)
        elif isinstance(event, RolledBack):
            swapped = [use for entry in rounds.values() for use in entry.uses]
            if swapped:
                swapped[-1].undone = event
    previous = None
    for entry in rounds.values():
        entry.previous = previous
        if entry.observed is not None:
            previous = entry.observed.evidence
    return list(rounds.values())
