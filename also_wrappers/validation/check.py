"""Checks of candidates on recorded episodes, before any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.advisors.base import Proposal
from also_wrappers.exceptions import AlsoError
from also_wrappers.signal.batch import evaluate_batch
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal, Term
from also_wrappers.signal.shaper import parse_term
from also_wrappers.slots import EpisodeRows

__all__ = ["CheckResult", "check"]

#: Share of values that may be not finite.
_MOST_INVALID = 0.01
#: Size of what an episode is paid, as a multiple of the base reward's scale, above
#: which weights are scaled down.
_MOST_PAID = 10.0

CheckResult = tuple[Proposal | None, str]


def check(
    proposal: Proposal,
    features: FeatureMap,
    agents: Sequence[str],
    episodes: Sequence[EpisodeRows],
    tried: Sequence[Signal],
    reward_scale: float,
) -> CheckResult:
    """Checks one candidate.

    Args:
        proposal: The candidate.
        features: The vocabulary.
        agents: The team.
        episodes: Recorded feature rows for a dry run.
        tried: Signals that it must differ from: the active one, its siblings, and
            those that were rejected before.
        reward_scale: Size of the base return of a good episode.

    Returns:
        The candidate, scaled down where it would flood the base reward, or ``None``;
        and a sentence on what was wrong or changed, empty where nothing was.
    """
    signal = proposal.signal
    try:
        nodes = [parse_term(term, features, agents) for term in signal.terms]
    except AlsoError as error:
        return None, str(error)
    for other in tried:
        if _alike(signal, other):
            return None, "it is the same as one that is active or was tried already"
    if not signal.terms or not episodes:
        return proposal, ""
    paid = np.zeros(len(episodes))
    for term, node in zip(signal.terms, nodes, strict=True):
        values = [
            evaluate_batch(node, e.rows[1:], e.rows[:-1], e.alive[1:]) for e in episodes
        ]
        every = np.concatenate(
            [v[e.alive[1:]] for v, e in zip(values, episodes, strict=True)]
        )
        invalid = 1.0 - float(np.isfinite(every).mean()) if every.size else 0.0
        if invalid > _MOST_INVALID:
            return None, (
                f"term {term.name!r} is not finite in {invalid:.0%} of the recorded "
                "steps; guard divisions, roots and logarithms"
            )
        bounded = np.clip(np.nan_to_num(every), -term.bound, term.bound)
        if bounded.size and float(np.ptp(bounded)) < 1e-9:
            return None, (
                f"term {term.name!r} has the same value at every recorded step, so it "
                "cannot tell good behaviour from bad"
            )
        paid += [_size(term, v, e) for v, e in zip(values, episodes, strict=True)]
    largest = float(paid.mean())
    limit = _MOST_PAID * max(reward_scale, 1e-6)
    if largest <= limit:
        return proposal, ""
    factor = limit / largest
    terms = tuple(
        term.model_copy(update={"weight": float(f"{term.weight * factor:.3g}")})
        for term in signal.terms
    )
    return (
        proposal.model_copy(update={"signal": Signal(terms=terms)}),
        f"its weights were scaled by {factor:.3g}, because it would have paid "
        f"{largest:.3g} an episode where a good one earns {reward_scale:.3g}",
    )


def _size(term: Term, values: npt.NDArray[np.float64], episode: EpisodeRows) -> float:
    """Size of what a term pays in an episode: the sum of its sizes over steps."""
    bounded = np.clip(np.nan_to_num(values), -term.bound, term.bound)
    if term.kind != "bonus":
        bounded = np.diff(bounded, axis=0)
    return float(abs(term.weight) * np.abs(bounded).sum() / episode.rows.shape[1])


def _alike(one: Signal, other: Signal) -> bool:
    """Whether two signals differ in names and in weights by less than a tenth only."""
    if len(one.terms) != len(other.terms):
        return False
    return all(
        a.kind == b.kind
        and a.agents == b.agents
        and "".join(a.expression.split()) == "".join(b.expression.split())
        and abs(a.weight - b.weight) <= 0.1 * max(abs(a.weight), abs(b.weight))
        for a, b in zip(one.terms, other.terms, strict=True)
    )
