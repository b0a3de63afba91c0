"""Declares the events of a round: one frozen model each, told apart by ``event``."""

from __future__ import annotations

from typing import Literal

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.stage import Stage
from also_wrappers.ledger.stamp import RoundEvent
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.model import Signal

__all__ = [
    "AdvisorFailed",
    "BranchEnded",
    "Checked",
    "Decided",
    "Diagnosed",
    "Exchanged",
    "Observed",
    "Planned",
    "Proposed",
    "Refined",
    "RoundFinished",
    "RoundStarted",
    "Settled",
    "Swapped",
    "Waited",
]


class RoundStarted(RoundEvent):
    """Records the beginning of a round.

    Attributes:
        signal: Id of the active signal.
    """

    event: Literal["round_started"] = "round_started"
    signal: str


class Observed(RoundEvent):
    """Records the evidence of the window that a round begins with.

    Attributes:
        stage: The learning stage.
        evidence: The evidence.
    """

    event: Literal["evidence"] = "evidence"
    stage: Stage
    evidence: Evidence


class Planned(RoundEvent):
    """Records how much a round may try.

    Attributes:
        wanted: Candidates that the user asked for.
        candidates: Candidates that the budget pays for.
        refinements: Replacements after the first results.
        horizon: Trainer steps of a branch.
        budget: Trainer steps that branches may still spend.
    """

    event: Literal["plan"] = "plan"
    wanted: int
    candidates: int
    refinements: int
    horizon: int
    budget: int


class Exchanged(RoundEvent):
    """Records one request to a language model and the answer.

    Attributes:
        exchange: Request and answer.
    """

    event: Literal["exchange"] = "exchange"
    exchange: Exchange


class Diagnosed(RoundEvent):
    """Records the diagnosis of a round.

    Attributes:
        diagnosis: The diagnosis.
    """

    event: Literal["diagnosis"] = "diagnosis"
    diagnosis: Diagnosis


class Proposed(RoundEvent):
    """Records one candidate as it was proposed.

    Attributes:
        proposal: The candidate.
        refined: Whether the candidate was proposed after the first results.
    """

    event: Literal["proposal"] = "proposal"
    proposal: Proposal
    refined: bool


class Checked(RoundEvent):
    """Records whether a candidate passed the checks.

    Attributes:
        signal: Id of the signal as it was proposed.
        passed: Whether the candidate became an arm.
        remark: What was wrong or changed; empty where nothing was.
        name: Name of the arm; ``None`` if the candidate was rejected.
        describe: The signal in one line, as it is tried.
    """

    event: Literal["check"] = "check"
    signal: str
    passed: bool
    remark: str
    name: str | None
    describe: str


class BranchEnded(RoundEvent):
    """Records what one branch measured.

    Attributes:
        name: Name of the arm.
        signal: Id of the arm's signal.
        arm: Index of the arm.
        phase: Phase of the gate that asked for the branch.
        index: Number of the replicate.
        stretch: Horizon of the branch as a multiple of the round's.
        seed: Seed of environments and sampling.
        trained: Trainer steps of the shorter branch that this branch extends.
        steps: Trainer steps that were trained, besides ``trained``.
        evaluation_steps: Trainer steps of evaluations, besides ``steps``.
        score: Mean base return of the episodes in the last half of the branch.
        standard_error: Standard error of ``score`` between the episodes.
        largest: Size of the largest base return of any episode of the branch.
        points: Mean base returns of equal parts of the branch, in order.
        errors: Standard errors of the points between episodes; ``None`` for a part in
            which fewer than two episodes ended.
        episodes: Number of episodes that were scored.
        shaped: Mean shaped return of these episodes.
        observed: Numbers of the branch's evidence that were asked for, by key.
        seconds: Wall-clock seconds.
        error: Why the branch failed; empty if it did not fail.
        done: How many of the branches that were requested together have ended.
        of: How many branches were requested together.
    """

    event: Literal["branch"] = "branch"
    name: str
    signal: str
    arm: int
    phase: Literal["screen", "confirm"]
    index: int
    stretch: float
    seed: int
    trained: int
    steps: int
    evaluation_steps: int
    score: float
    standard_error: float
    largest: float
    points: tuple[float, ...]
    errors: tuple[float | None, ...] = ()
    episodes: int
    shaped: float
    observed: dict[str, float]
    seconds: float
    error: str
    done: int
    of: int


