"""A signal over many single-agent environments at once, in numpy.

Everything is arithmetic on arrays of shape ``(terms, environments)``.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import REDUCTIONS, Node
from also_wrappers.signal.language.vectors import LARGEST, compile_vector
from also_wrappers.signal.model import Signal
from also_wrappers.signal.shaper import MOST_INVALID, parse_term

__all__ = ["VectorShaper"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_AGENT = "agent"
#: BLAS uses threads for longer sums, which others may need.
_MOST_DOT = 8192


class VectorShaper:
    """Adds a signal to the rewards of many single-agent environments.

    Args:
        signal: The signal; it stays.
        features: The vocabulary.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.
        track: Whether what terms pay is summed payment by payment, as a ``Shaper``
            sums it. Without, it is made from sums of values, which costs next to
            nothing per step; the two differ by rounding.

    Attributes:
        invalid: How many values were not finite, shape ``(terms, environments)``.

    Raises:
        ExpressionError: A term's expression is not valid.

    Example:
        >>> import numpy as np
        >>> from also_wrappers.signal import Feature, FeatureMap, Signal, Term
        >>> near = Term(name="near", kind="progress", expression="-x", weight=2.0)
        >>> shaper = VectorShaper(
        ...     Signal(terms=(near,)), FeatureMap(Feature("x", "obs[0]")), gamma=0.9
        ... )
        >>> shaper.reset(np.array([[5.0, 5.0]]))
        >>> nobody = np.array([False, False])
        >>> shaper.step(np.array([[4.0, 5.5]]), nobody, nobody)
        array([ 2., -1.])
    """

    def __init__(
        self,
        signal: Signal,
        features: FeatureMap,
        gamma: float,
        bootstraps_truncation: bool = True,
        track: bool = False,
    ) -> None:
        self.signal = signal
        self._made_for = (signal, gamma, bootstraps_truncation)
        self._track = track
        terms = signal.terms
        self._bootstraps = bootstraps_truncation
        definitions = parse_definitions(signal.define, features)
        parsed = [parse_term(term, features, [_AGENT], definitions) for term in terms]
        nodes = [_alone(binary(node)) for node in parsed]
        self._code = compile_vector(nodes)
        self._bounds = [term.bound for term in terms]
        self._least_bound = min(self._bounds, default=0.0)
        kinds = [KINDS[term.kind] for term in terms]
        self._of_state = np.array([kind.of_state for kind in kinds], dtype=bool)
        weights = np.array([term.weight for term in terms])
        discounted = np.array([kind.discounted for kind in kinds], dtype=bool)
        #: What the values are worth when a step arrives at them, and what the next step
        #: takes back when it leaves them; shape ``(2, terms)``.
        self._worth = np.array(
            [
                weights * np.where(discounted, gamma, 1.0),
                np.where(self._of_state, weights, 0.0),
            ]
        )
        #: The part of what they are worth that is not paid where the episode ended.
        self._kept = np.where(discounted, weights * gamma, 0.0)
        self.invalid = np.zeros((len(terms), 0), dtype=np.int64)
        self._paid: Array = np.zeros((len(terms), 0))
        self._sums: Array = np.zeros((len(terms), 0))
        self._first: Array = np.zeros((len(terms), 0))
        self._ended: Mask = np.zeros(0, dtype=bool)
        self._off: Mask | None = None
        self._strength: Array | None = None
        self._before: Array = np.zeros((0, 0))
        self._fine = False
        self._last: Array = np.zeros((0, 0))
        self._owed: Array = np.zeros(0)

    def pays(self, signal: Signal, gamma: float, bootstraps_truncation: bool) -> bool:
        """True where a shaper made with these arguments would pay the same."""
        return self._made_for == (signal, gamma, bootstraps_truncation)

    def reset(
        self,
        columns: Array,
        which: Mask | None = None,
        strength: float | Array = 1.0,
    ) -> None:
        """Starts episodes.

        Args:
            columns: First features, shape ``(features, environments)``; not changed
                by the caller afterwards.
            which: The environments whose episodes start; all if not given.
            strength: Factor of what is added in these episodes, of each if it is an
                array.
        """
        count = columns.shape[1]
        first = self._before.shape != columns.shape
        whole = which is None or first
        if whole or which is None:
            which = np.ones(count, dtype=bool)
            self._before, self._strength = columns, None
        if first:
            self.invalid = np.zeros((len(self._bounds), count), dtype=np.int64)
            self._last = np.zeros(self.invalid.shape)
            self._paid = np.zeros(self.invalid.shape)
            self._sums = np.zeros(self.invalid.shape)
            self._first = np.zeros(self.invalid.shape)
            self._ended = np.zeros(count, dtype=bool)
            self._owed = np.zeros(count)
        if self._strength is not None or np.any(strength != 1.0):
            if self._strength is None:
                self._strength = np.ones(count)
            self._strength = np.where(which, strength, self._strength)
        self._before = np.where(which, columns, self._before)
        values = self._values(columns, columns, self._of_state[:, None] & which)
        self._fine = self._fine and whole
        self._last = np.where(which, values, self._last)
        if self._track:
            self._paid[:, which] = 0.0
        else:
            np.copyto(self._first, values, where=which)
            np.copyto(self._sums, 0.0, where=which)
        self._owed = np.where(which, self._worth.dot(values)[1], self._owed)

    def step(
        self,
        columns: Array,
        terminated: Mask,
        truncated: Mask,
        counted: Mask | None = None,
    ) -> Array:
        """Computes what the signal adds to the rewards of one step.

        Args:
            columns: Features that the step arrived at, shape ``(features,
                environments)``; not changed by the caller afterwards.
            terminated: Whose episode terminated.
            truncated: Whose episode was truncated.
            counted: Where it is a step, so that values that are not finite count; all
                if not given.

        Returns:
            What is added to each environment's reward, shape ``(environments,)``.
        """
        values = self._values(columns, self._before, counted)
        arrived, leaves = self._worth.dot(values)
        added: Array = np.subtract(arrived, self._owed, out=arrived)
        ended = terminated if self._bootstraps else terminated | truncated
        if np.count_nonzero(ended):
            added[ended] -= self._kept @ values[:, ended]
        if self._strength is not None:
            added *= self._strength
        if self._track:
            self._sum(values, ended)
        else:
            self._sums += values
            self._ended = ended
        self._owed, self._last, self._before = leaves, values, columns
        return added

    def paid(self, places: int | npt.NDArray[np.intp]) -> Array:
        """Returns what each term has paid in the episodes of some environments.

        To be asked before the environments' next episodes start.

        Args:
            places: Index of one environment, or indices of several.

        Returns:
            Shape ``(terms,)``, or ``(places, terms)``.
        """
        if self._track:
            return self._paid.T[places]
        # The values that a step leaves are those that the step before arrived at.
        arrived, leaves = self._worth
        last = self._last.T[places]
        paid: Array = (arrived - leaves) * self._sums.T[places]
        paid += leaves * (last - self._first.T[places])
        paid -= self._kept * last * self._ended[places, None]
        if self._strength is not None:
            paid *= self._strength[places, None]
        return paid

    def forgive(self, which: Mask) -> None:
        """Forgets which values were not finite in the environments of a mask."""
        if self.invalid.any():
            self.invalid = np.where(which, 0, self.invalid)
            self._off = self._switched_off()

    def _switched_off(self) -> Mask | None:
        """Returns which terms are off in which environments, if any is anywhere."""
        off = self.invalid >= MOST_INVALID
        return off if off.any() else None

    def _sum(self, values: Array, ended: Mask) -> None:
        """Adds what each term paid at one step to ``totals``."""
        arrived, leaves = self._worth
        paid = arrived[:, None] * values - leaves[:, None] * self._last
        if np.count_nonzero(ended):
            paid[:, ended] -= self._kept[:, None] * values[:, ended]
        if self._strength is not None:
            paid *= self._strength
        self._paid += paid

    def _values(self, columns: Array, before: Array, counted: Mask | None) -> Array:
        """Returns the bounded values as a new array ``(terms, environments)``.

        Args:
            columns: Features of the states.
            before: Those of the states before the step.
            counted: Where values that are not finite count, in an array that broadcasts
                to that shape; everywhere if ``None``.
        """
        out = np.empty((len(self._bounds), columns.shape[1]))
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
        if not within:
            self._bound(out, counted)
        if self._off is not None:
            out[self._off] = 0.0
        return out

    def _bound(self, values: Array, counted: Mask | None) -> None:
        """Clips values in place.

        A value that is not finite counts as 0; after too many of them, all values of
        the term do, so that the next payment takes its potential back.
        """
        finite = np.isfinite(values)
        if not finite.all():
            values[~finite] = 0.0
            self.invalid += ~finite if counted is None else ~finite & counted
            self._off = self._switched_off()
        for k, bound in enumerate(self._bounds):
            np.clip(values[k], -bound, bound, out=values[k])


def _small(values: Array) -> bool:
    """True where no value is large or nan; the sum of squares is the cheapest test."""
    flat = values.ravel()
    if flat.size > _MOST_DOT:
        return _between(flat, LARGEST)
    return bool(np.vdot(flat, flat) <= LARGEST**2)


def _within(values: Array, bound: float) -> bool:
    """True where all values are in ``[-bound, bound]``; nan is not."""
    flat = values.ravel()
    if flat.size <= _MOST_DOT:  # the sum of fourth powers is close, and cheap
        squares = flat * flat
        if np.vdot(squares, squares) <= bound**4:
            return True
    return _between(flat, bound)


def _between(flat: Array, bound: float) -> bool:
    if not flat.size:
        return True
    return bool(np.maximum.reduce(flat) <= bound and np.minimum.reduce(flat) >= -bound)


def _alone(node: Node) -> Node:
    """Rewrites reductions for a team of one: itself, no spread, no others."""
    args = tuple(_alone(arg) for arg in node.args)
    if node.op in ("team_mean", "team_min", "team_max", "team_sum"):
        return args[0]
    if node.op == "team_std":
        return Node("-", (args[0], args[0]))
    if node.op in REDUCTIONS:
        return Node("const", value=math.nan)
    return Node(node.op, args, node.value, node.index)
