"""A signal over many single-agent environments at once, in numpy.

The code of a step is generated as for one environment. Where no value can be other
than finite, an operator needs no guard, so there are two forms of the code: the quick
one is used while all features are finite and of a reasonable size.
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
Mask = npt.NDArray[np.bool_]

#: ``(columns, columns before the step, out)``: a column is a feature of all
#: environments; the value of term k is left in ``out[k]``.
_Values = Callable[[Array, Array, Array], None]

_AGENT = "agent"
#: So many products of features stay finite while each feature is below this.
_LARGEST, _MOST_PRODUCTS = 1e6, 20
_MOST_DOT = 8192

_TRUTH = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}
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


class VectorShaper:
    """Adds a signal to the rewards of many single-agent environments.

    Args:
        signal: The signal; it stays.
        features: The vocabulary.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.
        track: Whether to keep ``totals``.

    Attributes:
        invalid: How many values were not finite, shape ``(terms, environments)``.
        totals: What each term has paid in each episode that runs, likewise.

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
        track: bool = False,
    ) -> None:
        self.signal = signal
        self._made_for = (signal, gamma, bootstraps_truncation)
        self._track = track
        terms = signal.terms
        self._bootstraps = bootstraps_truncation
        nodes = [_alone(binary(parse_term(term, features, [_AGENT]))) for term in terms]
        self._quick = _Generator(quick=True).function(nodes)
        self._guarded = _Generator(quick=False).function(nodes)
        self._bounds = [term.bound for term in terms]
        self._least_bound = min(self._bounds, default=0.0)
        kept = {"potential": gamma, "progress": 1.0, "bonus": 1.0}
        #: What the values are worth: when a step arrives at them, when the next step
        #: leaves them, and what is not paid where the episode ended.
        self._worth = np.array(
            [
                [term.weight * kept[term.kind] for term in terms],
                [0.0 if term.kind == "bonus" else term.weight for term in terms],
            ]
        )
        self._kept = np.array(
            [term.weight * gamma * (term.kind == "potential") for term in terms]
        )
        self._has_state = np.array([term.kind != "bonus" for term in terms], dtype=bool)
        self.invalid = np.zeros((len(terms), 0), dtype=np.int64)
        self.totals: Array = np.zeros((len(terms), 0))
        self._off: Mask | None = None
        self._strength: Array | None = None
        self._before: Array = np.zeros((0, 0))
        self._fine = False
        self._last: Array = np.zeros((0, 0))
        self._owed: Array = np.zeros(0)

    def pays(self, signal: Signal, gamma: float, bootstraps_truncation: bool) -> bool:
        """Whether it is what another shaper with these arguments would be."""
        return self._made_for == (signal, gamma, bootstraps_truncation)

    def reset(
        self,
        columns: Array,
        which: Mask | None = None,
        strength: float | Array = 1.0,
    ) -> None:
        """Starts episodes.

        Args:
            columns: First features, shape ``(features, environments)``; not changed
                by the caller afterwards.
            which: The environments whose episodes start; all if not given.
            strength: Factor of what is added in these episodes, of each if it is an
                array.
        """
        count = columns.shape[1]
        whole = which is None or self._before.shape != columns.shape
        if whole or which is None:
            which = np.ones(count, dtype=bool)
            self._before, self._strength = columns, None
            self.invalid = np.zeros((len(self._bounds), count), dtype=np.int64)
            self._last = np.zeros(self.invalid.shape)
            self.totals = np.zeros(self.invalid.shape)
            self._owed = np.zeros(count)
        if self._strength is not None or np.any(strength != 1.0):
            if self._strength is None:
                self._strength = np.ones(count)
            self._strength = np.where(which, strength, self._strength)
        self._before = np.where(which, columns, self._before)
        known = self.invalid.copy()
        values = self._values(columns, columns)
        counted = self._has_state[:, None] & which
        self._count(np.where(counted, self.invalid, known))
        self._fine = self._fine and whole
        self._last = np.where(which, values, self._last)
        self.totals[:, which] = 0.0
        self._owed = np.where(which, (self._worth @ values)[1], self._owed)

    def step(self, columns: Array, terminated: Mask, truncated: Mask) -> Array:
        """What is added to each environment's reward.

        Args:
            columns: Features that the step arrived at, shape ``(features,
                environments)``; not changed by the caller afterwards.
            terminated: Whose episode terminated.
            truncated: Whose episode was truncated.
        """
        values = self._values(columns, self._before)
        arrived, leaves = self._worth @ values
        added: Array = arrived - self._owed
        ended = terminated if self._bootstraps else terminated | truncated
        if ended.any():
            added[ended] -= self._kept @ values[:, ended]
        if self._strength is not None:
            added *= self._strength
        if self._track:
            self._sum(values, ended)
        self._owed, self._last, self._before = leaves, values, columns
        return added

    def forgive(self, which: Mask) -> None:
        """Forgets which values were not finite, in environments that come new."""
        if self.invalid.any():
            self._count(np.where(which, 0, self.invalid))

    def _count(self, invalid: npt.NDArray[np.int64]) -> None:
        self.invalid = invalid
        off = invalid >= MOST_INVALID
        self._off = off if off.any() else None

    def _sum(self, values: Array, ended: Mask) -> None:
        """Adds to what each term has paid."""
        arrived, leaves = self._worth
        paid = arrived[:, None] * values - leaves[:, None] * self._last
        if ended.any():
            paid[:, ended] -= self._kept[:, None] * values[:, ended]
        if self._strength is not None:
            paid *= self._strength
        self.totals += paid

    def _values(self, columns: Array, before: Array) -> Array:
        """The bounded values, shape ``(terms, environments)``; a new array."""
        out = np.empty((len(self._bounds), columns.shape[1]))
        with np.errstate(all="ignore"):
            fine = _small(columns)
            if fine and (self._fine or before is columns):
                self._quick(columns, before, out)
            else:
                self._guarded(columns, before, out)
            self._fine = fine
            if not _within(out, self._least_bound):
                self._bound(out)
        if self._off is not None:
            out[self._off] = 0.0
        return out

    def _bound(self, values: Array) -> None:
        """Clips; what is not finite counts as 0, and too much of it ends the term."""
        for k, bound in enumerate(self._bounds):
            finite = np.isfinite(values[k])
            if not finite.all():
                self.invalid[k] += ~finite
                values[k][~finite] = 0.0
                off = self.invalid >= MOST_INVALID
                if off.any():
                    self._off = off
                    self._last = np.where(off, 0.0, self._last)
                    self._owed = (self._worth @ self._last)[1]
            np.clip(values[k], -bound, bound, out=values[k])


