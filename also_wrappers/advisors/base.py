"""What every advisor is asked and what it answers. Answers are data, never code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from also_wrappers.advisors.taxonomy import FAILURES, INTENTS
from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.stage import Stage
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal

__all__ = [
    "Advisor",
    "ArmOutcome",
    "Claim",
    "Diagnosis",
    "Exchange",
    "Expectation",
    "Finding",
    "Proposal",
    "Rejection",
    "RoundOutcome",
    "Situation",
    "tried",
]


def _named(known: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name[:40]!r} is none of {', '.join(known)}")
        return name

    return AfterValidator(check)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Key = Annotated[str, Field(max_length=120)]


class Claim(_Data):
    """A key of the evidence and what it is said to show.

    Attributes:
        key: Of the evidence.
        reads: What the number is said to be.
        than: For ``above`` and ``below``: another key, or a number.
    """

    key: _Key
    reads: Literal["low", "high", "negative", "positive", "zero", "above", "below"]
    than: _Key = ""


class Finding(_Data):
    """One thing that goes wrong, and the evidence for it.

    Attributes:
        failure: A name in ``FAILURES``.
        severity: How much it matters.
        confidence: How sure the Critic is.
        claims: What it rests on.
        argument: Why.
    """

    failure: Annotated[str, _named(FAILURES)]
    severity: Literal["minor", "moderate", "severe"]
    confidence: Literal["low", "medium", "high"] = "medium"
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()
    argument: Annotated[str, Field(max_length=600)] = ""


class Diagnosis(_Data):
    """What a Critic makes of the evidence.

    Attributes:
        stage: The learning stage as the Critic reads it; it may differ from the
            measured one.
        findings: What goes wrong, worst first.
        advice: What to try next.
        keep: What to leave alone.
        probes: Expressions to record as events in the next window, by name.
        insufficient: Whether the evidence is not enough to say anything.
    """

    stage: Stage | None = None
    findings: Annotated[tuple[Finding, ...], Field(max_length=5)] = ()
    advice: Annotated[str, Field(max_length=800)] = ""
    keep: Annotated[str, Field(max_length=400)] = ""
    probes: dict[str, str] = {}
    insufficient: bool = False


class Expectation(_Data):
    """What should happen to the evidence if a candidate helps as it is meant to."""

    key: _Key
    moves: Literal["up", "down"]


class Proposal(_Data):
    """A candidate signal with its reasons.

    Attributes:
        signal: The whole signal that would replace the active one.
        intent: What kind of change it is; a name in ``INTENTS``.
        rationale: Why it should help.
        hypothesis: Which number should move, and which way, if it does.
        answers: Keys of the evidence that it responds to.
    """

    signal: Signal
    intent: Annotated[str, _named(INTENTS)] = "new_term"
    rationale: Annotated[str, Field(max_length=1000)] = ""
    hypothesis: Expectation | None = None
    answers: Annotated[tuple[_Key, ...], Field(max_length=6)] = ()


class ArmOutcome(_Data):
    """What became of one candidate of a round.

    Attributes:
        signal: The candidate.
        intent: What kind of change it was.
        outcome: How it did, in words.
        score: Its mean base return; ``None`` if it was not tried or failed.
        hypothesis: What became of its hypothesis, in words; empty without one.
    """

    signal: Signal
    intent: str = ""
    outcome: str
    score: float | None = None
    hypothesis: str = ""


class Rejection(_Data):
    """A candidate that was rejected before training, and why."""

    signal: Signal
    reason: str


class RoundOutcome(_Data):
    """What became of a round; the history that keeps ideas from coming twice.

    Attributes:
        round: Its number.
        stage: The learning stage.
        control: The signal that was active.
        control_score: Control's mean base return.
        arms: The candidates that were trained.
        rejected: Those that were not.
        decision: The gate's reason.
        winner: Id of the signal that was swapped in.
    """

    round: int
    stage: str
    control: Signal = Signal()
    control_score: float | None
    arms: tuple[ArmOutcome, ...]
    rejected: tuple[Rejection, ...] = ()
    decision: str
    winner: str | None


@dataclass(frozen=True)
class Situation:
    """All that an advisor is told.

    Attributes:
        task: The user's description of the task.
        features: The vocabulary.
        agents: Names of the agents.
        signal: The active signal.
        evidence: What was seen since the last round.
        stage: The learning stage.
        progress: Share of the planned training that is done, 0 to 1.
        history: Earlier rounds.
        rejected: Candidates of this round that did not pass the checks; where there
            are any, ``propose`` is asked for others in their place.
    """

    task: str
    features: FeatureMap
    agents: tuple[str, ...]
    signal: Signal
    evidence: Evidence
    stage: Stage
    progress: float
    history: Sequence[RoundOutcome] = ()
    rejected: Sequence[Rejection] = ()


def tried(situation: Situation) -> list[Signal]:
    """Signals that must not be proposed again: the active one, all that rounds have
    trained or rejected so far.

    To go without a signal is another question after every swap, so the empty signal
    counts only where it was tried against the signal that is active now.
    """
    signals = [situation.signal, *(r.signal for r in situation.rejected)]
    for outcome in situation.history:
        earlier = [arm.signal for arm in outcome.arms]
        earlier += [rejection.signal for rejection in outcome.rejected]
        same = outcome.control.id == situation.signal.id
        signals += [signal for signal in earlier if signal.terms or same]
        signals += [outcome.control] if outcome.control.terms else []
    return list({signal.id: signal for signal in signals}.values())


@dataclass(frozen=True)
class Exchange:
    """One request to a language model and its answer, for the ledger.

    Attributes:
        role: What the model was asked as.
        prompt: The request.
        answer: What came back, cut to a length.
        model: The model's name.
        seconds: Wall-clock time.
        prompt_tokens: If the server says.
        answer_tokens: If the server says.
        problem: Why the answer could not be used; empty if it could.
        claims: What the answer says of the evidence: claims and cited keys.
        grounded: How much of that is so.
    """

    role: str
    prompt: str
    answer: str
    model: str
    seconds: float
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    problem: str = ""
    claims: int = 0
    grounded: int = 0


class Advisor(Protocol):
    """Who diagnoses and proposes. It never decides.

    Attributes:
        name: A short name for the record.
        exchanges: Requests and answers since the record was last written; whoever
            runs the loop moves them to the ledger.
    """

    name: str
    exchanges: list[Exchange]

    def prepare(self) -> None:
        """Checks before training that the advisor can work.

        Raises:
            ModelUnavailableError: A model that was named cannot be reached.
        """

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Says what goes wrong.

        Raises:
            AdvisorError: There is no usable answer.
        """

    def propose(
        self, situation: Situation, diagnosis: Diagnosis, k: int
    ) -> list[Proposal]:
        """Returns up to ``k`` candidates.

        Asked once more in a round if some were rejected (``situation.rejected``), for
        as many others.

        Raises:
            AdvisorError: There is no usable answer.
        """

    def refine(
        self,
        situation: Situation,
        diagnosis: Diagnosis,
        results: Sequence[ArmOutcome],
        k: int,
    ) -> list[Proposal]:
        """Returns up to ``k`` replacements, knowing how the candidates did.

        Asked once more if some were rejected, as ``propose`` is.

        Raises:
            AdvisorError: There is no usable answer.
        """

    def rest(self) -> None:
        """The round is over: memory that only asking needs may be freed."""
