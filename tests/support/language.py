"""Random expressions of the term language, and rows to read them on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import assume
from hypothesis import strategies as st

from also_wrappers.exceptions import ExpressionError
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.language.parser import FUNCTIONS, REDUCTIONS, Node
from also_wrappers.signal.shaper import compile_signal

NAMES = ["distance", "left", "speed"]
FEATURES = FeatureMap(*[Feature(name, f"obs[{k}]") for k, name in enumerate(NAMES)])


def nodes(delta: bool) -> st.SearchStrategy[Node]:
    """Random valid trees."""
    leaves = st.one_of(
        st.floats(-100, 100).map(lambda value: Node("const", value=value)),
        st.sampled_from([-1e6, 1e6]).map(lambda value: Node("const", value=value)),
        st.integers(0, 2).map(lambda index: Node("feature", index=index)),
    )

    def extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        def build(op: str, count: int) -> st.SearchStrategy[Node]:
            return st.tuples(*[inner] * count).map(lambda args: Node(op, args))

        operators = [
            build(op, 2)
            for op in [
                "+",
                "-",
                "*",
                "/",
                "<",
                "<=",
                ">",
                ">=",
                "==",
                "!=",
                "and",
                "or",
            ]
        ]
        functions = [build(op, low) for op, (low, _) in FUNCTIONS.items()]
        reductions = [build(op, 1) for op in REDUCTIONS]
        powers = st.tuples(
            inner, st.sampled_from([-2.0, -0.5, 0.5, 2.0, 4.0, 8.0])
        ).map(lambda pair: Node("**", (pair[0], Node("const", value=pair[1]))))
        others = [build("neg", 1), build("not", 1), powers]
        return st.one_of(*operators, *functions, *reductions, *others)

    trees = st.recursive(leaves, extend, max_leaves=12)
    if not delta:
        return trees
    return trees | trees.map(lambda node: Node("delta", (node,)))


def text(node: Node) -> str:
    """A tree, written out with all its brackets."""
    if node.op == "const":
        size = f"{abs(node.value):.6f}"
        return size if node.value >= 0.0 else f"(0 - {size})"
    if node.op == "feature":
        return NAMES[node.index]
    args = [text(arg) for arg in node.args]
    if node.op == "neg":
        return f"(-{args[0]})"
    if node.op == "not":
        return f"(not {args[0]})"
    if node.op == "**":
        return f"({args[0]} ** {node.args[1].value:g})"
    if (len(args) == 2 and not node.op.isalpha()) or node.op in ("and", "or"):
        return f"({args[0]} {node.op} {args[1]})"
    return f"{node.op}({', '.join(args)})"


@st.composite
def signals(draw: st.DrawFn, team: Sequence[str]) -> Signal:
    """Up to four terms of any kind, over any expression, that pay some of a team."""
    terms: list[Term] = []
    for k in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([*KINDS]))
        some = st.lists(st.sampled_from(team), min_size=1, unique=True).map(tuple)
        try:
            term = Term(
                name=f"t{k}",
                kind=kind,
                expression=text(draw(nodes(delta=not KINDS[kind].of_state))),
                weight=draw(st.floats(-2.0, 2.0)),
                agents=draw(st.none() | some),
            )
            compile_signal(Signal(terms=(*terms, term)), FEATURES, team)
        except (ExpressionError, ValueError):
            assume(False)
        terms.append(term)
    return Signal(terms=tuple(terms))


numbers = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([0.0, 1.0, -1.0, 1e6, math.nan, math.inf, 1e300]),
)
row = st.lists(numbers, min_size=3, max_size=3)