class Refined(RoundEvent):
    """Records which arms joined a round after its first results.

    Attributes:
        added: Names of the arms that joined.
        hypotheses: What became of the hypotheses so far, in words.
    """

    event: Literal["refinement"] = "refinement"
    added: tuple[str, ...]
    hypotheses: tuple[str, ...]


class Decided(RoundEvent):
    """Records the decision of a round.

    Attributes:
        kind: Kind of the decision; see ``also_wrappers.gate.Decision``.
        winner: Name of the arm to swap in; ``None`` for no change.
        reason: The reason, in words.
        effect: Mean difference of the winner to control in base return.
        z: The statistic that was compared with ``critical``.
        pairs: Confirmation pairs that were run.
        critical: The critical value, if there is one.
        exploratory: Whether conditions decided, as no arm saw a base reward.
        branches: How many branches the round has trained.
        adopted: The branch that becomes the mainline, in words; empty for none.
        outcome: What became of the round, for the history.
    """

    event: Literal["decision"] = "decision"
    kind: str
    winner: str | None
    reason: str
    effect: float | None
    z: float | None
    pairs: int
    critical: float | None
    exploratory: bool
    branches: int
    adopted: str
    outcome: RoundOutcome


class Swapped(RoundEvent):
    """Records that a signal became the active one.

    Attributes:
        old: Id of the signal that was active.
        signal: The signal that is active now.
        describe: The signal in one line.
        since: Trainer steps of the lineage at which the signal became active; where a
            branch was adopted, those at which the branch began.
        provisional: Whether the signal is used before it is confirmed.
        exploratory: Whether only conditions, a hypothesis or an audition speak for the
            signal, and no base reward of a branch.
        promised: Base return that the signal's expert earns by itself, where that is
            known.
    """

    event: Literal["swap"] = "swap"
    old: str
    signal: Signal
    describe: str
    since: int
    provisional: bool
    exploratory: bool = False
    promised: float | None = None


class Settled(RoundEvent):
    """Records what became of a signal that was swapped in as provisional.

    Attributes:
        kind: ``"confirmed"``; ``"given_up"``, which takes the signal out; or
            ``"open"``, which leaves the signal in use as it is.
        reason: The reason, in words.
        effect: Mean difference of the signal to control in base return.
        z: The statistic that was compared with ``critical``.
        pairs: Fresh pairs of branches.
        critical: The critical value, if there is one.
        branches: Branches that were trained beside the training.
        lost_steps: Trainer steps by which the lineage became shorter with the weights
            of another branch; 0 where the weights stay.
        signal: The signal that is active now.
        promised: Base return that its expert earns by itself, where that is known.
    """

    event: Literal["settled"] = "settled"
    kind: Literal["confirmed", "given_up", "open"]
    reason: str
    effect: float | None = None
    z: float | None = None
    pairs: int = 0
    critical: float | None = None
    branches: int = 0
    lost_steps: int = 0
    signal: Signal
    promised: float | None = None


class AdvisorFailed(RoundEvent):
    """Records that an advisor gave no usable answer.

    Attributes:
        asked_for: The answer that was asked for, such as ``proposal``.
        error: What went wrong, in a sentence.
    """

    event: Literal["advisor_error"] = "advisor_error"
    asked_for: str
    error: str


class Waited(RoundEvent):
    """Records that training waits, or has waited, for an advisor.

    Attributes:
        advisor: Name of the advisor.
        seconds: How long training has waited; ``None`` where the wait begins.
    """

    event: Literal["waited"] = "waited"
    advisor: str
    seconds: float | None = None


class RoundFinished(RoundEvent):
    """Records the end of a round.

    Attributes:
        adopted_steps: Trainer steps of branches that became the mainline.
        lost_steps: Trainer steps of the lineage that the branch replaced: all steps
            since the branch's beginning.
        skipped: Why the round was not played; empty if it was played.
    """

    event: Literal["round_finished"] = "round_finished"
    adopted_steps: int = 0
    lost_steps: int = 0
    skipped: str = ""
