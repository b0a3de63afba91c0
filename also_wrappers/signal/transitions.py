"""Computes what a signal pays for many transitions at once, in any order.

A transition is one step of the team of an environment copy: features before and after
the step, the agents that were present, and the agents whose episode terminated.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import KINDS, Kind
from also_wrappers.signal.language.arrays import evaluate_binary
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import Node
from also_wrappers.signal.model import Signal, Term
from also_wrappers.signal.shaper import parse_term

__all__ = ["ParsedTerm", "Payments", "Transitions", "decode", "encode", "encode_batch"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Codes in the last column of an encoded transition: what became of an agent.
_ABSENT, _THERE, _TERMINATED, _TRUNCATED = range(4)


@dataclass(frozen=True)
class Transitions:
    """Holds the features and presence of a team before and after many steps.

    Attributes:
        rows: Features before and after each step, shape ``(..., 2, agents,
            features)``.
        present: True for agents that were present before, and for agents that took part
            in the step, shape ``(..., 2, agents)``.
        ended: True for agents whose potentials end with the step, shape ``(...,
            agents)``.
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
    """Encodes one transition as an array, for infos and replay buffers.

    Args:
        before: Features that the step began with, ``[agent][feature]``.
        was: Places of the agents that were present before the step.
        after: Features that the step arrived at, in that form.
        there: Places of the agents that took part.
        terminated: Places among ``there`` whose episode terminated.
        truncated: Places among ``there`` whose episode was truncated.

    Returns:
        Shape ``(2, agents, features + 1)``: before and after, and in the last column
        what became of the agent. Features are rounded to single precision.
    """
    agents, features = len(after), len(after[0])
    encoded = np.zeros((2, agents, features + 1), dtype=np.float32)
    with np.errstate(over="ignore"):
        encoded[0, :, :-1] = before
        encoded[1, :, :-1] = after
    encoded[0, was, -1] = _THERE
    encoded[1, there, -1] = _THERE
    encoded[1, truncated, -1] = _TRUNCATED
    encoded[1, terminated, -1] = _TERMINATED
    return encoded


def encode_batch(
    before: Array, after: Array, terminated: Mask, truncated: Mask
) -> npt.NDArray[np.float32]:
    """Encodes the transitions of many environments whose agents stay to the end.

    Args:
        before: Features that the steps began with, shape ``(features, agents,
            environments)``.
        after: Features that the steps arrived at, in that shape.
        terminated: True where an episode terminated, shape ``(agents, environments)``.
        truncated: True where an episode was truncated, in that shape.

    Returns:
        Shape ``(environments, 2, agents, features + 1)``: what ``encode`` writes for
        each environment.
    """
    features, agents, count = after.shape
    encoded = np.empty((count, 2, agents, features + 1), dtype=np.float32)
    with np.errstate(over="ignore"):
        encoded[:, 0, :, :-1] = before.T
        encoded[:, 1, :, :-1] = after.T
    encoded[..., -1] = _THERE
    became = np.where(truncated, _TRUNCATED, _THERE)
    encoded[:, 1, :, -1] = np.where(terminated, _TERMINATED, became).T
    return encoded


def decode(
    encoded: npt.NDArray[np.float32], bootstraps_truncation: bool = True
) -> Transitions:
    """Decodes encoded transitions into the form that payments take.

    Args:
        encoded: Shape ``(..., 2, agents, features + 1)``.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes; where
            the learner does not, potentials end with truncated episodes.

    Example:
        >>> encoded = encode([[1.0]], [0], [[2.0]], [0], [], [0])
        >>> decode(encoded).ended, decode(encoded, bootstraps_truncation=False).ended
        (array([False]), array([ True]))
    """
    became = encoded[..., -1]
    ended = became[..., 1, :] == _TERMINATED
    if not bootstraps_truncation:
        ended |= became[..., 1, :] == _TRUNCATED
    return Transitions(encoded[..., :-1].astype(np.float64), became != _ABSENT, ended)


