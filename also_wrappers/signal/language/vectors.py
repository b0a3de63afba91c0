"""Compiles trees into numpy code that computes all terms for many environments.

The code is generated as for one environment: from operator names of our own table,
feature indices and names of constants. There are two forms of the code, as an operator
needs no guard where all values are sure to be finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.signal.language.arrays import GUARDED
from also_wrappers.signal.language.exact import exact_functions
from also_wrappers.signal.language.parser import Node

__all__ = ["LARGEST", "VectorCode", "compile_vector"]

Array = npt.NDArray[np.float64]

#: ``(columns, columns before the step, out)``: a column is a feature of all
#: environments; the value of term k is left in ``out[k]``.
_Values = Callable[[Array, Array, Array], None]

#: Largest size of a feature for which the quick form may be used.
LARGEST = 1e6
#: Largest size of a value that is sure to stay finite in spite of rounding.
_FINITE = 1e300

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_PLAIN: dict[str, str] = {
    "neg": "negative({0}{out})",
    "+": "add({0}, {1}{out})",
    "-": "subtract({0}, {1}{out})",
    "*": "multiply({0}, {1}{out})",
    "abs": "absolute({0}{out})",
    "min": "minimum({0}, {1}{out})",
    "max": "maximum({0}, {1}{out})",
    "tanh": "tanh({0}{out})",
    "sign": "sign({0}{out})",
    "hypot": "hypot({0}, {1}{out})",
}
_NUMPY = tuple(code.partition("(")[0] for code in _PLAIN.values())


@dataclass(frozen=True)
class VectorCode:
    """Holds two functions that compute all terms: a quick and a guarded one.

    Attributes:
        quick: For features that are all finite and up to ``LARGEST`` in size.
        guarded: For any features.
        calm: Whether all values of the quick form are sure to be finite.
    """

    quick: _Values
    guarded: _Values
    calm: bool


def compile_vector(nodes: Sequence[Node], agents: int | None = None) -> VectorCode:
    """Compiles the trees of all terms into functions over many environments.

    Args:
        nodes: Roots of the terms' checked trees, without ``clip`` and the longer
            ``min`` and ``max``.
        agents: The number of agents of each team, for code whose values are bit for
            bit those for one environment; ``None`` for the quickest code, which takes
            trees without reductions only.
    """
    exact = {} if agents is None else exact_functions(agents)
    quick, guarded = _Writer(True, exact), _Writer(False, exact)
    return VectorCode(
        quick.function(nodes),
        guarded.function(nodes),
        all(quick.sure(node) for node in nodes),
    )


class _Writer:
    """Writes straight-line numpy code, with every distinct subtree once.

    Args:
        quick: Whether all features are known to be finite and up to ``LARGEST`` in
            size. Then only operators that can still give other values are guarded.
        exact: Functions by operator that are used in place of numpy's.
    """

    def __init__(self, quick: bool, exact: Mapping[str, Callable[..., Any]]) -> None:
        self._exact = exact
        self._guarded = {**GUARDED, **exact}
        self._largest = LARGEST if quick else math.inf
        self._sizes: dict[Node, float] = {}
        self._lines: list[str] = []
        self._scope: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY}
        self._scope["where"] = np.where
        self._memo: dict[tuple[Node, str], str] = {}
        self._count = 0

    def function(self, nodes: Sequence[Node]) -> _Values:
        """Returns a function that computes the values of all roots."""
        for k, node in enumerate(nodes):
            self._root(node, k)
        body = [f"    {line}" for line in self._lines]
        source = "\n".join(["def generated(r, b, out):", *body, "    return None"])
        # The source is made of nodes of our own tree, without text of a proposal.
        exec(compile(source, "<signal>", "exec"), self._scope)  # noqa: S102
        generated: _Values = self._scope["generated"]
        return generated

    def sure(self, node: Node) -> bool:
        """True where a node's value and those of its subtrees are sure to be finite."""
        return self._size(node) <= _FINITE

    def _size(self, node: Node) -> float:
        """Returns the largest size that a value can have; infinity if unknown."""
        if node not in self._sizes:
            size = self._compute_size(node)
            self._sizes[node] = size if size <= _FINITE else math.inf
        return self._sizes[node]

    def _compute_size(self, node: Node) -> float:
        op = node.op
        if op == "const":
            return abs(node.value)
        if op == "feature":
            return self._largest
        sizes = [self._size(arg) for arg in node.args]
        unknown = op in ("exp", "sqrt", "log1p") or op in self._exact
        if max(sizes) == math.inf or unknown:
            return math.inf
        if op == "*":
            return sizes[0] * sizes[1]
        if op == "/":
            divisor = node.args[1]
            known = divisor.op == "const" and abs(divisor.value) > 1.0 / LARGEST
            return sizes[0] / sizes[1] if known else math.inf
        if op == "**":
            power = int(node.args[1].value)
            return math.prod([sizes[0]] * power) if _whole_power(node) else math.inf
        if op == "delta":
            return 2.0 * sizes[0]
        if op in ("+", "-", "hypot"):
            return sum(sizes)
        return max(1.0, *sizes)  # other operators give at most 1 or an argument

    def _root(self, node: Node, k: int) -> None:
        target = f"out[{k}]"
        if self._plain(node):
            args = [self._emit(arg, "r") for arg in node.args]
            code = _PLAIN[node.op].format(*args, out=f", out={target}")
            if (node, "r") not in self._memo:
                self._lines.append(code)
                self._memo[node, "r"] = target
                return
        self._lines.append(f"{target} = {self._emit(node, 'r')}")

    def _emit(self, node: Node, when: str) -> str:
        """Writes the code of a subtree; returns the name that holds the value."""
        if (node, when) in self._memo:
            return self._memo[node, when]
        if node.op == "const":
            # A Python float raises an error where numpy gives nan, as in 1 / 0.
            name = self._new()
            self._scope[name] = np.float64(node.value)
            self._memo[node, when] = name
            return name
        if node.op == "feature":
            code = f"{when}[{node.index}]"
        elif node.op == "delta":
            after = self._emit(node.args[0], "r")
            code = f"{after} - {self._emit(node.args[0], 'b')}"
        elif self._plain(node):
            args = [self._emit(arg, when) for arg in node.args]
            code = _PLAIN[node.op].format(*args, out="")
        elif self.sure(node) and node.op == "where":
            condition = self._truth(node.args[0], when)
            args = [self._emit(arg, when) for arg in node.args[1:]]
            code = f"where({condition}, {args[0]}, {args[1]})"
        elif self.sure(node) and node.op == "/":
            code = (
                f"{self._emit(node.args[0], when)} / {self._emit(node.args[1], when)}"
            )
        elif self.sure(node) and node.op == "**":
            base = self._emit(node.args[0], when)
            code = " * ".join([base] * int(node.args[1].value))
        elif self.sure(node):
            code = f"{self._truth(node, when)} + 0.0"
        else:
            args = [self._emit(arg, when) for arg in node.args]
            function = self._new()
            self._scope[function] = self._guarded[node.op]
            code = f"{function}({', '.join(args)})"
        name = self._new()
        self._lines.append(f"{name} = {code}")
        self._memo[node, when] = name
        return name

    def _plain(self, node: Node) -> bool:
        """True where numpy's own operator gives nan wherever the language does."""
        if node.op not in _PLAIN or node.op in self._exact:
            return False
        return self.sure(node) or node.op != "hypot"

    def _truth(self, node: Node, when: str) -> str:
        """Returns the code of a condition as booleans, for finite arguments."""
        if node.op in _COMPARISONS:
            one, other = (self._emit(arg, when) for arg in node.args)
            return f"({one} {node.op} {other})"
        if node.op in ("and", "or"):
            one, other = (self._truth(arg, when) for arg in node.args)
            return f"({one} {'&' if node.op == 'and' else '|'} {other})"
        if node.op == "not":
            return f"(~{self._truth(node.args[0], when)})"
        return f"({self._emit(node, when)} != 0.0)"

    def _new(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _whole_power(node: Node) -> bool:
    exponent = node.args[1].value
    return exponent.is_integer() and 0.0 <= exponent <= 4.0
