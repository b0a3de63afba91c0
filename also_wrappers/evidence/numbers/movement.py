"""Movement of each agent: whether its own state moves, stays or goes back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import Accumulator, Accumulators, summed
from also_wrappers.evidence.numbers.detail import steps_of
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Movement"]

_total = np.add.reduce


class Movement(Family):
    """Steps that change nothing, and steps that undo the step before."""

    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns steps of each agent."""
        agents = len(scope.agents)
        return {"idle_steps": summed(agents), "back_steps": summed(agents)}

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the steps whose state features are those of the state before."""
        own = list(steps.scope.state)
        rows = steps.rows
        state = rows if len(own) == rows.shape[1] else rows[:, own]
        still = (state[:, :, 1:] == state[:, :, :-1]).all(axis=1)
        totals["idle_steps"][...] += _total(still & steps.acted, axis=1)
        back = (state[:, :, 2:] == state[:, :, :-2]).all(axis=1) & ~still[:, 1:]
        follows = steps.acted[:, 1:] & steps.valid[:-1]
        totals["back_steps"][...] += _total(back & follows, axis=1)

    def of_agent(self, sums: Sums, i: int) -> Iterator[Number]:
        """Returns how often an agent stays and goes back."""
        agent = sums.scope.agents[i]
        steps, pairs = steps_of(sums, i)
        yield f"{agent}.action.idle_share", sums.at("idle_steps", i) / steps
        yield f"{agent}.move.back_share", sums.at("back_steps", i) / pairs

    meanings = {
        "*.action.idle_share": Meaning(
            "share", "steps that change none of its features"
        ),
        "*.move.back_share": Meaning("share", "steps that undo the step before"),
    }
