"""``RecordedAdvisor``: the proposals of a ledger, or of a list, in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from also_wrappers.advisors.base import Exchange, Situation
from also_wrappers.exceptions import AdvisorError
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal

__all__ = ["RecordedAdvisor"]


class RecordedAdvisor:
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
        self.exchanges: list[Exchange] = []
        self._rounds = list(rounds)
        self._refinements = list(refinements)
        self._diagnoses = list(diagnoses)
        self._given: dict[tuple[int, int], int] = {}

    @classmethod
    def from_ledger(cls, path: Path) -> RecordedAdvisor:
        """Takes the answers of every round of a ledger that was played."""
        diagnoses: dict[int, Diagnosis] = {}
        rounds: dict[int, list[Proposal]] = {}
        refinements: dict[int, list[Proposal]] = {}
        for line in read_ledger(path):
            if line["event"] == "round_started":
                rounds[line["round"]] = []
                diagnoses[line["round"]] = Diagnosis(advice="none was recorded")
                refinements[line["round"]] = []
            elif line["event"] == "round_finished" and "skipped" in line:
                # Such a round is in no history, so nobody would ask for it.
                for kept in (rounds, refinements, diagnoses):
                    del kept[line["round"]]
            elif line["event"] == "diagnosis":
                diagnoses[line["round"]] = Diagnosis.model_validate(line["diagnosis"])
            elif line["event"] == "proposal":
                own = refinements if line["refined"] else rounds
                own[line["round"]].append(Proposal.model_validate(line["proposal"]))
        return cls(
            list(rounds.values()), list(refinements.values()), list(diagnoses.values())
        )

    def prepare(self) -> None:
        """Nothing to check."""

    def diagnose(self, situation: Situation) -> Diagnosis:
        """The round's diagnosis, whatever the situation is now."""
        round_number = len(situation.history)
        if round_number >= len(self._diagnoses):
            return Diagnosis(advice="none was recorded")
        return self._diagnoses[round_number]

    def propose(
        self, situation: Situation, diagnosis: Diagnosis, k: int
    ) -> list[Proposal]:
        """The round's next proposals."""
        round_number = len(situation.history)
        if round_number >= len(self._rounds):
            raise AdvisorError(f"the recording has {len(self._rounds)} rounds")
        return self._next(self._rounds, round_number, k)

    def refine(
        self,
        situation: Situation,
        diagnosis: Diagnosis,
        results: Sequence[ArmOutcome],
        k: int,
    ) -> list[Proposal]:
        """The same round's next replacements."""
        round_number = len(situation.history)
        if round_number >= len(self._refinements):
            return []
        return self._next(self._refinements, round_number, k)

    def rest(self) -> None:
        """Nothing to free."""

    def _next(
        self, recorded: list[Sequence[Proposal]], round_number: int, k: int
    ) -> list[Proposal]:
        """What has not been given in this round yet."""
        key = id(recorded), round_number
        begin = self._given.get(key, 0)
        self._given[key] = begin + k
        return list(recorded[round_number])[begin : begin + k]
