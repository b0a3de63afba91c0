"""What a signal would have paid in recorded episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.model import Signal, Term
from also_wrappers.signal.shaper import parse_term
from also_wrappers.signal.transitions import Payments, Transitions, bounded, payees

__all__ = ["ends", "pay_for_staying", "payments", "standing", "values"]

Array = npt.NDArray[np.float64]


def values(
    term: Term, features: FeatureMap, agents: Sequence[str], episode: EpisodeRows
) -> Array:
    """The values of a term's expression, before bounds and weight.

    Returns:
        For a bonus one per step, shape ``(steps, agents)``; else one per state, shape
        ``(steps + 1, agents)``; 0.0 for agents that are not there, nan where the
        expression has no value.
    """
    node = parse_term(term, features, agents)
    rows, alive = episode.rows, episode.alive
    if term.kind == "bonus":
        return evaluate_batch(node, rows[1:], rows[:-1], alive[1:])
    return evaluate_batch(node, rows, rows, alive)


def payments(
    signal: Signal,
    features: FeatureMap,
    agents: Sequence[str],
    episode: EpisodeRows,
    gamma: float,
    *,
    strict: bool = True,
) -> Array:
    """What a signal adds at every step of an episode, at its full strength.

    Args:
        signal: The signal.
        features: The vocabulary.
        agents: The team.
        episode: A recorded episode.
        gamma: The learner's discount factor.
        strict: Whether potentials are discounted and end with a terminated episode, as
            they are paid. Without, they are paid like progress: what they guide to.

    Returns:
        Shape ``(steps, agents)``.
    """
    rows, alive = episode.rows, episode.alive
    steps = Transitions(
        np.stack([rows[:-1], rows[1:]], axis=1),
        np.stack([alive[:-1], alive[1:]], axis=1),
        ends(episode) if strict else np.zeros(episode.rewards.shape, dtype=bool),
    )
    return Payments(signal, features, agents)(steps, gamma if strict else 1.0)


def pay_for_staying(
    signal: Signal, features: FeatureMap, agents: Sequence[str], episode: EpisodeRows
) -> Array:
    """What each state of an episode would pay every step if nothing changed.

    Progress pays nothing then. Potentials may pay, and keep the optimal policy all the
    same (Ng et al. 1999), so they are left out.

    Returns:
        Mean over agents, shape ``(steps,)``.
    """
    paid = np.zeros(episode.rewards.shape)
    here, there = episode.rows[1:], episode.alive[1:]
    for term in signal.terms:
        if term.kind == "bonus":
            node = parse_term(term, features, agents)
            found = bounded(term, evaluate_batch(node, here, here, there))
            paid += np.where(there & payees(term, agents), term.weight * found, 0.0)
    return np.asarray(paid.mean(axis=1))


def standing(
    signal: Signal, features: FeatureMap, agents: Sequence[str], episode: EpisodeRows
) -> float:
    """How well an episode ended in the eyes of a signal: potentials of its last state
    and all bonuses, mean over agents.

    The first state is left out: it is none of the agents' doing, and a lucky start
    leaves less to gain.
    """
    total = 0.0
    there = episode.alive
    for term in signal.terms:
        found = bounded(term, values(term, features, agents, episode))
        found = found * (term.weight * payees(term, agents))
        if term.kind == "bonus":
            total += float(found.sum())
        else:  # of each agent, the last state that it was there for
            last = len(there) - 1 - np.argmax(there[::-1], axis=0)
            total += float(found[last, np.arange(len(agents))].sum())
    return total / len(agents)


def ends(episode: EpisodeRows) -> npt.NDArray[np.bool_]:
    """At which steps an agent's episode terminated, shape ``(steps, agents)``."""
    there = episode.alive[1:]
    ends = np.zeros(there.shape, dtype=bool)
    ends[:-1] = there[:-1] & ~there[1:]
    if episode.terminated and episode.complete and len(ends):
        ends[-1] = there[-1]
    return ends
