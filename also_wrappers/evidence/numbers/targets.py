"""Targets: which of several targets each agent is nearest to, and whether they crowd.

A step counts if two agents take part and two targets are left. The step is crowded if
two agents are nearest to the same target, although another one is left.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import Accumulator, Accumulators, summed
from also_wrappers.evidence.effects import apart
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Targets"]

_total = np.add.reduce


class Targets(Family):
    """Steps towards each target; nothing is added where no feature tells targets."""

    scalars = ("crowded_steps", "targeted_steps")
    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns steps at which each agent is nearest to each target."""
        targets = max(len(scope.targets), 1)
        return {"target_steps": summed(len(scope.agents), targets)}

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds steps by their nearest targets."""
        targets = steps.scope.targets
        if not targets:
            return
        rows = steps.rows[:, :, 1:]
        distance = rows[:, [column for column, _ in targets]]
        left = np.ones(distance.shape, dtype=bool)
        for k, (_, column) in enumerate(targets):
            if column >= 0:
                left[:, k] = rows[:, column] > 0.0
        nearest = np.where(left, distance, np.inf).argmin(axis=1)
        enough = (_total(left, axis=1) >= 2) & steps.acted
        choices = np.arange(len(targets))[None, :, None]
        toward = (nearest[:, None] == choices) & enough[:, None]
        totals["target_steps"][...] += _total(toward, axis=2)
        counted = _total(enough) >= 2
        crowded = (_total(toward) >= 2).any(axis=0) & counted
        totals.add(
            {
                "crowded_steps": float(crowded.sum()),
                "targeted_steps": float(counted.sum()),
            }
        )

    def of_team(self, sums: Sums) -> Iterator[Number]:
        """Returns whether agents crowd, and keep to targets of their own."""
        if not sums.scope.targets:
            return
        counted = sums.at("targeted_steps")
        if counted:
            yield "team.target.crowding", sums.at("crowded_steps") / counted
            yield "team.target.specialisation", apart(sums["target_steps"])
        else:
            why = "never two agents and two targets at a time"
            yield "team.target.crowding", why

    meanings = {
        "team.target.crowding": Meaning(
            "share",
            "steps in which two agents are nearest to the same of several targets",
        ),
        "team.target.specialisation": Meaning(
            "0 to 1", "how far agents keep to different targets"
        ),
    }
