"""Computes what a signal would have paid in recorded episodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.signal.transitions import ParsedTerm, Payments, Transitions

__all__ = ["ends", "net", "pay_for_staying", "payments", "values", "worth_of_end"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def values(parsed: ParsedTerm, episode: EpisodeRows) -> tuple[Array, Mask]:
    """Computes the values of a term's expression, before bound and weight.

    Returns:
        The values: one per state in terms of a state, shape ``(steps + 1, agents)``,
        otherwise one per step, shape ``(steps, agents)``; 0.0 for absent agents, nan
        where the expression has no value. And a mask of the present agents, in the same
        shape.
    """
    rows, alive = episode.rows, episode.alive
    if parsed.kind.of_state:
        return parsed.values(rows, rows, alive), alive
    return parsed.values(rows[1:], rows[:-1], alive[1:]), alive[1:]


def payments(
    pay: Payments | ParsedTerm,
    episode: EpisodeRows,
    gamma: float,
    *,
    strict: bool = True,
) -> Array:
    """Computes the payments of a signal at every step of an episode.

    Args:
        pay: Computes the payments of a signal, or of one of its terms.
        episode: A recorded episode.
        gamma: The learner's discount factor.
        strict: Whether potentials are discounted and end with a terminated episode, as
            they are paid in training. If False, potentials are paid like progress,
            which shows what they guide to.

    Returns:
        Payments at full strength, shape ``(steps, agents)``.
    """
    rows, alive = episode.rows, episode.alive
    steps = Transitions(
        np.stack([rows[:-1], rows[1:]], axis=1),
        np.stack([alive[:-1], alive[1:]], axis=1),
        ends(episode) if strict else np.zeros(episode.rewards.shape, dtype=bool),
    )
    return pay(steps, gamma if strict else 1.0)


def net(paid: Array) -> Array:
    """Computes the size of the largest net payment of any stretch of an episode.

    Going back and forth nets to nothing, however often. A whole approach nets to all
    that it pays, also in an episode that goes away again.

    Args:
        paid: What is added at every step, shape ``(steps, agents)``.

    Returns:
        The size for each agent, shape ``(agents,)``.

    Example:
        >>> net(np.array([[1.0], [-1.0], [1.0], [1.0], [-0.5]]))
        array([2.])
    """
    running = np.cumsum(np.vstack([np.zeros_like(paid[:1]), paid]), axis=0)
    return np.asarray(np.ptp(running, axis=0))


def pay_for_staying(pay: Payments, episode: EpisodeRows) -> Array:
    """Computes what each state would pay at every step if nothing changed.

    Terms of a state are left out: progress pays nothing for staying, and a potential
    keeps the optimal policy whatever it pays (Ng et al. 1999).

    Returns:
        Mean over agents, shape ``(steps,)``.
    """
    paid = np.zeros(episode.rewards.shape)
    here, there = episode.rows[1:], episode.alive[1:]
    for parsed in pay.terms:
        if not parsed.kind.of_state:
            bounded = parsed.bounded(parsed.values(here, here, there))
            paid += np.where(there & parsed.payees, parsed.term.weight * bounded, 0.0)
    return np.asarray(paid.mean(axis=1))


def worth_of_end(pay: Payments, episode: EpisodeRows) -> float:
    """Computes how much a signal values the end of an episode, mean over agents.

    The sum is of Phi of the last state and of all bonuses. Phi of the first state is
    left out, as agents do not choose their first state.
    """
    total = 0.0
    there = episode.alive
    agents = len(there[0])
    for parsed in pay.terms:
        worth = parsed.bounded(values(parsed, episode)[0])
        worth = worth * (parsed.term.weight * parsed.payees)
        if parsed.kind.of_state:  # each agent's last state
            last = len(there) - 1 - np.argmax(there[::-1], axis=0)
            total += float(worth[last, np.arange(agents)].sum())
        else:
            total += float(worth.sum())
    return total / agents


def ends(episode: EpisodeRows) -> Mask:
    """Marks the steps at which an agent's episode terminated, ``(steps, agents)``."""
    there = episode.alive[1:]
    ends = np.zeros(there.shape, dtype=bool)
    ends[:-1] = there[:-1] & ~there[1:]
    if episode.terminated and episode.complete and len(ends):
        ends[-1] = there[-1]
    return ends
