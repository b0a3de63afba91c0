"""Compiles trees into one Python function for one environment.

The generated code is made from operator names of our own table, feature indices and
names of constants: no text of an expression reaches ``exec``. The code is
straight-line: every distinct subtree is computed once per agent, every reduction over
the team once per step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from also_wrappers.signal.kinds import Kind
from also_wrappers.signal.language.parser import REDUCTIONS, Node
from also_wrappers.signal.language.scalars import CODE, SCOPE

__all__ = [
    "Evaluate",
    "Rows",
    "Step",
    "StepTerm",
    "Writer",
    "binary",
    "compile_nodes",
    "compile_step",
    "compile_turn",
]

#: One feature row per agent, in the order of the team.
Rows = Sequence[Sequence[float]]

#: ``(rows, rows before the step, indices of alive agents) -> per node, per agent``
#: (the values of agents that are not alive are 0.0).
Evaluate = Callable[[Rows, Rows, Sequence[int]], list[list[float]]]

#: See ``compile_step``.
Step = Callable[
    [
        Rows,
        Rows,
        Sequence[int],
        list[list[float | None]],
        list[float],
        list[float],
        list[float],
        Callable[[int, float], float],
    ],
    list[float],
]


def compile_nodes(nodes: Sequence[Node]) -> Evaluate:
    """Compiles several trees into one function of a step's features.

    Args:
        nodes: Roots of checked trees.

    Returns:
        A function ``(rows, before, alive) -> values``; ``values[k][i]`` belongs to
        ``nodes[k]`` and agent ``i``. Plain features are read from ``rows``, the
        state that a step arrived at; ``delta`` reads ``before`` as well.
    """
    return Writer(nodes).evaluate()


@dataclass(frozen=True)
class StepTerm:
    """Holds what the step function has to know of a term besides its tree.

    Attributes:
        kind: How the term's values are paid.
        bound: The term's values are clipped to ``[-bound, bound]``.
        pays: Places of the agents that the term pays; ``None`` means all.
    """

    kind: Kind
    bound: float
    pays: frozenset[int] | None


def compile_step(nodes: Sequence[Node], terms: Sequence[StepTerm]) -> Step:
    """Compiles all terms of a signal into one function that pays a step.

    Args:
        nodes: Roots of the terms' checked trees.
        terms: The terms, in the same order.

    Returns:
        A function ``(rows, before, alive, phi, weights, keep, totals, bounded)`` that
        returns what is added per agent. The function reads the last Phi of each state
        term and agent from ``phi``, and writes the new Phi there (``None``: the agent
        has just come and is paid from the next step on). ``keep[i]`` is the factor of
        Phi(s') of a discounted kind for agent ``i``: gamma, or 0 at the end.
        ``bounded`` is called for values out of bounds only.
    """
    function: Step = Writer(nodes).step(terms)
    return function


def compile_turn(
    nodes: Sequence[Node], terms: Sequence[StepTerm]
) -> Callable[..., list[float]]:
    """Compiles all terms into one function that pays a step of some agents.

    Args:
        nodes: Roots of the terms' checked trees.
        terms: The terms, in the same order.

    Returns:
        The function of ``compile_step`` with one more argument, ``waiting``: a
        container of the present agents that did not act, which get no bonus.
    """
    function: Callable[..., list[float]] = Writer(nodes).step(terms, turns=True)
    return function


class Writer:
    """Writes the straight-line Python code of a function from trees.

    Constants become default arguments, which are locals of the function.

    Args:
        roots: Roots of checked trees.
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self._roots = [binary(root) for root in roots]
        self._constants: dict[str, float] = {}
        self._lines: list[str] = []
        self._reduced: dict[tuple[Node, str], str] = {}
        self._memo: dict[tuple[Node, str], str] = {}
        self._count = 0
        self._level = 2  # how far the code of a subtree is indented

    def evaluate(self) -> Evaluate:
        """Returns a function that computes the values of all roots."""
        self._reductions()
        for k in range(len(self._roots)):
            self._line(1, f"out{k} = [0.0] * len(rows)")
        self._open_agents(self._roots)
        for k, root in enumerate(self._roots):
            self._line(2, f"out{k}[i] = {self._emit(root, 'r')}")
        outputs = ", ".join(f"out{k}" for k in range(len(self._roots)))
        self._line(1, f"return [{outputs}]")
        function: Evaluate = self._function("rows, before, alive", {})
        return function

    def step(self, terms: Sequence[StepTerm], turns: bool = False) -> Any:
        """Returns a function that computes what all terms pay at a step.

        Args:
            terms: The terms.
            turns: Whether the function takes the agents that wait.
        """
        self._reductions()
        self._line(1, "added = [0.0] * len(rows)")
        scope: dict[str, Any] = {}
        for k, term in enumerate(terms):
            self._line(1, f"w{k} = weights[{k}]; s{k} = 0.0")
            if term.kind.of_state:
                self._line(1, f"phi{k} = phi[{k}]")
            scope[f"bound{k}"] = term.bound
            scope[f"low{k}"] = -term.bound
            if term.pays is not None:
                scope[f"pays{k}"] = term.pays
        self._open_agents(self._roots)
        self._line(2, "a = 0.0")
        for k, (term, root) in enumerate(zip(terms, self._roots, strict=True)):
            value = self._emit(root, "r")
            self._line(2, f"v = {value}")
            self._line(2, f"if not low{k} <= v <= bound{k}: v = bounded({k}, v)")
            level = 2
            paid = f"w{k} * v"
            if term.kind.of_state:
                self._line(2, f"then = phi{k}[i]; phi{k}[i] = v")
                self._line(2, "if then is not None:")
                level = 3
                gain = "keep[i] * v" if term.kind.discounted else "v"
                paid = f"w{k} * ({gain} - then)"
            elif turns:
                self._line(2, "if i not in waiting:")
                level = 3
            if term.pays is not None:
                self._line(level, f"if i in pays{k}:")
                level += 1
            self._line(level, f"x = {paid}; a += x; s{k} += x")
        self._line(2, "added[i] = a")
        for k in range(len(terms)):
            self._line(1, f"totals[{k}] += s{k}")
        self._line(1, "return added")
        arguments = "rows, before, alive, phi, weights, keep, totals, bounded"
        return self._function(arguments + ", waiting" * turns, scope)

    def _function(self, arguments: str, scope: dict[str, Any]) -> Any:
        scope = {**scope, **self._constants, **SCOPE}
        used = ", ".join(f"{name}={name}" for name in scope)
        source = "\n".join([f"def generated({arguments}, {used}):", *self._lines])
        # The source is made of nodes of our own tree, without text of a proposal.
        exec(compile(source, "<signal>", "exec"), scope)  # noqa: S102
        return scope["generated"]

    def _reductions(self) -> None:
        """Writes the code of the reductions, inner reductions first."""
        levels: dict[int, list[tuple[Node, str]]] = {}
        for root in self._roots:
            self._plan(root, "r", levels)
        for level in sorted(levels):
            self._reduce(levels[level])

    def _plan(
        self, node: Node, when: str, levels: dict[int, list[tuple[Node, str]]]
    ) -> int:
        """Sorts the reductions of a tree by depth; returns the tree's own depth."""
        if node.op == "delta":
            now = self._plan(node.args[0], "r", levels)
            return max(now, self._plan(node.args[0], "b", levels))
        level = max((self._plan(arg, when, levels) for arg in node.args), default=0)
        if node.op not in REDUCTIONS:
            return level
        members = levels.setdefault(level, [])
        if (node, when) not in members:
            members.append((node, when))
        return level + 1

    def _reduce(self, members: list[tuple[Node, str]]) -> None:
        names = []
        for _ in members:
            names.append(f"v{self._count}")
            self._count += 1
            self._line(1, f"{names[-1]} = []")
        if any(when == "b" for _, when in members):
            self._line(1, "if before is None: before = rows")
        self._open_agents([node.args[0] for node, _ in members], members)
        for name, (node, when) in zip(names, members, strict=True):
            self._line(2, f"{name}.append({self._emit(node.args[0], when)})")
        for name, (node, when) in zip(names, members, strict=True):
            scope, function = node.op.split("_")
            result = f"o{name}"
            if scope == "team":
                self._line(1, f"{result} = reduce_{function}({name})")
            else:
                mates = f"{name}[:j] + {name}[j + 1 :]"
                self._line(
                    1,
                    f"{result} = [reduce_{function}({mates}) for j in "
                    f"range(len({name}))] if len({name}) > 1 else [nan] * len({name})",
                )
                result += "[j]"
            self._reduced[node, when] = result

    def _open_agents(
        self, roots: Sequence[Node], members: Sequence[tuple[Node, str]] = ()
    ) -> None:
        """Writes the head of the loop over agents, with the locals that it needs."""
        self._memo = {}
        ops = {op for root in roots for op in _ops(root)}
        others = any(op.startswith("others_") for op in ops)
        self._line(1, "for j, i in enumerate(alive):" if others else "for i in alive:")
        self._line(2, "r = rows[i]")
        if "delta" in ops or any(when == "b" for _, when in members):
            self._line(2, "b = before[i]")

    def _emit(self, node: Node, when: str) -> str:
        """Writes the code of a subtree; returns the name that holds the value."""
        if node.op == "const":
            name = f"c{len(self._constants)}"
            self._constants[name] = node.value
            return name
        key = (node, when)
        if key in self._memo:
            return self._memo[key]
        if node.op == "feature":
            code = f"{when}[{node.index}]"
        elif node.op in REDUCTIONS:
            code = self._reduced[node, when]
        elif node.op == "delta":
            after = self._emit(node.args[0], "r")
            code = f"{after} - {self._emit(node.args[0], 'b')}"
        else:
            code = CODE[node.op].format(*[self._emit(arg, when) for arg in node.args])
        name = f"t{self._count}"
        self._count += 1
        self._line(self._level, f"{name} = {code}")
        self._memo[key] = name
        return name

    def _line(self, level: int, code: str) -> None:
        self._lines.append("    " * level + code)


def _ops(node: Node) -> Iterator[str]:
    yield node.op
    for arg in node.args:
        yield from _ops(arg)


def binary(node: Node) -> Node:
    """Rewrites clip and the longer min and max into two-argument min and max."""
    args = tuple(binary(arg) for arg in node.args)
    if node.op == "clip":
        x, low, high = args
        return Node("min", (Node("max", (x, low)), high))
    if node.op in ("min", "max") and len(args) > 2:
        first = Node(node.op, args[:2])
        for arg in args[2:]:
            first = Node(node.op, (first, arg))
        return first
    return Node(node.op, args, node.value, node.index)
