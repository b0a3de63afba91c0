"""Shapes the rewards of many environment copies at once, exactly as one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal
from also_wrappers.signal.values import Values

__all__ = ["BatchShaper"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class BatchShaper:
    """Adds a signal to the rewards of many copies whose agents stay to the end.

    Every number is that of a ``Shaper`` of each copy, to the last digit. Arrays end in
    an axis of environments. Arrays of a team have an axis of agents before that axis;
    arrays of a single agent may have one.

    Args:
        signal: The signal, which stays.
        features: The vocabulary.
        agents: The team.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.

    Attributes:
        signal: The signal.
        values: Computes the values of its terms.

    Raises:
        ExpressionError: A term's expression is not valid.
        ConfigurationError: A term pays an agent that is not in the team.

    Example:
        >>> import numpy as np
        >>> from also_wrappers.signal import Feature, FeatureMap, Signal, Term
        >>> near = Term(
        ...     name="near", kind="progress", expression="-team_max(x)", weight=2.0
        ... )
        >>> signal, features = Signal(terms=(near,)), FeatureMap(Feature("x", "obs[0]"))
        >>> shaper = BatchShaper(signal, features, ["a", "b"], gamma=0.9)
        >>> shaper.reset(np.array([[[5.0], [3.0]]]))
        >>> nobody = np.array([[False], [False]])
        >>> shaper.step(np.array([[[4.0], [3.0]]]), nobody, nobody)
        array([[2.],
               [2.]])
    """

    def __init__(
        self,
        signal: Signal,
        features: FeatureMap,
        agents: Sequence[str],
        gamma: float,
        bootstraps_truncation: bool = True,
    ) -> None:
        self.signal = signal
        self._made_for = (signal, gamma, bootstraps_truncation)
        self.values = Values(signal, features, agents, exact=True)
        self._bootstraps = bootstraps_truncation
        kinds = [KINDS[term.kind] for term in signal.terms]
        self._of_state = np.array([kind.of_state for kind in kinds], dtype=bool)
        self._discounted = np.array([kind.discounted for kind in kinds], dtype=bool)
        self._keep = np.where(self._discounted, gamma, 1.0)
        #: Weight of each term for each agent; 0 for agents that the term does not pay.
        self._pays = np.array(
            [
                [
                    term.weight if term.agents is None or agent in term.agents else 0.0
                    for agent in agents
                ]
                for term in signal.terms
            ]
        ).reshape(len(kinds), len(agents))
        self._before: Array = np.zeros((0, 0))
        self._phi: Array = np.zeros((0, 0))
        self._full: Array = np.zeros((0, 0))
        self._weights: Array = np.zeros((0, 0))
        #: The strength of all environments; ``None`` where strengths differ or a term
        #: is switched off.
        self._usual: float | None = None
        self._paid: Array = np.zeros((0, 0))
        #: Terms whose potentials were taken back after the terms were switched off.
        self._off: Mask = np.zeros((0, 0), dtype=bool)
        #: Agents whose episode ended with the last step.
        self._gone: Mask = np.zeros(0, dtype=bool)
        self._anybody_gone = False

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
            columns: First features, shape ``(features, ..., environments)``; not
                changed by the caller afterwards.
            which: The environments whose episodes start; all if not given.
            strength: Factor of what is added in these episodes: a number, or an array
                with one number per environment.
        """
        if self._before.shape != columns.shape:
            self._begin(columns)
        whole = which is None
        if which is None:
            which = np.ones(columns.shape[-1], dtype=bool)
        np.copyto(self._paid, 0.0, where=which)
        arrived = not whole and columns is self._before and self.values.plain
        # ``_phi`` is known where the step before has arrived at these features.
        if not arrived or (self._anybody_gone and (self._gone & which).any()):
            self._before = np.where(which, columns, self._before)
            values = self.values.first(columns, self._of_state & which, whole)
            self._phi = np.where(which, values * self._of_state, self._phi)
            np.copyto(self._gone, False, where=which)
        off = self.values.off
        usual, self._usual = self._usual, None
        if off is None and isinstance(strength, float) and (whole or usual == strength):
            self._usual = strength
            if usual == strength:
                return
        self._off = np.where(which, False if off is None else off, self._off)
        weights = np.where(self._lift(self._off), 0.0, self._full * strength)
        self._weights = np.where(which, weights, self._weights)

    def step(
        self,
        columns: Array,
        terminated: Mask,
        truncated: Mask,
        counted: Mask | None = None,
    ) -> Array:
        """Computes what the signal adds to the rewards of one step.

        An agent whose episode has ended while its environment goes on has a potential
        of 0 from there on; its progress begins anew.

        Args:
            columns: Features that the step arrived at, shape ``(features, ...,
                environments)``; not changed by the caller afterwards.
            terminated: True where an episode terminated, shape ``(..., environments)``.
            truncated: True where an episode was truncated, in that shape.
            counted: The environments in which values that are not finite are counted;
                all if not given.

        Returns:
            What is added to each reward, shape ``(..., environments)``.
        """
        if not self.signal.terms:
            return np.zeros(columns.shape[1:])
        owed = None if self.values.off is None else self._switch_off(self.values.off)
        values = self.values(columns, self._before, counted)
        if self._anybody_gone:
            began = self._gone & self._of_state & ~self._discounted
            np.copyto(self._phi, values, where=began)
            self._gone[...] = self._anybody_gone = False
        paid = values * self._keep
        over = terminated | truncated
        anybody = np.count_nonzero(over) > 0
        if anybody:
            ended = terminated if self._bootstraps else over
            np.copyto(paid, 0.0, where=self._discounted & ended)
        paid -= self._phi
        paid *= self._weights
        added = _in_order(paid)
        if owed is not None:
            added -= owed
        self._paid += paid if paid.ndim == 2 else _in_order(paid.swapaxes(0, 1))
        self._phi = np.multiply(values, self._of_state, out=values)
        self._before = columns
        if anybody:
            self._gone |= over
            self._anybody_gone = True
            np.copyto(self._phi, 0.0, where=over)
        return added

    def paid(self, places: int | npt.NDArray[np.intp]) -> Array:
        """Returns what each term has paid so far in some environments' episodes.

        Call it before the environments' next episodes start.

        Args:
            places: Index of one environment, or indices of several.

        Returns:
            Sums over agents, shape ``(terms,)``, or ``(places, terms)``.
        """
        return self._paid.T[places]

    def _begin(self, columns: Array) -> None:
        """Allocates the arrays that remember every environment's potentials."""
        terms, shape = len(self.signal.terms), columns.shape[1:]
        # Numbers of a term get axes of agents and environments.
        lifted = (terms, *[1] * len(shape))
        self._of_state = self._of_state.reshape(lifted)
        self._discounted = self._discounted.reshape(lifted)
        self._keep = self._keep.reshape(lifted)
        self._full = self._pays.reshape(terms, *shape[:-1], 1)
        self.values.begin(shape[-1])
        self._before = columns
        self._phi = np.zeros((terms, *shape))
        self._weights = np.zeros((terms, *shape))
        self._usual = None
        self._paid = np.zeros((terms, shape[-1]))
        self._off = np.zeros((terms, shape[-1]), dtype=bool)
        self._gone = np.zeros(shape, dtype=bool)
        self._anybody_gone = False

    def _lift(self, mask: Mask) -> Mask:
        """Reshapes a mask ``(terms, environments)`` to have the axis of agents."""
        axes = [1] * (self._phi.ndim - 2)
        return mask.reshape(len(mask), *axes, mask.shape[1])

    def _switch_off(self, off: Mask) -> Array | None:
        """Switches terms off, and returns what each agent's potentials are worth.

        The next payment takes that worth back, as if all values of these terms were 0
        from here on.
        """
        ending = off & ~self._off
        if not ending.any():
            return None
        self._off = self._off | off
        self._usual = None
        worth = np.where(self._lift(ending), self._weights * self._phi, 0.0)
        for part in [worth] if worth.ndim == 2 else worth.swapaxes(0, 1):
            self._paid -= part
        self._weights = np.where(self._lift(self._off), 0.0, self._weights)
        return _in_order(worth)


def _in_order(parts: Iterable[Array]) -> Array:
    """Adds arrays one by one from the first on, so that sums round as in ``Shaper``."""
    first, *rest = parts
    total: Array = first.copy()
    for part in rest:
        total += part
    return total
