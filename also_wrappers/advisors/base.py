"""What every advisor is asked and what it answers. Answers are data, never code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.stage import Stage
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal

__all__ = [
    "FAILURES",
    "INTENTS",
    "Advisor",
    "ArmOutcome",
    "Claim",
    "Diagnosis",
    "Exchange",
    "Finding",
    "Proposal",
    "RoundOutcome",
    "Situation",
]

#: Failures of learning and of coordination that a finding may name, in words.
FAILURES: dict[str, str] = {
    "no_reward_seen": "the base reward is so rare that it teaches nothing",
    "no_approach": "agents do not move towards the states that come before a reward",
    "partial_progress": "agents reach part of what is needed and not the rest",
    "miscoordination": "agents do the right thing at different times or places",
    "crowding": "agents get into each other's way or do one agent's work together",
    "idleness": "an agent often changes nothing",
    "dithering": "agents undo their last step again and again",
    "stagnation": "the base return no longer changes",
    "reward_hacking": "what the signal pays rises while the base return does not",
    "flooding": "what the signal pays outweighs the base reward of a success",
}

INTENTS: dict[str, str] = {
    "new_term": "add a term, or begin with one",
    "reweight": "change weights",
    "change_kind": "change the kind of a term",
    "remove": "take a term away",
    "combine": "join terms that help in different ways",
}

_Failure = Literal[
    "no_reward_seen",
    "no_approach",
    "partial_progress",
    "miscoordination",
    "crowding",
    "idleness",
    "dithering",
    "stagnation",
    "reward_hacking",
    "flooding",
]
_Intent = Literal["new_term", "reweight", "change_kind", "remove", "combine"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Claim(_Data):
    """A key of the evidence and what it is said to show."""

    key: Annotated[str, Field(max_length=120)]
    reads: Literal["low", "high", "negative", "positive", "zero"]


class Finding(_Data):
    """One thing that goes wrong, and the evidence for it."""

    failure: _Failure
    severity: Literal["minor", "moderate", "severe"]
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()
    argument: Annotated[str, Field(max_length=600)] = ""


class Diagnosis(_Data):
    """What a Critic makes of the evidence.

    Attributes:
        findings: What goes wrong, worst first.
        advice: What to try next.
        keep: What to leave alone.
        probes: Expressions to record as events in the next window, by name.
        insufficient: Whether the evidence is not enough to say anything.
    """

    findings: Annotated[tuple[Finding, ...], Field(max_length=5)] = ()
    advice: Annotated[str, Field(max_length=800)] = ""
    keep: Annotated[str, Field(max_length=400)] = ""
    probes: dict[str, str] = {}
    insufficient: bool = False


class Proposal(_Data):
    """A candidate signal with its reasons.

    Attributes:
        signal: The whole signal that would replace the active one.
        intent: What kind of change it is.
        rationale: Why it should help.
        hypothesis: Which evidence key should move, and which way, if it does.
    """

    signal: Signal
    intent: _Intent = "new_term"
    rationale: Annotated[str, Field(max_length=1000)] = ""
    hypothesis: Annotated[str, Field(max_length=400)] = ""


class ArmOutcome(_Data):
    """What became of one candidate of a round."""

    signal: Signal
    intent: str = ""
    outcome: str
    score: float | None = None


class RoundOutcome(_Data):
    """What became of a round; the history that keeps ideas from coming twice."""

    round: int
    stage: str
    control_score: float | None
    arms: tuple[ArmOutcome, ...]
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
    """

    task: str
    features: FeatureMap
    agents: tuple[str, ...]
    signal: Signal
    evidence: Evidence
    stage: Stage
    progress: float
    history: Sequence[RoundOutcome] = ()


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
        claims: Claims about the evidence in the answer.
        grounded: Those of them that agree with the evidence.
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

        Raises:
            AdvisorError: There is no usable answer.
        """
