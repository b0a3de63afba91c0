"""Compiles rules into one Python function that returns the good actions.

The code is generated as for terms: from operator names of our own table, feature
indices and whole numbers, without text of a rule.
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
    """Holds the trees of a rule: its condition and its choices.

    Attributes:
        when: A tree that holds where the rule holds.
        agents: Places of the agents that the rule is for; ``None`` means all.
        choices: The actions that may be good, each as its bit and a tree that holds
            where the action is good; ``None`` if the action is always good.
    """

    when: Node
    agents: frozenset[int] | None
    choices: tuple[tuple[int, Node | None], ...]


def compile_rules(rules: Sequence[RuleTrees]) -> Choose:
    """Compiles rules into one function that returns each agent's good actions.

    Args:
        rules: The rules, in the order in which they are asked.

    Returns:
        A function ``(rows, alive) -> bits``, one number per agent: the bits of the
        first rule that holds and has a good action; 0 where there is no such rule, and
        for agents that are not alive.
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
    """Writes the code of rules, in order, up to the first that counts per agent.

    Values of a rule's condition are used again by the rules after it. Values of a
    rule's choices are not, as they are computed only where the rule holds.
    """

    def __init__(self, rules: Sequence[RuleTrees]) -> None:
        self._rules = rules
        choices = [tree for rule in rules for _, tree in rule.choices if tree]
        super().__init__([*(rule.when for rule in rules), *choices])

    def choose(self) -> Choose:
        """Returns a function that computes the good actions of all agents."""
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
        """Writes the code that sets the good actions where a rule holds."""
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
