"""What every advisor is asked and what it answers. Answers are data, never code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.stage import Stage
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal

__all__ = ["Advisor", "Exchange", "Situation", "tried"]


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
        signals += [signal for signal in earlier if not signal.empty or same]
        signals += [] if outcome.control.empty else [outcome.control]
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
