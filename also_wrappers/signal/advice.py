"""Computes an expert's advice: the good actions in a state, as bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal.actions import Action, Actions, Compass, Heading
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.arrays import evaluate_binary
from also_wrappers.signal.language.compiler import Rows, binary
from also_wrappers.signal.language.parser import Node, parse
from also_wrappers.signal.language.rules import HOLDS, Choose, RuleTrees, compile_rules
from also_wrappers.signal.model import Rule, Signal

__all__ = ["Advice"]

#: A step along which the offset of a place is no larger than this leads nowhere.
_LEVEL = Node("const", value=1e-9)


class Advice:
    """Computes which actions an expert finds good, one bit for each action.

    Bit ``k`` of an agent's number stands for action ``k`` of the action space; 0 means
    that the expert is silent. The first rule that holds and has a good action counts: a
    rule that says ``toward`` a place has none where the agent is at the place already,
    or where no open move leads nearer.

    Args:
        signal: A signal with an expert.
        features: The vocabulary.
        actions: The actions, and the places that they can lead to.
        agents: The team.

    Raises:
        ConfigurationError: A rule says what no rule may say, or is for an agent that is
            not in the team, or actions and features do not fit each other.
        ExpressionError: A definition or a condition is not a valid expression.

    Example:
        >>> from also_wrappers.signal import Expert, Feature
        >>> walk = Actions(
        ...     (Action("stay", 0), Action("left", 1, (-1,)), Action("right", 2, (1,))),
        ...     places={"goal": ("goal_dx",)},
        ... )
        >>> rules = (
        ...     Rule(when="abs(goal_dx) < 0.1", do="stay"),
        ...     Rule(when="goal_dx > -3", do="toward goal"),
        ... )
        >>> signal = Signal(expert=Expert(rules=rules))
        >>> features = FeatureMap(Feature("goal_dx", "obs[0]"))
        >>> advice = Advice(signal, features, walk, ["a"])
        >>> [advice([[dx]], [0])[0] for dx in (2.0, 0.0, -1.0, -5.0)]
        [4, 1, 2, 0]
    """

    def __init__(
        self,
        signal: Signal,
        features: FeatureMap,
        actions: Actions,
        agents: Sequence[str],
    ) -> None:
        self._rules, self._choose = _compile(signal, features, actions, tuple(agents))

    def __call__(self, rows: Rows, alive: Sequence[int]) -> list[int]:
        """Computes the good actions of each agent in one state of the team.

        Args:
            rows: Features, ``[agent][feature]``.
            alive: Places of the agents that are alive.

        Returns:
            One number per agent; 0 for agents that are not alive.
        """
        return self._choose(rows, alive)

    def batch(
        self, rows: npt.NDArray[np.float64], alive: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        """Computes the good actions of each agent in many states at once.

        Args:
            rows: Features, shape ``(..., agents, features)``.
            alive: Which agents are alive, shape ``(..., agents)``.

        Returns:
            One number per agent, shape ``(..., agents)``; 0 for agents that are not
            alive.
        """

        def holds(tree: Node) -> npt.NDArray[np.bool_]:
            return evaluate_binary(tree, rows, rows, alive) > HOLDS

        out = np.zeros(alive.shape, dtype=np.int64)
        places = np.arange(alive.shape[-1])
        for rule in self._rules:
            asked = alive & (out == 0)
            if rule.agents is not None:
                asked &= np.isin(places, list(rule.agents))
            asked &= holds(rule.when)
            if asked.any():
                for bit, tree in rule.choices:
                    good = asked if tree is None else asked & holds(tree)
                    out[good] |= bit
        return out


@lru_cache(maxsize=8)
def _compile(
    signal: Signal, features: FeatureMap, actions: Actions, agents: tuple[str, ...]
) -> tuple[list[RuleTrees], Choose]:
    """Compiles an expert once for all environment copies of a process."""
    if signal.expert is None:
        raise ConfigurationError(
            "the signal has no expert to give advice; give it an expert, as in "
            "Signal(expert=Expert(rules=...))"
        )
    actions.check_features(features)
    definitions = parse_definitions(signal.define, features)
    says = _Says(actions, features)
    rules = [
        _trees(number, rule, features, definitions, says, agents)
        for number, rule in enumerate(signal.expert.rules, start=1)
    ]
    return rules, compile_rules(rules)


def _trees(
    number: int,
    rule: Rule,
    features: FeatureMap,
    definitions: Mapping[str, Node],
    says: _Says,
    agents: Sequence[str],
) -> RuleTrees:
    """Parses a rule into trees; errors name the rule by its number."""
    for agent in rule.agents or ():
        if agent not in agents:
            raise ConfigurationError(
                f"rule {number} is for {agent!r}, which is not an agent; agents are "
                f"{', '.join(agents)}"
            )
    try:
        when = parse(
            rule.when,
            features.names,
            forbidden=features.action_names,
            definitions=definitions,
        )
    except ExpressionError as error:
        raise ExpressionError(
            f"rule {number}: {error.reason}", error.text, error.position
        ) from None
    choices = says.choices(rule.do)
    if choices is None:
        raise ConfigurationError(
            f"rule {number} says {rule.do!r}; it may say {', '.join(says.actions.says)}"
        )
    return RuleTrees(
        binary(when),
        None if rule.agents is None else frozenset(map(agents.index, rule.agents)),
        choices,
    )


class _Says:
    """Turns the text that a rule says into the actions that may be good."""

    def __init__(self, actions: Actions, features: FeatureMap) -> None:
        self.actions = actions
        self._features = features
        self._bits = {action.name: 1 << action.index for action in actions.actions}

    def choices(self, do: str) -> tuple[tuple[int, Node | None], ...] | None:
        """Returns the bits of the actions that a text allows, each with a tree."""
        if do not in self.actions.says:
            return None
        if do in self._bits:
            return ((self._bits[do], None),)
        way, _, name = do.partition(" ")
        compass = self.actions.compass
        if way == "go" and compass is not None:
            return self._turns(compass, {name: Node("const", value=1.0)})
        columns = self.actions.places[name]
        leads = [
            self._leads(move, columns, -1.0 if way == "away" else 1.0)
            for move in self.actions.moves
        ]
        if compass is not None:
            wanted = zip(compass.headings, leads, strict=True)
            return self._turns(compass, dict(wanted))
        return tuple(
            (self._bits[move.name], tree)
            for move, tree in zip(self.actions.moves, leads, strict=True)
            if isinstance(move, Action)
        )

    def _leads(
        self, move: Action | Heading, columns: Sequence[str], sign: float
    ) -> Node:
        """Returns a tree that holds where a move is open and leads to a place."""
        along: Node | None = None
        for name, step in zip(columns, move.step or (), strict=True):
            if step:
                weight = Node("const", value=sign * step)
                part = Node("*", (weight, self._feature(name)))
                along = part if along is None else Node("+", (along, part))
        if along is None:  # the step is 0 on every axis
            return Node("const", value=0.0)
        nearer = Node(">", (along, _LEVEL))
        if move.open is None:
            return nearer
        return _both(nearer, _holds(binary(parse(move.open, self._features.names))))

    def _turns(
        self, compass: Compass, wanted: Mapping[str, Node]
    ) -> tuple[tuple[int, Node | None], ...]:
        """Returns the robot's actions, each with a tree that holds where it is good.

        Args:
            compass: The compass.
            wanted: A tree for each heading that may be good; the tree holds where the
                heading is good.
        """
        names = list(compass.headings)
        count = len(names)
        facing = [
            _holds(self._feature(heading.feature))
            for heading in compass.headings.values()
        ]

        def needs(turns: int) -> Node:
            """Returns a tree: a wanted heading is ``turns`` turns to the right."""
            return _any(
                [
                    _both(facing[k], wanted[names[(k + turns) % count]])
                    for k in range(count)
                    if names[(k + turns) % count] in wanted
                ]
            )

        drive = needs(0)
        left = right = Node("const", value=0.0)
        for turns in range(count // 2, 0, -1):
            # A robot that needs fewer turns the other way does not turn this way.
            nearer_left, nearer_right = needs(-turns), needs(turns)
            left, right = (
                _any([nearer_left, _both(_neither(nearer_right), left)]),
                _any([nearer_right, _both(_neither(nearer_left), right)]),
            )
        turning = _neither(drive)
        return (
            (self._bits[compass.drive], drive),
            (self._bits[compass.left], _both(turning, left)),
            (self._bits[compass.right], _both(turning, right)),
        )

    def _feature(self, name: str) -> Node:
        return Node("feature", index=self._features.names.index(name))


def _holds(tree: Node) -> Node:
    return Node(">", (tree, Node("const", value=HOLDS)))


def _any(trees: Sequence[Node]) -> Node:
    whole = trees[0] if trees else Node("const", value=0.0)
    for tree in trees[1:]:
        whole = Node("or", (whole, tree))
    return whole


def _both(one: Node, other: Node) -> Node:
    return Node("and", (one, other))


def _neither(tree: Node) -> Node:
    return Node("not", (tree,))
