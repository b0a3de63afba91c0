"""What a signal pays for many transitions at once, in any order.

A transition is what one step of an environment copy made of a team: its features
before and after, who was there, and whose episode terminated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.language.arrays import evaluate_binary
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.model import Signal, Term
from also_wrappers.signal.shaper import parse_term

__all__ = ["Payments", "Transitions", "bounded", "decode", "encode", "payees"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: What became of an agent in a step, in the last column of an encoded transition.
_ABSENT, _THERE, _TERMINATED, _TRUNCATED = range(4)


@dataclass(frozen=True)
class Transitions:
    """Steps of a team.

    Attributes:
        rows: Features that the steps began with and those that they arrived at, shape
            ``(..., 2, agents, features)``.
        present: Who was there before and who took part, shape ``(..., 2, agents)``.
        ended: Whose potentials end with the step, shape ``(..., agents)``.
    """

    rows: Array
    present: Mask
    ended: Mask


def encode(
    before: Sequence[Sequence[float]],
    was: Sequence[int],
    after: Sequence[Sequence[float]],
    there: Sequence[int],
    terminated: Sequence[int],
    truncated: Sequence[int],
) -> npt.NDArray[np.float32]:
    """One transition as an array, for infos and replay buffers.

    Args:
        before: Features that the step began with, ``[agent][feature]``.
        was: Places of the agents that were there.
        after: Features that it arrived at.
        there: Places of the agents that took part.
        terminated: Those of them whose episode terminated.
        truncated: Those of them whose episode was truncated.

    Returns:
        Shape ``(2, agents, features + 1)``: before and after, and in the last column
        what became of the agent. Features are rounded to single precision.
    """
    agents, features = len(after), len(after[0])
    told = np.zeros((2, agents, features + 1), dtype=np.float32)
    with np.errstate(over="ignore"):
        told[0, :, :-1] = before
        told[1, :, :-1] = after
    told[0, was, -1] = _THERE
    told[1, there, -1] = _THERE
    told[1, truncated, -1] = _TRUNCATED
    told[1, terminated, -1] = _TERMINATED
    return told


def decode(
    told: npt.NDArray[np.float32], bootstraps_truncation: bool = True
) -> Transitions:
    """Encoded transitions, ready to be paid for.

    Args:
        told: Shape ``(..., 2, agents, features + 1)``.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes; where
            it does not, potentials end with them.

    Example:
        >>> told = encode([[1.0]], [0], [[2.0]], [0], [], [0])
        >>> decode(told).ended, decode(told, bootstraps_truncation=False).ended
        (array([False]), array([ True]))
    """
    became = told[..., -1]
    ended = became[..., 1, :] == _TERMINATED
    if not bootstraps_truncation:
        ended |= became[..., 1, :] == _TRUNCATED
    return Transitions(told[..., :-1].astype(np.float64), became != _ABSENT, ended)


class Payments:
    """What a signal adds to the rewards of transitions, at its full strength.

    Agrees with what ``Shaper`` pays step by step, but that no term is ever switched
    off: a value that is not finite counts as 0, here as there.

    Args:
        signal: The signal.
        features: The vocabulary.
        agents: The team.

    Raises:
        ExpressionError: A term's expression is not valid.

    Example:
        >>> from also_wrappers.signal import Feature
        >>> near = Term(name="near", kind="potential", expression="-d", weight=1.0)
        >>> features = FeatureMap(Feature("d", "obs[0]"))
        >>> payments = Payments(Signal(terms=(near,)), features, ["agent"])
        >>> payments(decode(encode([[4.0]], [0], [[2.0]], [0], [], [])), gamma=0.5)
        array([3.])
    """

    def __init__(
        self, signal: Signal, features: FeatureMap, agents: Sequence[str]
    ) -> None:
        self._terms = [
            (term, binary(parse_term(term, features, agents)), payees(term, agents))
            for term in signal.terms
        ]

    def __call__(self, transitions: Transitions, gamma: float) -> Array:
        """Pays.

        Args:
            transitions: The transitions.
            gamma: The learner's discount factor.

        Returns:
            Shape ``(..., agents)``; 0.0 for agents that took no part.
        """
        rows, present = transitions.rows, transitions.present
        before, after = rows[..., 0, :, :], rows[..., 1, :, :]
        there = present[..., 1, :]
        # An agent that comes in has no potential to leave behind.
        stayed = present[..., 0, :] & there
        paid = np.zeros(there.shape)
        for term, node, paying in self._terms:
            if term.kind == "bonus":
                found = bounded(term, evaluate_binary(node, after, before, there))
                paid += np.where(there & paying, term.weight * found, 0.0)
                continue
            phi = bounded(term, evaluate_binary(node, rows, rows, present))
            past, found = phi[..., 0, :], phi[..., 1, :]
            if term.kind == "potential":
                found = gamma * np.where(transitions.ended, 0.0, found)
            paid += np.where(stayed & paying, term.weight * (found - past), 0.0)
        return paid


def bounded(term: Term, values: Array) -> Array:
    """Clipped as the shaper does; what is not finite counts as 0."""
    return np.clip(np.where(np.isfinite(values), values, 0.0), -term.bound, term.bound)


def payees(term: Term, agents: Sequence[str]) -> Mask:
    """Which agents a term pays, shape ``(agents,)``."""
    return np.array([term.agents is None or agent in term.agents for agent in agents])