def _small(values: Array) -> bool:
    """Whether no value is large, or nan.

    The sum of squares is the cheapest bound, but BLAS uses threads for a long one.
    """
    flat = values.ravel()
    if flat.size > _MOST_DOT:
        return _within(flat, _LARGEST)
    return bool(flat.dot(flat) <= _LARGEST**2)


def _within(values: Array, bound: float) -> bool:
    """Whether all values are in ``[-bound, bound]``; nan is not."""
    flat = values.ravel()
    if not flat.size:
        return True
    return bool(np.maximum.reduce(flat) <= bound and np.minimum.reduce(flat) >= -bound)


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


class _Generator:
    """Writes straight-line numpy code, every distinct subtree once.

    Args:
        quick: Whether all features are known to be finite and below a limit. Then only
            what can still leave the finite numbers is guarded.
    """

    def __init__(self, quick: bool) -> None:
        self._quick = quick
        self._finite = False
        self._lines: list[str] = []
        self._scope: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY}
        self._scope["where"] = np.where
        self._memo: dict[tuple[Node, str], str] = {}
        self._count = 0

    def function(self, nodes: Sequence[Node]) -> _Values:
        """A function that computes all roots."""
        products = sum(_products(node) for node in nodes)
        self._finite = self._quick and products <= _MOST_PRODUCTS
        for k, node in enumerate(nodes):
            self._root(node, k)
        body = [f"    {line}" for line in self._lines]
        source = "\n".join(["def generated(r, b, out):", *body, "    return None"])
        exec(compile(source, "<signal>", "exec"), self._scope)
        generated: _Values = self._scope["generated"]
        return generated

    def _sure(self, node: Node) -> bool:
        """Whether its value is finite, whatever the features are."""
        if node.op == "const":
            return math.isfinite(node.value)
        if node.op == "feature":
            return self._finite
        if node.op == "/":
            divisor = node.args[1]
            known = divisor.op == "const" and abs(divisor.value) > 1.0 / _LARGEST
            return known and self._sure(node.args[0])
        if node.op == "**":
            return _whole_power(node) and self._sure(node.args[0])
        if node.op in ("exp", "sqrt", "log1p"):
            return False
        return all(self._sure(arg) for arg in node.args)

    def _root(self, node: Node, k: int) -> None:
        target = f"out[{k}]"
        if node.op in _PLAIN and (self._sure(node) or _lets_through(node)):
            args = [self._emit(arg, "r") for arg in node.args]
            code = _PLAIN[node.op].format(*args, out=f", out={target}")
            if (node, "r") not in self._memo:
                self._lines.append(code)
                self._memo[node, "r"] = target
                return
        self._lines.append(f"{target} = {self._emit(node, 'r')}")

    def _emit(self, node: Node, when: str) -> str:
        """Writes the code of a subtree; returns the name that holds its value."""
        if (node, when) in self._memo:
            return self._memo[node, when]
        if node.op == "const":
            # A Python float would raise where numpy gives nan, as in 1 / 0.
            name = self._new()
            self._scope[name] = np.float64(node.value)
            self._memo[node, when] = name
            return name
        if node.op == "feature":
            code = f"{when}[{node.index}]"
        elif node.op == "delta":
            after = self._emit(node.args[0], "r")
            code = f"{after} - {self._emit(node.args[0], 'b')}"
        elif node.op in _PLAIN and (self._sure(node) or _lets_through(node)):
            args = [self._emit(arg, when) for arg in node.args]
            code = _PLAIN[node.op].format(*args, out="")
        elif self._sure(node) and node.op == "where":
            condition = self._truth(node.args[0], when)
            args = [self._emit(arg, when) for arg in node.args[1:]]
            code = f"where({condition}, {args[0]}, {args[1]})"
        elif self._sure(node) and node.op == "/":
            code = (
                f"{self._emit(node.args[0], when)} / {self._emit(node.args[1], when)}"
            )
        elif self._sure(node) and node.op == "**":
            code = f"{self._emit(node.args[0], when)} ** {int(node.args[1].value)}"
        elif self._sure(node):
            code = f"{self._truth(node, when)} + 0.0"
        else:
            args = [self._emit(arg, when) for arg in node.args]
            function = self._new()
            self._scope[function] = GUARDED[node.op]
            code = f"{function}({', '.join(args)})"
        name = self._new()
        self._lines.append(f"{name} = {code}")
        self._memo[node, when] = name
        return name

    def _truth(self, node: Node, when: str) -> str:
        """Code of a condition as booleans; its arguments are known to be finite."""
        if node.op in _TRUTH:
            one, other = (self._emit(arg, when) for arg in node.args)
            return f"({one} {_TRUTH[node.op]} {other})"
        if node.op in ("and", "or"):
            one, other = (self._truth(arg, when) for arg in node.args)
            return f"({one} {'&' if node.op == 'and' else '|'} {other})"
        if node.op == "not":
            return f"(~{self._truth(node.args[0], when)})"
        return f"({self._emit(node, when)} != 0.0)"

    def _new(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _lets_through(node: Node) -> bool:
    """Whether numpy's own operator gives nan wherever ours does."""
    return node.op != "hypot"


def _whole_power(node: Node) -> bool:
    exponent = node.args[1].value
    return exponent.is_integer() and 0.0 <= exponent <= 4.0


def _products(node: Node) -> float:
    """How many factors a value has at most, to keep it finite."""
    inside = sum(_products(arg) for arg in node.args)
    if node.op == "**":
        return inside * max(abs(node.args[1].value), 1.0)
    return inside + (node.op in ("feature", "/"))
