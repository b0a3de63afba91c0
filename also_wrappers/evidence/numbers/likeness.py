"""Likeness: how alike the agents act, where all have the same discrete actions."""

from __future__ import annotations

from collections.abc import Iterator

from also_wrappers.evidence.accumulators import Accumulators
from also_wrappers.evidence.effects import apart
from also_wrappers.evidence.numbers.actions import choices_of_team
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Likeness"]


class Likeness(Family):
    """Steps in which all agents take part, and those in which all act alike."""

    scalars = ("same_action_steps", "together_steps")
    in_detail = True

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds steps, if the actions of the agents can be compared."""
        if not steps.scope.alike:
            return
        together = steps.acted.all(axis=0)
        actions = steps.actions
        same = (actions == actions[:1]).all(axis=(0, 1)) & together
        totals.add(
            {
                "same_action_steps": float(same.sum()),
                "together_steps": float(together.sum()),
            }
        )

    def of_team(self, sums: Sums) -> Iterator[Number]:
        """Returns how alike the agents act, at a step and over the window."""
        together = sums.at("together_steps")
        if together:
            same = sums.at("same_action_steps")
            yield "team.action.same_share", same / together
            yield "team.action.specialisation", apart(choices_of_team(sums))

    meanings = {
        "team.action.same_share": Meaning(
            "share", "steps in which all agents act alike"
        ),
        "team.action.specialisation": Meaning(
            "0 to 1", "how far agents' action distributions differ"
        ),
    }
