"""Computes what a signal adds to the rewards of a team, step by step.

One shaper belongs to one environment copy. A shaper knows agents by their place in the
team, and knows no interface of an environment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.language.compiler import (
    Evaluate,
    Rows,
    Step,
    StepTerm,
    compile_nodes,
    compile_step,
    compile_turn,
)
from also_wrappers.signal.language.parser import Node, parse
from also_wrappers.signal.model import Signal, Term

__all__ = ["CompiledSignal", "Shaper", "compile_signal", "parse_term"]

#: Number of values that are not finite after which a term is switched off in a copy.
MOST_INVALID = 100

_NOBODY: Mapping[int, float] = {}


def parse_term(
    term: Term,
    features: FeatureMap,
    agents: Sequence[str],
    definitions: Mapping[str, Node] | None = None,
) -> Node:
    """Parses a term's expression against a vocabulary and a team.

    Args:
        term: The term.
        features: The vocabulary.
        agents: The team.
        definitions: The parsed definitions of the term's signal.

    Raises:
        ExpressionError: The expression is not valid for this kind of term.
        ConfigurationError: The term pays an agent that is not in the team.
    """
    for agent in term.agents or ():
        if agent not in agents:
            raise ConfigurationError(
                f"the term {term.name!r} pays {agent!r}, which is not an agent; "
                f"agents are {', '.join(agents)}"
            )
    of_state = KINDS[term.kind].of_state
    try:
        return parse(
            term.expression,
            features.names,
            allow_delta=not of_state,
            forbidden=features.action_names if of_state else (),
            definitions=definitions or {},
        )
    except ExpressionError as error:
        raise ExpressionError(
            f"term {term.name!r}: {error.reason}", error.text, error.position
        ) from None


@dataclass(frozen=True)
class CompiledSignal:
    """Holds a signal that is checked against a vocabulary and compiled for a team.

    Attributes:
        signal: The signal.
        weights: Weight of each term.
        state_terms: Indices of the terms whose kind is of a state.
        potentials: Computes Phi of every term of a state.
        step: Computes what all terms pay at a step.
        nodes: Roots of the terms' trees.
        steps: What the step function has to know of each term.
    """

    signal: Signal
    weights: tuple[float, ...]
    state_terms: tuple[int, ...]
    potentials: Evaluate
    step: Step
    nodes: tuple[Node, ...]
    steps: tuple[StepTerm, ...]

    @cached_property
    def turn(self) -> Callable[..., list[float]]:
        """The function that pays a step in which not all agents acted."""
        return compile_turn(self.nodes, self.steps)


def compile_signal(
    signal: Signal, features: FeatureMap, agents: Sequence[str]
) -> CompiledSignal:
    """Checks and compiles a signal for a vocabulary and a team.

    Raises:
        ExpressionError: A definition or a term's expression is not valid.
        ConfigurationError: A term pays an unknown agent.

    Example:
        >>> from also_wrappers.signal import Feature
        >>> far = Term(name="far", kind="bonus", expression="team_max(d)", weight=1.0)
        >>> features = FeatureMap(Feature("d", "obs[0]"))
        >>> compiled = compile_signal(Signal(terms=(far,)), features, ["a", "b"])
        >>> compiled.weights, compiled.state_terms
        ((1.0,), ())
    """
    return _compile(signal, features, tuple(agents))


@lru_cache(maxsize=8)
def _compile(
    signal: Signal, features: FeatureMap, agents: tuple[str, ...]
) -> CompiledSignal:
    """Compiles a signal once for all environment copies of a process."""
    definitions = parse_definitions(signal.define, features)
    nodes = [parse_term(term, features, agents, definitions) for term in signal.terms]
    kinds = [KINDS[term.kind] for term in signal.terms]
    state_terms = tuple(k for k, kind in enumerate(kinds) if kind.of_state)
    steps = [
        StepTerm(
            kind,
            term.bound,
            None
            if term.agents is None
            else frozenset(agents.index(agent) for agent in term.agents),
        )
        for term, kind in zip(signal.terms, kinds, strict=True)
    ]
    return CompiledSignal(
        signal,
        tuple(term.weight for term in signal.terms),
        state_terms,
        compile_nodes([nodes[k] for k in state_terms]),
        compile_step(nodes, steps),
        tuple(nodes),
        tuple(steps),
    )


class Shaper:
    """Computes what a signal adds to the rewards of one environment copy.

    Args:
        team: The number of agents.
        gamma: The learner's discount factor.
        bootstraps_truncation: Whether the learner bootstraps the value of a state at
            which an episode was truncated. Where it does not, a truncation ends the
            potential as a termination does.

    Attributes:
        compiled: The signal in force, or ``None`` before the first reset.
        totals: What each term has paid in this episode, summed over agents.
        invalid: How many values of each term were not finite.
        present: Places of the present agents, whose potentials go on.

    Example:
        >>> from also_wrappers.signal import Feature
        >>> near = Term(name="near", kind="potential", expression="-d", weight=1.0)
        >>> signal, features = Signal(terms=(near,)), FeatureMap(Feature("d", "obs[0]"))
        >>> shaper = Shaper(team=1, gamma=0.5)
        >>> shaper.reset(compile_signal(signal, features, ["agent"]), [[4.0]], [0])
        >>> shaper.step([[2.0]], [0]), shaper.step([[1.0]], [0], terminated=[0])
        ([3.0], [2.0])
    """

    def __init__(
        self, team: int, gamma: float, bootstraps_truncation: bool = True
    ) -> None:
        self.gamma = gamma
        self.bootstraps_truncation = bootstraps_truncation
        self.compiled: CompiledSignal | None = None
        self.totals: list[float] = []
        self.invalid: list[int] = []
        self._team = team
        self._weights: list[float] = []
        self._keep: list[float] = []
        self._before: Rows = []
        self.present: Sequence[int] = ()
        self._phi: list[list[float | None]] = []
        #: The entry of ``_phi`` for an absent agent, for each term of a state.
        self._absent: list[float | None] = []
        #: Terms that are switched off from the next step on.
        self._ending: list[int] = []

    def reset(
        self,
        compiled: CompiledSignal,
        rows: Rows,
        alive: Sequence[int],
        strength: float = 1.0,
    ) -> None:
        """Starts an episode.

        Args:
            compiled: The signal of this episode, which stays until the next reset
                unless ``swap`` is called, so that no episode mixes two signals.
            rows: First features, ``[agent][feature]``; not changed by the caller
                afterwards.
            alive: Places of the agents that are alive.
            strength: Factor of everything that is added in this episode.
        """
        self.totals = [0.0] * len(compiled.signal.terms)
        self._before = rows
        self.present = alive
        self._begin(compiled, strength)

    def swap(self, compiled: CompiledSignal, strength: float = 1.0) -> None:
        """Puts another signal in force in the middle of an episode.

        Potentials begin anew from the current state: the payments of the old signal
        telescope up to this state, and those of the new signal from this state on.

        Args:
            compiled: The signal from the next step on.
            strength: Factor of everything that the signal adds.
        """
        self.totals = [0.0] * len(compiled.signal.terms)
        self._begin(compiled, strength)

    def _begin(self, compiled: CompiledSignal, strength: float) -> None:
        """Puts a signal in force, with potentials of the current state."""
        count = len(compiled.signal.terms)
        if compiled is not self.compiled:
            self.invalid = [0] * count
        self.compiled = compiled
        self._ending = []
        self._weights = [
            weight * strength if self.invalid[k] < MOST_INVALID else 0.0
            for k, weight in enumerate(compiled.weights)
        ]
        self._keep = [self.gamma] * self._team
        self._absent = [term.kind.absent for term in compiled.steps]
        self._phi = [[absent] * self._team for absent in self._absent]
        if not compiled.state_terms or not self.present:
            return
        rows, alive = self._before, self.present
        potentials = compiled.potentials(rows, rows, alive)
        for k, values in zip(compiled.state_terms, potentials, strict=True):
            bound = compiled.signal.terms[k].bound
            for i in alive:
                value = values[i]
                inside = -bound <= value <= bound
                self._phi[k][i] = value if inside else self._bounded(k, value)
        for k in self._ending:  # no payment of this episode has to be taken back
            self._weights[k] = 0.0
        self._ending = []

    def step(
        self,
        rows: Rows,
        alive: Sequence[int],
        terminated: Sequence[int] = (),
        truncated: Sequence[int] = (),
        waiting: Mapping[int, float] = _NOBODY,
    ) -> list[float]:
        """Computes what the signal adds to each agent's reward at one step.

        The potential of an absent agent is 0: an agent that leaves must be among
        ``terminated``, and an agent that comes (back) is paid ``gamma * Phi(s')``.
        Progress begins anew with an agent that comes: the agent is paid from its next
        step on.

        Args:
            rows: Features of the state that the step arrived at; not changed by the
                caller afterwards.
            alive: Places of the agents that took part in the step, agents whose episode
                ends with the step included.
            terminated: Places among ``alive`` whose episode terminated with the step.
            truncated: Places among ``alive`` whose episode was truncated.
            waiting: Places among ``alive`` that did not act, so that their step before
                goes on, each with the factor of Phi(s') in that step: ``gamma``, or 1.0
                before an agent's first action. A waiting agent is paid for the change
                of Phi, and no bonus.

        Returns:
            One number per agent; 0.0 for agents that took no part.
        """
        compiled = self.compiled
        if compiled is None or not self.totals:
            self._before, self.present = rows, alive
            return [0.0] * self._team
        keep, step = self._keep, compiled.step
        if waiting:
            keep = self._hold(compiled, waiting)
            step = partial(compiled.turn, waiting=waiting)
        if terminated or (truncated and not self.bootstraps_truncation):
            keep = list(keep)
            for i in terminated:
                keep[i] = 0.0
            for i in () if self.bootstraps_truncation else truncated:
                keep[i] = 0.0
        if alive != self.present:
            self._leave(alive)
        owed = self._switch_off(compiled) if self._ending else None
        added = step(
            rows,
            self._before,
            alive,
            self._phi,
            self._weights,
            keep,
            self.totals,
            self._bounded,
        )
        self._before = rows
        if terminated or truncated:
            gone = (*terminated, *truncated)
            self._forget(gone)
            self.present = tuple(i for i in alive if i not in gone)
        if owed is not None:
            added = [paid - back for paid, back in zip(added, owed, strict=True)]
        return added

    def _hold(
        self, compiled: CompiledSignal, waiting: Mapping[int, float]
    ) -> list[float]:
        """Scales the last potentials of waiting agents as they were paid.

        Returns:
            The factor of Phi(s') of a discounted kind, for each agent.
        """
        keep = list(self._keep)
        for i, counts in waiting.items():
            keep[i] = counts
        for phi, term in zip(self._phi, compiled.steps, strict=True):
            if term.kind.discounted:
                for i, counts in waiting.items():
                    phi[i] = counts * (phi[i] or 0.0)
        return keep

    def _switch_off(self, compiled: CompiledSignal) -> list[float]:
        """Switches terms off, and returns what each agent's potentials are worth.

        The next payment takes that worth back, as if all values of these terms were 0
        from here on.
        """
        owed = [0.0] * self._team
        for k in sorted(self._ending):
            pays = compiled.steps[k].pays
            for i in range(self._team) if pays is None else pays:
                worth = self._weights[k] * (self._phi[k][i] or 0.0)
                owed[i] += worth
                self.totals[k] -= worth
            self._weights[k] = 0.0
        self._ending = []
        return owed

    def _leave(self, alive: Sequence[int]) -> None:
        """Notes which agents are present, and ends the potentials of the others."""
        self._forget([i for i in range(self._team) if i not in alive])
        self.present = alive

    def _forget(self, gone: Sequence[int]) -> None:
        """Ends the potentials of agents that are gone."""
        for phi, absent in zip(self._phi, self._absent, strict=True):
            for i in gone:
                phi[i] = absent

    def _bounded(self, k: int, value: float) -> float:
        """Clips a value of term ``k`` that is out of its bounds, or not finite.

        A value that is not finite counts as 0; after ``MOST_INVALID`` such values, the
        term is switched off.
        """
        if math.isfinite(value):
            bound = self.compiled.signal.terms[k].bound if self.compiled else 0.0
            return bound if value > 0.0 else -bound
        self.invalid[k] += 1
        if self.invalid[k] == MOST_INVALID:
            self._ending.append(k)
        return 0.0
