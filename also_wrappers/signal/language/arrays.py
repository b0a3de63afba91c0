"""Evaluates trees with numpy, for many environments or steps at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import REDUCTIONS, Node

__all__ = ["GUARDED", "evaluate_batch", "evaluate_binary"]

Array = npt.NDArray[np.float64]


def evaluate_batch(
    node: Node, rows: Array, before: Array, alive: npt.NDArray[np.bool_]
) -> Array:
    """Evaluates a tree over many environments or steps at once.

    Args:
        node: Root of a checked tree.
        rows: Features, shape ``(..., agents, features)``.
        before: Features before the step, in the same shape; only ``delta`` reads them.
        alive: True for agents that are alive, shape ``(..., agents)``.

    Returns:
        Values of shape ``(..., agents)``; 0.0 for agents that are not alive. Agrees
        with the compiled form to 1e-12, relative.
    """
    return evaluate_binary(binary(node), rows, before, alive)


def evaluate_binary(
    node: Node, rows: Array, before: Array, alive: npt.NDArray[np.bool_]
) -> Array:
    """Evaluates a tree that ``binary`` has returned, as ``evaluate_batch`` does."""
    with np.errstate(all="ignore"):
        values = _batch(node, rows, before, alive)
    return np.where(alive, values, 0.0)


def _batch(node: Node, rows: Array, before: Array, alive: npt.NDArray[np.bool_]) -> Any:
    if node.op == "const":
        return np.full(alive.shape, node.value)
    if node.op == "feature":
        return rows[..., node.index]
    if node.op == "delta":
        after = _batch(node.args[0], rows, before, alive)
        return after - _batch(node.args[0], before, before, alive)
    args = [_batch(arg, rows, before, alive) for arg in node.args]
    if node.op in REDUCTIONS:
        return _batch_reduce(node.op, args[0], alive)
    return GUARDED[node.op](*args)


def _batch_reduce(op: str, values: Array, alive: npt.NDArray[np.bool_]) -> Any:
    scope, function = op.split("_")
    if scope == "team":
        return np.broadcast_to(
            _reduce_axis(function, values, alive)[..., None], values.shape
        )
    out = np.empty_like(values)
    for j in range(values.shape[-1]):
        mates = alive.copy()
        mates[..., j] = False
        out[..., j] = _reduce_axis(function, values, mates)
    return out


def _reduce_axis(function: str, values: Array, mask: npt.NDArray[np.bool_]) -> Array:
    count = mask.sum(axis=-1)
    if function in ("min", "max"):
        fill = math.inf if function == "min" else -math.inf
        reduce = np.min if function == "min" else np.max
        out = reduce(np.where(mask, values, fill), axis=-1)
    else:
        out = np.where(mask, values, 0.0).sum(axis=-1)
        if function != "sum":
            out = out / count
        if function == "std":
            apart = np.where(mask, values - out[..., None], 0.0)
            out = np.sqrt((apart * apart).sum(axis=-1) / count)
    return np.where(count > 0, out, math.nan)


def _guard(condition: Any, value: Any) -> Any:
    return np.where(condition, value, math.nan)


def _valid(*args: Array) -> Any:
    """Returns a mask that is True where no argument is nan."""
    valid = args[0] == args[0]
    for arg in args[1:]:
        valid = valid & (arg == arg)
    return valid


def _batch_power(x: Array, n: Array) -> Any:
    whole = n == np.floor(n)
    # numpy rounds even powers of x and of -x differently, so that two values that
    # should be equal might compare as different.
    base = np.where(n % 2.0 == 0.0, np.abs(x), x)
    return _guard(((x >= 0.0) | whole) & ((x != 0.0) | (n >= 0.0)), base**n)


#: Each operator and function in a form that gives nan where an argument is not valid.
GUARDED: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda x, y: _guard(y != 0.0, x / y),
    "**": _batch_power,
    "<": lambda x, y: _guard(_valid(x, y), x < y),
    "<=": lambda x, y: _guard(_valid(x, y), x <= y),
    ">": lambda x, y: _guard(_valid(x, y), x > y),
    ">=": lambda x, y: _guard(_valid(x, y), x >= y),
    "==": lambda x, y: _guard(_valid(x, y), x == y),
    "!=": lambda x, y: _guard(_valid(x, y), x != y),
    "not": lambda x: _guard(_valid(x), x == 0.0),
    "and": lambda x, y: _guard(_valid(x, y), (x != 0.0) & (y != 0.0)),
    "or": lambda x, y: _guard(_valid(x, y), (x != 0.0) | (y != 0.0)),
    "where": lambda c, x, y: _guard(_valid(c), np.where(c != 0.0, x, y)),
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "exp": np.exp,
    "log1p": lambda x: _guard(x > -1.0, np.log1p(x)),
    "sqrt": lambda x: _guard(x >= 0.0, np.sqrt(x)),
    "tanh": np.tanh,
    "sign": np.sign,
    "hypot": lambda x, y: _guard(_valid(x, y), np.hypot(x, y)),
}
