"""Repeats the proposals of a ledger, or of a list, with ``RecordedAdvisor``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.exceptions import AdvisorError, ConfigurationError
from also_wrappers.ledger.events import (
    Diagnosed,
    Proposed,
    RoundFinished,
    RoundStarted,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal

__all__ = ["RecordedAdvisor"]

_NO_DIAGNOSIS = Diagnosis(advice="none was recorded")


class RecordedAdvisor(Advisor):
    """Answers from a recording, so that a run can be repeated without a model.

    Args:
        rounds: The proposals of each round, in order.
        refinements: The replacements of each round, in order.
        diagnoses: The diagnosis of each round, in order.

    Example:
        >>> from also_wrappers.proposals import Proposal
        >>> from also_wrappers.signal import Signal, Term
        >>> go = Term(name="go", kind="progress", expression="x", weight=1.0)
        >>> RecordedAdvisor([[Proposal(signal=Signal(terms=(go,)))]]).name
        'recorded'
    """

    name = "recorded"

    def __init__(
        self,
        rounds: Sequence[Sequence[Proposal]],
        refinements: Sequence[Sequence[Proposal]] = (),
        diagnoses: Sequence[Diagnosis] = (),
    ) -> None:
        super().__init__()
        self._rounds = list(rounds)
        self._refinements = list(refinements)
        self._diagnoses = list(diagnoses)
        self._given: dict[tuple[int, bool], int] = {}

    @classmethod
    def from_ledger(cls, path: str | Path) -> RecordedAdvisor:
        """Reads the answers of every round that a ledger has recorded.

        Args:
            path: The ``ledger.jsonl`` of a run.

        Raises:
            ConfigurationError: There is no such file, or a line of it is no event of
                this version.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigurationError(
                f"there is no ledger at {path}; give the ledger.jsonl of a run"
            )
        rounds: dict[int, list[Proposal]] = {}
        refinements: dict[int, list[Proposal]] = {}
        diagnoses: dict[int, Diagnosis] = {}
        for event in read_ledger(path):
            match event:
                case RoundStarted(round=number):
                    rounds[number] = []
                    refinements[number] = []
                    diagnoses[number] = _NO_DIAGNOSIS
                case Diagnosed(round=number, diagnosis=diagnosis):
                    diagnoses[number] = diagnosis
                case Proposed(round=number, proposal=proposal, refined=refined):
                    (refinements if refined else rounds)[number].append(proposal)
                case RoundFinished(round=number, skipped=skipped) if skipped:
                    # A skipped round is in no history, so nobody would ask for it.
                    del rounds[number], refinements[number], diagnoses[number]
        return cls(
            list(rounds.values()), list(refinements.values()), list(diagnoses.values())
        )

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns the recorded diagnosis of the round."""
        index = len(situation.history)
        recorded = index < len(self._diagnoses)
        return self._diagnoses[index] if recorded else _NO_DIAGNOSIS

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Returns the recorded proposals of the round, or its replacements.

        Raises:
            AdvisorError: The recording has fewer rounds.
        """
        index = len(situation.history)
        refined = bool(situation.results)
        recorded = self._refinements if refined else self._rounds
        if index >= len(recorded):
            if refined:
                return []
            raise AdvisorError(f"the recording has only {len(self._rounds)} rounds")
        begin = self._given.get((index, refined), 0)
        self._given[index, refined] = begin + k
        return list(recorded[index][begin : begin + k])
