"""A plain tree interpreter: the reference that the compiled forms must agree with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from also_wrappers.signal.language.compiler import Rows
from also_wrappers.signal.language.parser import REDUCTIONS, Node

NAN = math.nan


def interpret(
    node: Node, rows: Rows, before: Rows, alive: Sequence[int], agent: int
) -> float:
    """The value of a tree for one agent."""

    def value(inner: Node, which: Rows, i: int) -> float:
        if inner.op == "const":
            return inner.value
        if inner.op == "feature":
            return which[i][inner.index]
        if inner.op == "delta":
            return value(inner.args[0], rows, i) - value(inner.args[0], before, i)
        if inner.op in REDUCTIONS:
            scope, name = inner.op.split("_")
            over = [j for j in alive if scope == "team" or j != i]
            return reduced(name, [value(inner.args[0], which, j) for j in over])
        return applied(inner.op, [value(arg, which, i) for arg in inner.args])

    return value(node, rows, agent)


def reduced(name: str, values: list[float]) -> float:
    if not values or any(math.isnan(value) for value in values):
        return NAN
    if name == "sum":
        return sum(values)
    if name == "min":
        return min(values)
    if name == "max":
        return max(values)
    mean = sum(values) / len(values)
    if name == "mean":
        return mean
    squares = [(value - mean) * (value - mean) for value in values]
    return math.sqrt(sum(squares) / len(values))


def applied(op: str, args: list[float]) -> float:
    if op != "where" and any(math.isnan(arg) for arg in args):
        return NAN
    x = args[0]
    y = args[1] if len(args) > 1 else NAN
    match op:
        case "neg":
            return -x
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "/":
            return x / y if y != 0.0 else NAN
        case "**":
            return power(x, y)
        case "<" | "<=" | ">" | ">=" | "==" | "!=":
            return float(compared(op, x, y))
        case "and":
            return float(x != 0.0 and y != 0.0)
        case "or":
            return float(x != 0.0 or y != 0.0)
        case "not":
            return float(x == 0.0)
        case "where":
            return NAN if math.isnan(x) else args[1] if x != 0.0 else args[2]
        case "abs":
            return abs(x)
        case "min":
            return min(args)
        case "max":
            return max(args)
        case "clip":
            return min(max(x, y), args[2])
        case "exp":
            try:
                return math.exp(x)
            except OverflowError:
                return math.inf
        case "log1p":
            return math.log1p(x) if x > -1.0 else NAN
        case "sqrt":
            return math.sqrt(x) if x >= 0.0 else NAN
        case "tanh":
            return math.tanh(x)
        case "sign":
            return float((x > 0.0) - (x < 0.0))
        case "hypot":
            return math.hypot(x, y)
    raise AssertionError(op)


def compared(op: str, x: float, y: float) -> bool:
    return {
        "<": x < y,
        "<=": x <= y,
        ">": x > y,
        ">=": x >= y,
        "==": x == y,
        "!=": x != y,
    }[op]


def power(x: float, n: float) -> float:
    if x < 0.0 and n != math.floor(n):
        return NAN
    if x == 0.0 and n < 0.0:
        return NAN
    try:
        return float(math.pow(x, n))
    except OverflowError:
        return -math.inf if x < 0.0 and n % 2.0 == 1.0 else math.inf