@dataclass(frozen=True, eq=False)
class ParsedTerm:
    """Holds a term that is parsed once and evaluated on many transitions.

    Attributes:
        term: The term.
        kind: How the term's values are paid.
        tree: Root of the expression's tree, with operators of two arguments.
        payees: True for agents that the term pays, shape ``(agents,)``.
    """

    term: Term
    kind: Kind
    tree: Node
    payees: Mask

    def values(self, rows: Array, before: Array, alive: Mask) -> Array:
        """Computes the values of the term's expression, before bound and weight.

        Args:
            rows: Features, shape ``(..., agents, features)``.
            before: The features before the step, in the same shape.
            alive: True for agents that are alive, shape ``(..., agents)``.

        Returns:
            Shape ``(..., agents)``; 0.0 for agents that are not alive, nan where the
            expression has no value.
        """
        return evaluate_binary(self.tree, rows, before, alive)

    def bounded(self, values: Array) -> Array:
        """Clips values as ``Shaper`` does; a value that is not finite counts as 0."""
        bound = self.term.bound
        finite: Array = np.where(np.isfinite(values), values, 0.0)
        return np.minimum(np.maximum(finite, -bound), bound)  # quicker than np.clip

    def __call__(self, transitions: Transitions, gamma: float) -> Array:
        """Returns what the term adds to the reward of each transition.

        Args:
            transitions: The transitions.
            gamma: The learner's discount factor.

        Returns:
            Shape ``(..., agents)``; 0.0 for agents that took no part.
        """
        rows, present = transitions.rows, transitions.present
        there = present[..., 1, :]
        if self.kind.of_state:
            phi = self.bounded(self.values(rows, rows, present))
            past, arrived = phi[..., 0, :], phi[..., 1, :]
            # The potential of an absent agent is 0, but progress begins anew.
            paid = there
            if self.kind.discounted:
                arrived = gamma * np.where(transitions.ended, 0.0, arrived)
            else:
                paid = present[..., 0, :] & there
            change = arrived - past
        else:
            before, after = rows[..., 0, :, :], rows[..., 1, :, :]
            paid = there
            change = self.bounded(self.values(after, before, there))
        return np.where(paid & self.payees, self.term.weight * change, 0.0)


class Payments:
    """Computes what a signal at full strength adds to the rewards of transitions.

    ``Shaper`` pays the same step by step, until it switches a term off. A value that is
    not finite counts as 0 in both.

    Args:
        signal: The signal.
        features: The vocabulary.
        agents: The team.

    Attributes:
        signal: The signal.
        terms: The parsed terms of the signal.

    Raises:
        ExpressionError: A term's expression is not valid.
        ConfigurationError: A term pays an agent that is not in the team.

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
        self.signal = signal
        definitions = parse_definitions(signal.define, features)
        self.terms = [
            ParsedTerm(
                term,
                KINDS[term.kind],
                binary(parse_term(term, features, agents, definitions)),
                np.array([term.agents is None or a in term.agents for a in agents]),
            )
            for term in signal.terms
        ]

    def reweighed(self, signal: Signal) -> Payments:
        """Returns payments with other weights, without parsing the terms again.

        Args:
            signal: A signal that differs from this one in its weights only.
        """
        payments = copy.copy(self)
        payments.signal = signal
        payments.terms = [
            replace(parsed, term=term)
            for parsed, term in zip(self.terms, signal.terms, strict=True)
        ]
        return payments

    def __call__(self, transitions: Transitions, gamma: float) -> Array:
        """Returns what the signal adds to the reward of each transition.

        Args:
            transitions: The transitions.
            gamma: The learner's discount factor.

        Returns:
            Shape ``(..., agents)``; 0.0 for agents that took no part.
        """
        paid = np.zeros(transitions.ended.shape)
        for parsed in self.terms:
            paid += parsed(transitions, gamma)
        return paid
