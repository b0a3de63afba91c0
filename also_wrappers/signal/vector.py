"""Shapes the rewards of many single-agent environments at once, in numpy.

All computation is arithmetic on arrays of shape ``(terms, environments)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal
from also_wrappers.signal.values import Values

__all__ = ["VectorShaper"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_AGENT = "agent"


class VectorShaper:
    """Computes what a signal adds to the rewards of single-agent environments.

    A ``Shaper`` pays the same in each environment, but for rounding. What terms have
    paid is computed from sums of values, which costs next to nothing per step.

    Args:
        signal: The signal, which stays.
        features: The vocabulary.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.

    Attributes:
        signal: The signal.
        values: Computes the values of its terms.

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
    ) -> None:
        self.signal = signal
        self._made_for = (signal, gamma, bootstraps_truncation)
        self.values = Values(signal, features, [_AGENT], exact=False)
        terms = signal.terms
        self._bootstraps = bootstraps_truncation
        kinds = [KINDS[term.kind] for term in terms]
        self._of_state = np.array([kind.of_state for kind in kinds], dtype=bool)
        weights = np.array([term.weight for term in terms])
        discounted = np.array([kind.discounted for kind in kinds], dtype=bool)
        #: Factors of a state's values: in the payment of the step that arrives at the
        #: state, and in what the next step takes back; shape ``(2, terms)``.
        self._worth = np.array(
            [
                weights * np.where(discounted, gamma, 1.0),
                np.where(self._of_state, weights, 0.0),
            ]
        )
        #: Factors of the values that are not paid where the episode ended.
        self._kept = np.where(discounted, weights * gamma, 0.0)
        self._sums: Array = np.zeros((len(terms), 0))
        self._first: Array = np.zeros((len(terms), 0))
        self._ended: Mask = np.zeros(0, dtype=bool)
        self._strength: Array | None = None
        self._before: Array = np.zeros((0, 0))
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
        """Starts the episodes of some environments, or of all.

        Args:
            columns: First features, shape ``(features, environments)``; not changed
                by the caller afterwards.
            which: The environments whose episodes start; all if not given.
            strength: Factor of what is added in these episodes: a number, or an array
                with one number per environment.
        """
        count = columns.shape[1]
        first = self._before.shape != columns.shape
        whole = which is None or first
        if whole or which is None:
            which = np.ones(count, dtype=bool)
            self._before, self._strength = columns, None
        if first:
            self.values.begin(count)
            shape = len(self.signal.terms), count
            self._last = np.zeros(shape)
            self._sums, self._first = np.zeros(shape), np.zeros(shape)
            self._ended = np.zeros(count, dtype=bool)
            self._owed = np.zeros(count)
        if self._strength is not None or np.any(strength != 1.0):
            if self._strength is None:
                self._strength = np.ones(count)
            self._strength = np.where(which, strength, self._strength)
        np.copyto(self._sums, 0.0, where=which)
        if not whole and columns is self._before and self.values.plain:
            # The step before has arrived at these features.
            np.copyto(self._first, self._last, where=which)
            return
        self._before = np.where(which, columns, self._before)
        counted = self._of_state[:, None] & which
        values = self.values.first(columns, counted, whole)
        if self.values.off is not None:
            values[self.values.off] = 0.0
        self._last = np.where(which, values, self._last)
        np.copyto(self._first, values, where=which)
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
            terminated: True where an episode terminated, shape ``(environments,)``.
            truncated: True where an episode was truncated, in that shape.
            counted: The environments in which values that are not finite are counted;
                all if not given.

        Returns:
            What is added to each environment's reward, shape ``(environments,)``.
        """
        values = self.values(columns, self._before, counted)
        if self.values.off is not None:
            values[self.values.off] = 0.0
        arrived, leaves = self._worth.dot(values)
        added: Array = np.subtract(arrived, self._owed, out=arrived)
        ended = terminated if self._bootstraps else terminated | truncated
        if np.count_nonzero(ended):
            added[ended] -= self._kept @ values[:, ended]
        if self._strength is not None:
            added *= self._strength
        self._sums += values
        self._ended = ended
        self._owed, self._last, self._before = leaves, values, columns
        return added

    def paid(self, places: int | npt.NDArray[np.intp]) -> Array:
        """Returns what each term has paid so far in some environments' episodes.

        Call it before the environments' next episodes start.

        Args:
            places: Index of one environment, or indices of several.

        Returns:
            Shape ``(terms,)``, or ``(places, terms)``.
        """
        # The values that a step takes back are those that the step before arrived at.
        arrived, leaves = self._worth
        last = self._last.take(places, axis=1).T
        paid: Array = (arrived - leaves) * self._sums.take(places, axis=1).T
        paid += leaves * (last - self._first.take(places, axis=1).T)
        paid -= self._kept * last * self._ended[places, None]
        if self._strength is not None:
            paid *= self._strength[places, None]
        return paid
