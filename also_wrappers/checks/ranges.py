"""Computes which values an expression may have, from the ranges of features.

Intervals are computed by interval arithmetic (Moore 1966): the interval holds every
value that the expression can have, and maybe more. So an expression whose interval is
one number is constant, and an expression that has not changed yet is not taken for
constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.parser import REDUCTIONS, Node

__all__ = ["Interval", "interval", "ranges"]

#: The least and the largest value.
Interval = tuple[float, float]

_ANY: Interval = (-math.inf, math.inf)
_TRUE, _FALSE, _EITHER = (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)


def ranges(features: FeatureMap, episodes: Sequence[EpisodeRows]) -> list[Interval]:
    """Returns the range of each feature, as declared and as recorded.

    A feature without a declared range may have any value, unless all recorded values
    are equal: then this value is its range.

    Args:
        features: The vocabulary.
        episodes: Recorded episodes.

    Example:
        >>> from also_wrappers.signal import Feature
        >>> ranges(FeatureMap(Feature("x", "obs[0]", "", 0.0, 1.0)), [])
        [(0.0, 1.0)]
    """
    recorded = [episode.rows[episode.alive] for episode in episodes]
    rows = np.concatenate(recorded) if recorded else np.empty((0, len(features)))
    pairs = []
    for column, feature in enumerate(features.features):
        values = rows[np.isfinite(rows[:, column]), column]
        low = float(values.min()) if values.size else math.inf
        high = float(values.max()) if values.size else -math.inf
        open_low, open_high = (low, high) if low == high else _ANY
        declared_low = open_low if feature.low is None else feature.low
        declared_high = open_high if feature.high is None else feature.high
        pairs.append((min(low, declared_low), max(high, declared_high)))
    return pairs


def interval(node: Node, features: Sequence[Interval], agents: int) -> Interval:
    """Returns an interval that holds every value of an expression.

    Args:
        node: Root of the expression's tree, with operators of two arguments.
        features: The range of each feature.
        agents: How many agents the team has.

    Returns:
        The least and the largest value; minus and plus infinity where the expression
        may have no value.

    Example:
        >>> from also_wrappers.signal import parse
        >>> interval(parse("team_sum(x) > 3", ["x"]), [(0.0, 1.0)], agents=2)
        (0.0, 0.0)
    """
    if node.op == "const":
        return node.value, node.value
    if node.op == "feature":
        return features[node.index]
    args = [interval(arg, features, agents) for arg in node.args]
    if node.op == "delta":
        low, high = args[0]
        return low - high if low < high else 0.0, high - low if low < high else 0.0
    if node.op in REDUCTIONS:
        return _reduced(node.op, args[0], agents)
    with np.errstate(all="ignore"):
        low, high = (float(end) for end in _OPERATIONS[node.op](*args))
    return _ANY if math.isnan(low) or math.isnan(high) else (low, high)


def _reduced(op: str, arg: Interval, agents: int) -> Interval:
    scope, function = op.split("_")
    low, high = arg
    if scope == "others" and agents == 1:
        return _ANY
    if function == "sum":
        return min(low, agents * low), max(high, agents * high)
    if function == "std":
        return 0.0, (high - low) / 2.0 if low < high else 0.0
    return arg


def _corners(function: Callable[..., np.float64]) -> Callable[..., Interval]:
    """Returns the interval form of a function whose extremes are at the corners."""

    def ends(x: Interval, y: Interval) -> Interval:
        values = [function(np.float64(a), np.float64(b)) for a in x for b in y]
        return (math.nan, math.nan) if np.isnan(values).any() else _hull(values)

    return ends


def _rising(
    function: Callable[[np.float64], np.float64], least: float = -math.inf
) -> Callable[[Interval], Interval]:
    """Returns the interval form of a rising function, undefined below ``least``."""

    def ends(x: Interval) -> Interval:
        if x[0] < least:
            return _ANY
        return float(function(np.float64(x[0]))), float(function(np.float64(x[1])))

    return ends


def _divided(x: Interval, y: Interval) -> Interval:
    return _ANY if y[0] <= 0.0 <= y[1] else _corners(np.divide)(x, y)


def _power(x: Interval, n: Interval) -> Interval:
    exponent = n[0]
    if exponent < 0.0 or (exponent % 1.0 and x[0] < 0.0):
        return _ANY
    if exponent % 2.0 == 0.0:
        x = _abs(x)
    return _corners(np.power)(x, n)


def _abs(x: Interval) -> Interval:
    sizes = [abs(x[0]), abs(x[1])]
    return (0.0 if x[0] <= 0.0 <= x[1] else min(sizes)), max(sizes)


def _less(x: Interval, y: Interval) -> Interval:
    return _TRUE if x[1] < y[0] else _FALSE if x[0] >= y[1] else _EITHER


def _least(x: Interval, y: Interval) -> Interval:
    return _TRUE if x[1] <= y[0] else _FALSE if x[0] > y[1] else _EITHER


def _equal(x: Interval, y: Interval) -> Interval:
    if x[1] < y[0] or y[1] < x[0]:
        return _FALSE
    return _TRUE if x[0] == x[1] == y[0] == y[1] else _EITHER


def _truth(x: Interval) -> Interval:
    """Returns the interval of the truth of a value: 1 where it is not 0."""
    if x[0] > 0.0 or x[1] < 0.0:
        return _TRUE
    return _FALSE if x[0] == x[1] == 0.0 else _EITHER


def _not(x: Interval) -> Interval:
    low, high = _truth(x)
    return 1.0 - high, 1.0 - low


def _where(c: Interval, x: Interval, y: Interval) -> Interval:
    truth = _truth(c)
    return x if truth == _TRUE else y if truth == _FALSE else _hull([*x, *y])


def _hull(values: Sequence[float]) -> Interval:
    return float(min(values)), float(max(values))


_OPERATIONS: dict[str, Callable[..., Interval]] = {
    "neg": lambda x: (-x[1], -x[0]),
    "+": _corners(np.add),
    "-": _corners(np.subtract),
    "*": _corners(np.multiply),
    "/": _divided,
    "**": _power,
    "<": _less,
    "<=": _least,
    ">": lambda x, y: _less(y, x),
    ">=": lambda x, y: _least(y, x),
    "==": _equal,
    "!=": lambda x, y: _not(_equal(x, y)),
    "not": _not,
    "and": lambda x, y: _corners(np.minimum)(_truth(x), _truth(y)),
    "or": lambda x, y: _corners(np.maximum)(_truth(x), _truth(y)),
    "where": _where,
    "abs": _abs,
    "min": _corners(np.minimum),
    "max": _corners(np.maximum),
    "exp": _rising(np.exp),
    "log1p": _rising(np.log1p, -1.0),
    "sqrt": _rising(np.sqrt, 0.0),
    "tanh": _rising(np.tanh),
    "sign": _rising(np.sign),
    "hypot": lambda x, y: _corners(np.hypot)(_abs(x), _abs(y)),
}
