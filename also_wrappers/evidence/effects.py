"""Effect sizes from sums, and how distributions differ."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["EQUAL", "Basis", "apart", "correlation", "effect", "entropy", "moments"]

Array = npt.NDArray[np.float64]

#: Why there is no effect.
EQUAL = "all returns are equal"
STILL = "it does not vary"
FEW = "fewer than four episodes"


def moments(n: float, total: float, squares: float) -> tuple[float, float]:
    """Mean and (population) standard deviation from sums.

    What is left of a variance below the rounding of its sums is none.

    Example:
        >>> moments(4, 8.0, 20.0)
        (2.0, 1.0)
    """
    n = max(n, 1.0)
    mean = total / n
    variance = squares / n - mean * mean
    return mean, math.sqrt(variance) if variance > 1e-12 * squares / n else 0.0


def correlation(
    n: float, both: float, one: tuple[float, float], other: tuple[float, float]
) -> float | None:
    """The correlation of two quantities; ``None`` if one does not vary.

    Args:
        n: How many pairs there are.
        both: Sum of their products.
        one: Mean and standard deviation of the first.
        other: Of the second.

    Example:
        >>> correlation(2, 5.0, (1.5, 0.5), (1.5, 0.5))
        1.0
    """
    if not n or one[1] <= 1e-12 or other[1] <= 1e-12:
        return None
    covariance = both / n - one[0] * other[0]
    return max(-1.0, min(1.0, covariance / (one[1] * other[1])))


def effect(
    n: float, both: float, one: tuple[float, float], other: tuple[float, float]
) -> tuple[float, float] | None:
    """How much one quantity differs between high and low values of another.

    From the correlation r over n episodes as d = 2 r / sqrt(1 - r^2), in standard
    deviations (Cohen's d of two groups of equal size; Borenstein et al. 2009, ch. 7),
    with its standard error sqrt(4 / n + d^2 / (2 n)). So it needs sums alone, and no
    threshold between better and worse.

    Args:
        n: How many pairs there are.
        both: Sum of their products.
        one: Mean and standard deviation of the quantity.
        other: Of what it is compared by.

    Returns:
        d and its standard error; ``None`` for fewer than four pairs, or if one of the
        two does not vary.

    Example:
        >>> d, error = effect(100, 18.0, (0.5, 0.5), (0.3, 0.46))
        >>> round(d, 2), round(error, 2)
        (0.26, 0.2)
    """
    r = correlation(n, both, one, other)
    if r is None or n < 4:
        return None
    r = max(-0.995, min(0.995, r))  # a perfect order says no more than a near one
    d = 2.0 * r / math.sqrt(1.0 - r * r)
    return d, math.sqrt(4.0 / n + d * d / (2.0 * n))


class Basis(NamedTuple):
    """Episodes that numbers are of, and what the numbers are compared by.

    Attributes:
        episodes: The number of episodes.
        returns: Mean and standard deviation of their base returns.
        time: Mean and standard deviation of the steps at which they ended.

    Example:
        >>> basis = Basis(100.0, (0.3, 0.46), (50.0, 0.0))
        >>> round(basis.better(18.0, (0.5, 0.5)), 2), basis.late(2500.0, (0.5, 0.5))
        (0.26, 'it does not vary')
    """

    episodes: float
    returns: tuple[float, float]
    time: tuple[float, float]

    def better(self, both: float, one: tuple[float, float]) -> float | str:
        """Returns how much a quantity differs between better and worse episodes.

        Args:
            both: Sum of its products with the returns.
            one: Mean and standard deviation of the quantity.

        Returns:
            The effect in standard deviations, or why there is none.
        """
        return self._effect(both, one, self.returns, EQUAL)

    def late(
        self, both: float, one: tuple[float, float], still: str = STILL
    ) -> float | str:
        """Returns how much a quantity differs between late and early episodes.

        Args:
            both: Sum of its products with the time.
            one: Mean and standard deviation of the quantity.
            still: What is said if all episodes ended at the same step.

        Returns:
            The effect in standard deviations, or why there is none.
        """
        return self._effect(both, one, self.time, still)

    def _effect(
        self,
        both: float,
        one: tuple[float, float],
        other: tuple[float, float],
        still: str,
    ) -> float | str:
        difference = effect(self.episodes, both, one, other)
        if difference is not None:
            return difference[0]
        if self.episodes < 4:
            return FEW
        return still if other[1] <= 1e-12 else STILL


def entropy(share: Array) -> float:
    """Returns the entropy of a distribution, in nats.

    Example:
        >>> entropy(np.array([1.0, 0.0]))
        0.0
    """
    positive = share[share > 0.0]
    return abs(float((positive * np.log(positive)).sum()))


def apart(counts: Array) -> float:
    """Returns how far distributions differ, from 0 (alike) to 1.

    Their Jensen-Shannon divergence (Lin 1991), as a share of the most there can be.

    Args:
        counts: One distribution a row, as counts.

    Example:
        >>> apart(np.array([[4.0, 0.0], [0.0, 2.0]]))
        1.0
    """
    totals = counts.sum(axis=1)
    shares = counts[totals > 0.0] / totals[totals > 0.0, None]
    if len(shares) < 2:
        return 0.0
    inside = sum(entropy(share) for share in shares) / len(shares)
    return max(0.0, entropy(shares.mean(axis=0)) - inside) / math.log(len(shares))
