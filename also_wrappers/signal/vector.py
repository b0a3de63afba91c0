"""A signal over many single-agent environments at once, in numpy.

The code of a step is generated as for one environment. Where no value can be other
than finite, comparisons need no guards, so there are two forms of it: the plain one is
used while all features are finite and the expressions cannot leave the finite numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.batch import GUARDED
from also_wrappers.signal.compiler import binary
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.language import REDUCTIONS, Node
from also_wrappers.signal.model import Signal
from also_wrappers.signal.shaper import MOST_INVALID, parse_term

__all__ = ["VectorShaper"]

Array = npt.NDArray[np.float64]

#: ``(columns, columns before the step) -> value of every term``; a column is a
#: feature of all environments.
_Values = Callable[[Array, Array], list[Array]]

_AGENT = "agent"
#: Products of so many features stay finite while each is below this.
_LARGEST, _MOST_PRODUCTS = 1e6, 20
_RISKY = {"/", "**", "exp", "sqrt", "log1p"}

_PLAIN: dict[str, str] = {
    "neg": "-{0}",
    "+": "{0} + {1}",
    "-": "{0} - {1}",
    "*": "{0} * {1}",
    "<": "({0} < {1}) + 0.0",
    "<=": "({0} <= {1}) + 0.0",
    ">": "({0} > {1}) + 0.0",
    ">=": "({0} >= {1}) + 0.0",
    "==": "({0} == {1}) + 0.0",
    "!=": "({0} != {1}) + 0.0",
    "not": "({0} == 0.0) + 0.0",
    "and": "(({0} != 0.0) & ({1} != 0.0)) + 0.0",
    "or": "(({0} != 0.0) | ({1} != 0.0)) + 0.0",
    "where": "where({0} != 0.0, {1}, {2})",
    "abs": "absolute({0})",
    "min": "minimum({0}, {1})",
    "max": "maximum({0}, {1})",
    "tanh": "tanh({0})",
    "sign": "sign({0})",
    "hypot": "hypot({0}, {1})",
}
_NUMPY = ("where", "absolute", "minimum", "maximum", "tanh", "sign", "hypot")


class VectorShaper:
    """Adds a signal to the rewards of many single-agent environments.

    Args:
        signal: The signal; it stays.
        features: The vocabulary.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.

    Raises:
        ExpressionError: A term's expression is not valid.
    """

    def __init__(
        self,
        signal: Signal,
        features: FeatureMap,
        gamma: float,
        bootstraps_truncation: bool = True,
    ) -> None:
        self.signal = signal
        self._gamma = gamma
        self._bootstraps = bootstraps_truncation
        nodes = [
            _alone(binary(parse_term(term, features, [_AGENT])))
            for term in signal.terms
        ]
        ops = [op for node in nodes for op in _ops(node)]
        self._safe = not _RISKY & set(ops) and ops.count("*") <= _MOST_PRODUCTS
        self._plain = _generate(nodes, plain=True) if self._safe else None
        self._guarded = _generate(nodes, plain=False)
        self._before: Array = np.zeros((0, 0))
        self._phi: list[Array] = []
        self._invalid: list[npt.NDArray[np.int64]] = []
        self._any_invalid = False

    def reset(self, columns: Array, which: npt.NDArray[np.bool_] | None = None) -> None:
        """Starts episodes.

        Args:
            columns: First features, shape ``(features, environments)``.
            which: The environments whose episodes start; all if not given.
        """
        if which is None:
            count = columns.shape[1]
            self._invalid = [np.zeros(count, dtype=np.int64) for _ in self.signal.terms]
            self._before = columns
            self._phi = self._values(columns, columns)
            return
        self._before = self._before.copy()
        self._before[:, which] = columns[:, which]
        for phi, value in zip(self._phi, self._values(columns, columns), strict=True):
            phi[which] = value[which]

    def step(
        self,
        columns: Array,
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> Array:
        """What is added to each environment's reward.

        Args:
            columns: Features that the step arrived at; not changed afterwards.
            terminated: Whose episode terminated.
            truncated: Whose episode was truncated.
        """
        values = self._values(columns, self._before)
        keep: Any = self._gamma
        ended = terminated if self._bootstraps else terminated | truncated
        if ended.any():
            keep = np.where(ended, 0.0, self._gamma)
        added: Any = 0.0
        for k, (term, value) in enumerate(zip(self.signal.terms, values, strict=True)):
            if term.kind == "potential":
                paid = keep * value - self._phi[k]
            elif term.kind == "progress":
                paid = value - self._phi[k]
            else:
                paid = value
            paid = term.weight * paid
            if self._any_invalid:
                paid = np.where(self._invalid[k] < MOST_INVALID, paid, 0.0)
            added = added + paid
        self._phi = values
        self._before = columns
        if not values:
            return np.zeros(columns.shape[1])
        total: Array = added
        return total

    def _values(self, columns: Array, before: Array) -> list[Array]:
        """The bounded value of every term, a new array each."""
        with np.errstate(all="ignore"):
            if self._plain is not None and _square(columns) <= _LARGEST**2:
                values = self._plain(columns, before)
            else:
                values = self._guarded(columns, before)
            return [self._bounded(k, value, columns) for k, value in enumerate(values)]

    def _bounded(self, k: int, found: Any, columns: Array) -> Array:
        bound = self.signal.terms[k].bound
        value: Array = np.asarray(found, dtype=np.float64)
        if value.shape != columns.shape[1:]:  # an expression without a feature
            value = np.full(columns.shape[1:], value)
        if _square(value) <= bound**2 or np.abs(value).max(initial=0.0) <= bound:
            return value
        finite = np.isfinite(value)
        self._invalid[k] += ~finite
        self._any_invalid = self._any_invalid or not finite.all()
        bounded: Array = np.clip(np.where(finite, value, 0.0), -bound, bound)
        return bounded


def _square(values: Array) -> float:
    """The sum of squares: the cheapest bound on all values at once, nan included."""
    flat = values.ravel()
    return float(flat.dot(flat))


def _alone(node: Node) -> Node:
    """What reductions mean for a team of one: itself, no spread, no others."""
    args = tuple(_alone(arg) for arg in node.args)
    if node.op in ("team_mean", "team_min", "team_max", "team_sum"):
        return args[0]
    if node.op == "team_std":
        return Node("-", (args[0], args[0]))
    if node.op in REDUCTIONS:
        return Node("const", value=math.nan)
    return Node(node.op, args, node.value, node.index)


def _ops(node: Node) -> list[str]:
    found = [node.op if not math.isnan(node.value) else "/"]
    for arg in node.args:
        found += _ops(arg)
    return found


def _generate(nodes: Sequence[Node], plain: bool) -> _Values:
    """Straight-line numpy code, every distinct subtree once."""
    lines: list[str] = []
    scope: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY}
    memo: dict[tuple[Node, str], str] = {}

    def emit(node: Node, when: str) -> str:
        if (node, when) in memo:
            return memo[node, when]
        name = f"t{len(memo)}"
        if node.op == "const":
            # A Python float would raise where numpy gives nan, as in 1 / 0.
            scope[f"c{len(memo)}"] = np.float64(node.value)
            code = f"c{len(memo)}"
        elif node.op == "feature":
            code = f"{when}[{node.index}]"
        elif node.op == "delta":
            code = f"{emit(node.args[0], 'r')} - {emit(node.args[0], 'b')}"
        else:
            args = [emit(arg, when) for arg in node.args]
            if plain:
                code = _PLAIN[node.op].format(*args)
            else:
                function = f"f{len(memo)}"
                scope[function] = GUARDED[node.op]
                code = f"{function}({', '.join(args)})"
            name = f"t{len(memo)}"
        memo[node, when] = name
        lines.append(f"    {name} = {code}")
        return name

    values = ", ".join(emit(node, "r") for node in nodes)
    source = "\n".join(["def generated(r, b):", *lines, f"    return [{values}]"])
    exec(compile(source, "<signal>", "exec"), scope)
    generated: _Values = scope["generated"]
    return generated
