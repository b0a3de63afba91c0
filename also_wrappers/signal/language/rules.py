"""Rules -> one Python function that says which actions are good, for one environment.

The code is generated as for terms: from operator names of our own table, feature
indices and whole numbers of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from also_wrappers.signal.language.compiler import Rows, Writer, binary
from also_wrappers.signal.language.parser import Node

__all__ = ["HOLDS", "Choose", "RuleTrees", "compile_rules"]

#: A condition holds where its value is above this.
HOLDS = 0.5

#: ``(rows, indices of alive agents) -> per agent, one bit for each good action``.
Choose = Callable[[Rows, Sequence[int]], list[int]]


@dataclass(frozen=True)
class RuleTrees:
    """A rule as trees.

    Attributes:
        when: Holds where the rule does.
        agents: Places of the agents that the rule is for; ``None`` means all.
        choices: The actions that may be good, each as its bit and a tree that holds
            where it is; ``None`` if it always is.
    """

    when: Node
    agents: frozenset[int] | None
    choices: tuple[tuple[int, Node | None], ...]


def compile_rules(rules: Sequence[RuleTrees]) -> Choose:
    """Compiles rules into one function.

    Args:
        rules: The rules, in the order in which they are asked.

    Returns:
        A function ``(rows, alive) -> bits``, one number per agent: the bits of the
        first rule that holds and has any, 0 where there is none and for agents that
        are not alive.
    """
    trees = [
        RuleTrees(
            binary(rule.when),
            rule.agents,
            tuple((bit, tree and binary(tree)) for bit, tree in rule.choices),
        )
        for rule in rules
    ]
    return _RuleWriter(trees).choose()


class _RuleWriter(Writer):
    """Writes rules one after the other, and leaves an agent at the first that counts.

    What a rule computes to see whether it holds serves the rules after it as well;
    what its choices compute does not, as it is not always computed.
    """

    def __init__(self, rules: Sequence[RuleTrees]) -> None:
        self._rules = rules
        choices = [tree for rule in rules for _, tree in rule.choices if tree]
        super().__init__([*(rule.when for rule in rules), *choices])

    def choose(self) -> Choose:
        """Returns a function that chooses the good actions of all agents."""
        self._reductions()
        self._line(1, "out = [0] * len(rows)")
        self._open_agents(self._roots)
        scope = {}
        for k, rule in enumerate(self._rules):
            condition = f"{self._emit(rule.when, 'r')} > {HOLDS}"
            if rule.agents is not None:
                scope[f"whose{k}"] = rule.agents
                condition = f"i in whose{k} and {condition}"
            self._line(2, f"if {condition}:")
            self._choices(rule)
        self._line(1, "return out")
        function: Choose = self._function("rows, alive", scope)
        return function

    def _choices(self, rule: RuleTrees) -> None:
        """Writes what is good where a rule holds."""
        memo, self._level = dict(self._memo), 3
        always = sum(bit for bit, tree in rule.choices if tree is None)
        self._line(3, f"bits = {always}")
        for bit, tree in rule.choices:
            if tree is not None:
                value = self._emit(tree, "r")
                self._line(3, f"if {value} > {HOLDS}: bits |= {bit}")
        if always:
            self._line(3, "out[i] = bits; continue")
        else:
            self._line(3, "if bits: out[i] = bits; continue")
        self._memo, self._level = memo, 2
