"""Terms of the signal: what each one paid, and whether it was switched off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import (
    Accumulator,
    Accumulators,
    highest,
    summed,
)
from also_wrappers.evidence.block import MAX_RECORDED_TERMS
from also_wrappers.evidence.effects import correlation, moments
from also_wrappers.evidence.numbers.counts import every_episode
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums
from also_wrappers.signal.shaper import MOST_INVALID

__all__ = ["Terms"]

_total = np.add.reduce


class Terms(Family):
    """What each term added to the reward of an episode."""

    scalars = ("term_episodes",)

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns numbers of each term, in the order of the terms."""
        return {
            "term": summed(MAX_RECORDED_TERMS),
            "term_size": summed(MAX_RECORDED_TERMS),
            "term_squared": summed(MAX_RECORDED_TERMS),
            "term_times_return": summed(MAX_RECORDED_TERMS),
            "term_invalid": highest(MAX_RECORDED_TERMS, empty=0.0),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the episodes of which it is known what the terms paid."""
        block, count = steps.block, steps.count
        known = block.has_terms[:count]
        if not known.any():
            return
        paid = block.paid[:count][known]
        totals.add({"term_episodes": float(known.sum())})
        totals["term"][...] += _total(paid)
        totals["term_size"][...] += _total(np.abs(paid))
        totals["term_squared"][...] += _total(paid * paid)
        totals["term_times_return"][...] += steps.returns[known] @ paid
        worst = totals["term_invalid"]
        np.maximum(worst, block.invalid[:count][known].max(axis=0), out=worst)

    def of_names(self, sums: Sums) -> Iterator[Number]:
        """Returns what each term of the active signal paid."""
        episodes = sums.at("term_episodes")
        if not episodes:
            return
        returns = every_episode(sums).returns
        size = max(float(sums["term_size"].sum()), 1e-12)
        for k, term in enumerate(sums.signal.terms):
            key = f"term.{term.name}"
            paid = moments(episodes, sums.at("term", k), sums.at("term_squared", k))
            yield f"{key}.paid", paid[0]
            yield f"{key}.share", sums.at("term_size", k) / size
            r = correlation(episodes, sums.at("term_times_return", k), paid, returns)
            still = "one of the two does not vary"
            yield f"{key}.correlation", still if r is None else r
            invalid = sums.at("term_invalid", k)
            yield f"{key}.invalid", invalid
            yield f"{key}.off", float(invalid >= MOST_INVALID)

    meanings = {
        "term.*.paid": Meaning("reward", "what the term added per episode and agent"),
        "term.*.share": Meaning("share", "of all that was added, by size"),
        "term.*.correlation": Meaning("-1 to 1", "of what it paid and the base return"),
        "term.*.invalid": Meaning("values", "that were not finite, in the worst copy"),
        "term.*.off": Meaning("0 or 1", "1 if it was switched off for that"),
    }
