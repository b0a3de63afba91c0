"""Proposes random signals with ``BlindAdvisor``, a baseline for other advisors."""

from __future__ import annotations

import random
from collections.abc import Sequence

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Expert, Rule, Signal, Term

__all__ = ["BlindAdvisor"]


#: Number of random experts that play in a round, and the most rules of an expert.
_EXPERTS, _RULES = 10, 3


class BlindAdvisor(Advisor):
    """Proposes random signals, without looking at the evidence.

    Args:
        seed: Seed of the random choices.

    Example:
        >>> BlindAdvisor(seed=1).name
        'blind'
    """

    name = "blind"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns a diagnosis without findings."""
        return Diagnosis(advice="anything")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Draws ``k`` random terms over one or two random features of the state."""
        pick = self._chance(situation)
        return [_proposal(situation, pick) for _ in range(k)]

    def experts(self, situation: Situation) -> list[Proposal]:
        """Draws experts with random rules, once a round."""
        if situation.actions is None or situation.played:
            return []
        says = situation.actions.says
        pick = self._chance(situation)
        return [_expert(situation, says, pick) for _ in range(_EXPERTS)]

    def _chance(self, situation: Situation) -> random.Random:
        """Returns randomness that depends on the seed and the situation alone."""
        outcomes = (situation.history, situation.rejected, situation.results)
        counts = "/".join(str(len(outcome)) for outcome in outcomes)
        return random.Random(f"{self._seed}/{counts}")


def _expert(situation: Situation, says: Sequence[str], pick: random.Random) -> Proposal:
    rules = []
    for _ in range(pick.randint(1, _RULES)):
        name = pick.choice(_of_state(situation))
        key = f"feature.{name}"
        low = situation.evidence.values.get(f"{key}.min", 0.0)
        high = situation.evidence.values.get(f"{key}.max", 1.0)
        when = f"{name} {pick.choice('<>')} {pick.uniform(low, high):.3g}"
        rules.append(Rule(when=when, do=pick.choice(says)))
    return Proposal(
        signal=Signal(expert=Expert(rules=tuple(rules))),
        intent="expert",
        rationale="drawn at random",
    )


def _proposal(situation: Situation, pick: random.Random) -> Proposal:
    names = _of_state(situation)
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
    term = Term(name="random", kind=kind, expression=" + ".join(parts), weight=weight)
    return Proposal(signal=Signal(terms=(term,)), rationale="drawn at random")


def _of_state(situation: Situation) -> list[str]:
    """Returns the names of the features that do not depend on the action."""
    features = situation.features
    return [name for name in features.names if name not in features.action_names]
