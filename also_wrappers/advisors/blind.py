"""``BlindAdvisor``: random valid signals, the baseline that others have to beat."""

from __future__ import annotations

import random

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal, Term

__all__ = ["BlindAdvisor"]


class BlindAdvisor(Advisor):
    """Proposes without looking at the evidence.

    Args:
        seed: Seed of the random choices.

    Example:
        >>> BlindAdvisor(seed=1).name
        'blind'
    """

    name = "blind"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns a diagnosis without findings."""
        return Diagnosis(advice="anything")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Draws ``k`` random terms over one or two random features of the state."""
        return [self._proposal(situation) for _ in range(k)]

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
