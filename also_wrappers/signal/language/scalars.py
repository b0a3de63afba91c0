"""Lists operators, functions and reductions for single numbers, as Python code."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["CODE", "REDUCE", "SCOPE"]

_EXP_LIMIT = math.log(sys.float_info.max)


def _power(base: float, exponent: float) -> float:
    if base < 0.0 and not exponent.is_integer():
        return math.nan
    if base == 0.0 and exponent < 0.0:
        return math.nan
    try:
        return float(base**exponent)
    except OverflowError:
        return -math.inf if base < 0.0 and exponent % 2.0 == 1.0 else math.inf


def _least(values: list[float]) -> float:
    total = sum(values)
    return min(values) if total == total or not _has_nan(values) else math.nan


def _greatest(values: list[float]) -> float:
    total = sum(values)
    return max(values) if total == total or not _has_nan(values) else math.nan


def _has_nan(values: list[float]) -> bool:
    return any(value != value for value in values)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _std(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(
        sum([(value - mean) * (value - mean) for value in values]) / len(values)
    )


REDUCE: dict[str, Callable[[list[float]], float]] = {
    "mean": _mean,
    "min": _least,
    "max": _greatest,
    "sum": sum,
    "std": _std,
}

#: The Python code of each operator and function, with places for its arguments.
CODE: dict[str, str] = {
    "neg": "-{0}",
    "+": "{0} + {1}",
    "-": "{0} - {1}",
    "*": "{0} * {1}",
    "/": "{0} / {1} if {1} else nan",
    "**": "power({0}, {1})",
    "<": "1.0 if {0} < {1} else 0.0 if {0} >= {1} else nan",
    "<=": "1.0 if {0} <= {1} else 0.0 if {0} > {1} else nan",
    ">": "1.0 if {0} > {1} else 0.0 if {0} <= {1} else nan",
    ">=": "1.0 if {0} >= {1} else 0.0 if {0} < {1} else nan",
    "==": "1.0 if {0} == {1} else 0.0 if {0} < {1} or {0} > {1} else nan",
    "!=": "0.0 if {0} == {1} else 1.0 if {0} < {1} or {0} > {1} else nan",
    "not": "1.0 if {0} == 0.0 else 0.0 if {0} == {0} else nan",
    "and": "nan if {0} != {0} or {1} != {1} else 1.0 if {0} and {1} else 0.0",
    "or": "nan if {0} != {0} or {1} != {1} else 1.0 if {0} or {1} else 0.0",
    "where": "{2} if {0} == 0.0 else {1} if {0} == {0} else nan",
    "abs": "abs({0})",
    "min": "{0} if {0} < {1} or {0} != {0} else {1}",
    "max": "{0} if {0} > {1} or {0} != {0} else {1}",
    "exp": "inf if {0} > exp_limit else exp({0})",
    "log1p": "log1p({0}) if {0} > -1.0 else nan",
    "sqrt": "sqrt({0}) if {0} >= 0.0 else nan",
    "tanh": "tanh({0})",
    "sign": "1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0}",
    "hypot": "hypot({0}, {1}) if {0} == {0} and {1} == {1} else nan",
}

#: The names that the code of ``CODE`` and of reductions refers to.
SCOPE: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "exp_limit": _EXP_LIMIT,
    "power": _power,
    "exp": math.exp,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "hypot": math.hypot,
    **{f"reduce_{name}": function for name, function in REDUCE.items()},
}
