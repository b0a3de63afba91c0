"""Computes the values of all terms of a signal for many environments, in numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import REDUCTIONS, Node
from also_wrappers.signal.language.vectors import LARGEST, compile_vector
from also_wrappers.signal.model import Signal
from also_wrappers.signal.shaper import MOST_INVALID, parse_term

__all__ = ["Values"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Longest sum that is left to BLAS, which uses threads for longer sums.
_MOST_DOT = 8192


class Values:
    """Computes the bounded values of all terms, and counts those that are not finite.

    Arrays end in an axis of environments. Arrays of a team have an axis of agents
    before that axis; arrays of a single agent may have one.

    Args:
        signal: The signal.
        features: The vocabulary.
        agents: The agents of an environment.
        exact: Whether values are bit for bit those for one environment. If False, which
            is for a single agent only, values differ by rounding and are quicker to
            compute.

    Attributes:
        invalid: How many values were not finite, shape ``(terms, environments)``.
        off: True where a term is switched off, in that shape; ``None`` if no term is.
        plain: Whether no term is off and the latest values were all within their
            bounds, so that nothing was counted.

    Raises:
        ExpressionError: A term's expression is not valid.
        ConfigurationError: A term pays an agent that is not in the team.
    """

    def __init__(
        self,
        signal: Signal,
        features: FeatureMap,
        agents: Sequence[str],
        exact: bool,
    ) -> None:
        definitions = parse_definitions(signal.define, features)
        parsed = [
            binary(parse_term(term, features, agents, definitions))
            for term in signal.terms
        ]
        nodes = parsed if len(agents) > 1 else [_alone(node) for node in parsed]
        self._code = compile_vector(nodes, len(agents) if exact else None)
        self._bounds = [term.bound for term in signal.terms]
        self._least_bound = min(self._bounds, default=0.0)
        self._fine = False
        self.invalid = np.zeros((len(signal.terms), 0), dtype=np.int64)
        self.off: Mask | None = None
        self.plain = False

    def begin(self, count: int) -> None:
        """Sets all counts to 0, for ``count`` environments."""
        self.invalid = np.zeros((len(self._bounds), count), dtype=np.int64)
        self.off = None

    def forgive(self, which: Mask) -> None:
        """Sets the counts of values that were not finite to 0 where a mask holds."""
        if self.invalid.any():
            self.invalid = np.where(which, 0, self.invalid)
            self.off = self._switched_off()

    def first(self, columns: Array, counted: Mask, whole: bool) -> Array:
        """Returns the bounded values of states with which episodes begin.

        Args:
            columns: Features of the states.
            counted: True where values that are not finite are counted, in an array that
                broadcasts to the values' shape.
            whole: Whether episodes begin in all environments.
        """
        values = self(columns, columns, counted)
        self._fine = self._fine and whole
        return values

    def __call__(self, columns: Array, before: Array, counted: Mask | None) -> Array:
        """Returns the bounded values as a new array ``(terms, ..., environments)``.

        Args:
            columns: Features of the states, ``(features, ..., environments)``.
            before: Features of the states before the step, in that shape.
            counted: True where values that are not finite are counted, in an array that
                broadcasts to the values' shape; ``None`` counts all of them.
        """
        out = np.empty((len(self._bounds), *columns.shape[1:]))
        fine = _small(columns)
        quick = fine and (self._fine or before is columns)
        if quick and self._code.calm:
            self._code.quick(columns, before, out)
            within = _within(out, self._least_bound)
        else:
            with np.errstate(all="ignore"):
                code = self._code.quick if quick else self._code.guarded
                code(columns, before, out)
                within = _within(out, self._least_bound)
        self._fine = fine
        self.plain = within and self.off is None
        if not within:
            self._bound(out, counted)
        return out

    def _bound(self, values: Array, counted: Mask | None) -> None:
        """Clips values in place; a value that is not finite counts as 0."""
        finite = np.isfinite(values)
        if not finite.all():
            values[~finite] = 0.0
            invalid = ~finite if counted is None else ~finite & counted
            self.invalid += invalid if invalid.ndim == 2 else invalid.sum(axis=1)
            self.off = self._switched_off()
        for k, bound in enumerate(self._bounds):
            np.clip(values[k], -bound, bound, out=values[k])

    def _switched_off(self) -> Mask | None:
        """Returns a mask of the terms that are off; ``None`` if no term is off."""
        off = self.invalid >= MOST_INVALID
        return off if off.any() else None


def _small(values: Array) -> bool:
    """True where no value is nan, or larger in size than ``LARGEST``."""
    flat = values.ravel()
    if flat.size > _MOST_DOT:
        return _between(flat, LARGEST)
    return bool(np.vdot(flat, flat) <= LARGEST**2)


def _within(values: Array, bound: float) -> bool:
    """True where all values are in ``[-bound, bound]`` and no value is nan."""
    flat = values.ravel()
    if flat.size <= _MOST_DOT:  # a sum of fourth powers is a cheap first test
        squares = flat * flat
        if np.vdot(squares, squares) <= bound**4:
            return True
    return _between(flat, bound)


def _between(flat: Array, bound: float) -> bool:
    if not flat.size:
        return True
    return bool(np.maximum.reduce(flat) <= bound and np.minimum.reduce(flat) >= -bound)


def _alone(node: Node) -> Node:
    """Rewrites reductions for a team of one agent, which has no mates."""
    args = tuple(_alone(arg) for arg in node.args)
    if node.op in ("team_mean", "team_min", "team_max", "team_sum"):
        return args[0]
    if node.op == "team_std":
        return Node("-", (args[0], args[0]))
    if node.op in REDUCTIONS:
        return Node("const", value=math.nan)
    return Node(node.op, args, node.value, node.index)
