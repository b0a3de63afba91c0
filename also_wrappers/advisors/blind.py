"""``BlindAdvisor``: random valid signals, the baseline that others have to beat."""

from __future__ import annotations

import random
from collections.abc import Sequence

from also_wrappers.advisors.base import Exchange, Situation
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal, Term

__all__ = ["BlindAdvisor"]


class BlindAdvisor:
    """Proposes without looking at the evidence.

    Args:
        seed: Of its random choices.

    Example:
        >>> BlindAdvisor(seed=1).name
        'blind'
    """

    name = "blind"

    def __init__(self, seed: int = 0) -> None:
        self.exchanges: list[Exchange] = []
        self._random = random.Random(seed)

    def prepare(self) -> None:
        """Nothing to check."""

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Says nothing."""
        return Diagnosis(advice="anything")

    def propose(
        self, situation: Situation, diagnosis: Diagnosis, k: int
    ) -> list[Proposal]:
        """Random terms over one or two random features of the state."""
        return [self._proposal(situation) for _ in range(k)]

    def refine(
        self,
        situation: Situation,
        diagnosis: Diagnosis,
        results: Sequence[ArmOutcome],
        k: int,
    ) -> list[Proposal]:
        """Further random terms."""
        return [self._proposal(situation) for _ in range(k)]

    def rest(self) -> None:
        """Nothing to free."""

    def _proposal(self, situation: Situation) -> Proposal:
        pick = self._random
        names = [
            name
            for name in situation.features.names
            if name not in situation.features.action_names
        ]
        wrappers = ["{}"]
        if len(situation.agents) > 1:
            wrappers += ["team_mean({})", "team_max({})", "team_min({})"]
        parts = [
            f"{pick.choice([-1.0, 1.0]) * round(pick.uniform(0.2, 1.0), 2):g} * "
            + pick.choice(wrappers).format(name)
            for name in pick.sample(names, min(len(names), pick.choice([1, 2])))
        ]
        kind = pick.choice(list(KINDS))
        weight = round(pick.uniform(0.1, 2.0), 2) * KINDS[kind].usual_weight
        term = Term(
            name="random", kind=kind, expression=" + ".join(parts), weight=weight
        )
        return Proposal(signal=Signal(terms=(term,)), rationale="drawn at random")
