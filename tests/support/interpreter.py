"""A plain tree interpreter: the reference that the compiled forms must agree with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from also_wrappers.signal import Action, Actions, FeatureMap, Heading, Signal, parse
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


def advise(
    signal: Signal,
    features: FeatureMap,
    actions: Actions,
    agents: Sequence[str],
    rows: Rows,
    alive: Sequence[int],
) -> list[int]:
    """What an expert says, read rule by rule and move by move."""
    assert signal.expert is not None

    def value(text: str, agent: int) -> float:
        for name, meaning in reversed(signal.define.items()):
            text = re.sub(rf"\b{name}\b", f"({meaning})", text)
        return interpret(parse(text, features.names), rows, rows, alive, agent)

    def good(do: str, agent: int) -> set[str]:
        if " " not in do:
            return {do}
        way, name = do.split()
        row = dict(zip(features.names, rows[agent], strict=True))
        if way == "go":
            return turns(actions, {name}, row)
        sign = 1.0 if way == "toward" else -1.0
        moves: Mapping[str, Action | Heading] = (
            {action.name: action for action in actions.actions if action.step}
            if actions.compass is None
            else actions.compass.headings
        )
        leading = set()
        for heading, move in moves.items():
            pairs = zip(move.step or (), actions.places[name], strict=True)
            along = sign * sum(step * row[at] for step, at in pairs if step)
            free = value(move.open or "1", agent)
            if actions.compass and (math.isnan(along) or math.isnan(free)):
                return set()  # whether to drive or to turn cannot be said
            if along > 1e-9 and free > 0.5:
                leading.add(heading)
        return leading if actions.compass is None else turns(actions, leading, row)

    out = [0] * len(rows)
    for agent in alive:
        for rule in signal.expert.rules:
            whose = rule.agents is None or agents[agent] in rule.agents
            if whose and value(rule.when, agent) > 0.5 and good(rule.do, agent):
                names = good(rule.do, agent)
                out[agent] = sum(
                    1 << a.index for a in actions.actions if a.name in names
                )
                break
    return out


def turns(actions: Actions, wanted: set[str], row: Mapping[str, float]) -> set[str]:
    """The next actions on the shortest ways to head where it is wanted, and drive."""
    compass = actions.compass
    assert compass is not None
    names = list(compass.headings)
    facing = [k for k, n in enumerate(names) if row[compass.headings[n].feature] == 1.0]
    if not facing or not wanted:
        return set()
    ways: dict[str, int] = {}
    for name in wanted:
        right = (names.index(name) - facing[0]) % len(names)
        left = (facing[0] - names.index(name)) % len(names)
        first = {compass.right: right, compass.left: left} if right else {}
        for action, count in (first or {compass.drive: 0}).items():
            ways[action] = min(count, ways.get(action, count))
    return {action for action, count in ways.items() if count == min(ways.values())}
