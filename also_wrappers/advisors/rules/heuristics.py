"""Turns evidence into proposals by published heuristics, for ``RuleAdvisor``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.rules.margin import margin
from also_wrappers.advisors.rules.variations import bounded
from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.statistics import Layout
from also_wrappers.exceptions import AlsoError
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal.language.parser import parse
from also_wrappers.signal.model import Signal, Term

__all__ = [
    "Target",
    "combined",
    "idle_costs",
    "new_terms",
    "spread_out",
    "targets",
    "toward_conditions",
]

_SHRINK = re.compile(r"distance|dist\b|error|gap|remaining|offset", re.IGNORECASE)
#: Standard deviations by which a feature must differ from usual before a reward to
#: stand out.
_STANDS_OUT = 0.5
#: Standard errors by which better and worse episodes must differ in a feature.
_CLEAR = 3.0
#: The least jump at a reward, in standard deviations of usual changes, and its least
#: size relative to the feature's spread, for a feature to count what is left to do.
_JUMPS = 3.0
_WHOLE = 0.5
#: The largest share of a target's squared changes that rewards may explain.
_EXPLAINED = 0.25
#: Shares above which agents crowd and idle, and below which a condition holds seldom.
_CROWDED, _IDLE, _SELDOM = 0.4, 0.5, 0.5
_IDLE_COST = 0.005


@dataclass(frozen=True)
class Target:
    """Names a feature to draw agents towards one end of, as a team or one by one.

    Attributes:
        feature: Name of the feature.
        aggregate: Which agent counts for the team: ``max``, ``mean`` or ``min``.
        direction: Positive to draw upward, negative to draw downward.
        strength: How much the feature stands out; 0 where only its name speaks for it.
        key: Key of the evidence that shows that the feature stands out.
    """

    feature: str
    aggregate: str
    direction: float
    strength: float
    key: str

    def expression(self, own: bool) -> str:
        """Returns the expression whose value grows towards the target."""
        sign = "" if self.direction > 0.0 else "-"
        if own:
            return f"{sign}{self.feature}"
        return f"{sign}team_{self.aggregate}({self.feature})"


def targets(situation: Situation) -> list[Target]:
    """Returns the features to draw agents towards, most telling first, each once.

    First come features that were unusual in the states just before a base reward, in
    standard deviations from the mean: a reward-triggered average, like the
    spike-triggered average of de Boer & Kuyper (1968). Then come features that clearly
    differ between better and worse episodes. Last come distances, by name and
    description, as a distance is usually worth shrinking.
    """
    values = situation.evidence.values
    by_name: dict[str, Target] = {}
    changed = _changed_by_rewards(situation.evidence)
    for feature in situation.features.features:
        name = feature.name
        key = f"feature.{name}"
        if name in situation.features.action_names or not _moves(situation, name):
            continue
        if name in changed:  # a feature that only rewards change leads to none
            continue
        effects = [
            (abs(effect), aggregate, effect)
            for aggregate in ("max", "mean", "min")
            for effect in [values.get(f"{key}.reward_{aggregate}", 0.0)]
            if abs(effect) >= _STANDS_OUT
        ]
        better = values.get(f"{key}.better", 0.0)
        error = values.get(f"{key}.better_error", 1.0)
        if effects:
            size, aggregate, effect = max(effects)
            cited = f"{key}.reward_{aggregate}"
            by_name[name] = Target(name, aggregate, _sign(effect), 10.0 + size, cited)
        elif abs(better) > max(_CLEAR * error, _STANDS_OUT):
            cited = f"{key}.better"
            by_name[name] = Target(name, "mean", _sign(better), abs(better), cited)
        elif _SHRINK.search(f"{name} {feature.description}"):
            by_name[name] = Target(name, "max", -1.0, 0.0, f"{key}.mean")
    return sorted(by_name.values(), key=lambda target: -target.strength)


def new_terms(situation: Situation) -> list[Proposal]:
    """Proposes a potential towards every target (Ng et al. 1999).

    1999), as team and as agents.

    Each target is proposed for the team and for single agents. A feature that jumps
    when a reward is paid counts what is left to do; such a counter is added to the
    potential, so that reaching a goal never costs more than was gained on the way.
    Where there is no target, the features that vary most are targets in both
    directions.
    """
    drawn = targets(situation)[:4] or _either_end(situation)
    forms = (False, True) if len(situation.agents) > 1 else (True,)
    # Targets come in pairs, so that the first candidates have different targets.
    pairs = [drawn[k : k + 2] for k in range(0, len(drawn), 2)]
    return [
        _drawn_to(target, own, situation.evidence)
        for pair in pairs
        for own in forms
        for target in pair
    ]


def _drawn_to(target: Target, own: bool, evidence: Evidence) -> Proposal:
    """Returns the proposal that draws each agent, or the team, to a target."""
    expression, weight = _potential(evidence, target, own)
    return _proposal(
        f"toward_{target.feature}",
        expression,
        weight,
        f"draw {'each agent' if own else 'the team'} to where {target.feature} was in "
        "what went well"
        if target.strength
        else f"{target.feature} is worth reaching by its description",
        f"feature.{target.feature}.change",
        "up" if target.direction > 0.0 else "down",
        (target.key,),
    )


def toward_conditions(situation: Situation) -> list[Proposal]:
    """Proposes to approach conditions that seldom hold, by their margin."""
    proposals = []
    for name, condition in situation.evidence.conditions.items():
        rate = situation.evidence.values.get(f"condition.{name}.rate")
        if rate is None or rate > _SELDOM:
            continue
        try:
            distance = margin(condition, situation.features.names)
            expression = f"min({distance}, 0)"
            parse(
                expression,
                situation.features.names,
                forbidden=situation.features.action_names,
            )
        except AlsoError:
            continue
        if distance is not None:
            proposals.append(
                _proposal(
                    f"toward_{name}",
                    expression,
                    _reward(situation.evidence),
                    f"{name} was declared and is rare: draw towards it",
                    f"condition.{name}.rate",
                    "up",
                    (f"condition.{name}.rate",),
                )
            )
    return proposals


def spread_out(situation: Situation) -> list[Proposal]:
    """Proposes to draw one agent to each target where agents crowd at the same."""
    crowding = situation.evidence.values.get("team.target.crowding", 0.0)
    layout = Layout.declare(situation.agents, situation.features, ())
    names = [layout.features[column] for column, _ in layout.targets]
    if crowding < _CROWDED or not names:
        return []
    expression = "-(" + " + ".join(f"team_min({name})" for name in names) + ")"
    return [
        _proposal(
            "spread_out",
            expression,
            _reward(situation.evidence),
            "agents crowd at the same target: pay for the nearest agent to each",
            "team.target.crowding",
            "down",
            ("team.target.crowding",),
        )
    ]


def idle_costs(situation: Situation) -> list[Proposal]:
    """Proposes the active or best new terms, with a small cost for changing nothing."""
    evidence = situation.evidence
    idle = [
        f"{agent}.action.idle_share"
        for agent in situation.agents
        if evidence.values.get(f"{agent}.action.idle_share", 0.0) > _IDLE
    ]
    state = [
        name
        for name in situation.features.names
        if name not in situation.features.action_names and _moves(situation, name)
    ]
    if not idle or not state:
        return []
    still = " and ".join(f"delta({name}) == 0" for name in state[:6])
    cost = Term(name="idle_cost", kind="bonus", expression=f"-({still})", weight=1.0)
    cost = cost.model_copy(
        update={"weight": float(f"{_IDLE_COST * _reward(evidence):.3g}")}
    )
    return [
        Proposal(
            signal=situation.signal.with_terms((*_base_terms(situation)[:3], cost)),
            intent="combine",
            rationale="agents often change nothing: let that cost a little",
            hypothesis=Expectation(key=idle[0], moves="down"),
            answers=tuple(idle[:6]),
        )
    ]


def combined(situation: Situation) -> list[Proposal]:
    """Proposes the active terms joined with each of the two best new terms."""
    active = situation.signal.terms
    names = {term.name for term in active}
    return [
        proposal.model_copy(
            update={
                "signal": situation.signal.with_terms(
                    (*active, *proposal.signal.terms)
                ),
                "intent": "combine",
            }
        )
        for proposal in new_terms(situation)[:2]
        if active and not names & {term.name for term in proposal.signal.terms}
    ]


def _proposal(
    name: str,
    expression: str,
    weight: float,
    rationale: str,
    key: str,
    moves: str,
    answers: Sequence[str],
) -> Proposal:
    term = Term(
        name=re.sub(r"[^a-z0-9_]", "_", name.lower())[:40],
        kind="progress",
        expression=expression,
        weight=bounded(weight),
        rationale=rationale,
    )
    return Proposal(
        signal=Signal(terms=(term,)),
        rationale=rationale,
        hypothesis=Expectation.model_validate({"key": key, "moves": moves}),
        answers=tuple(answers),
    )


def _base_terms(situation: Situation) -> Sequence[Term]:
    if situation.signal.terms:
        return situation.signal.terms
    first: Iterable[Proposal] = new_terms(situation)[:1]
    return [term for proposal in first for term in proposal.signal.terms]


def _either_end(situation: Situation) -> list[Target]:
    """Returns the features that vary most, as targets in both directions."""
    values = situation.evidence.values

    def variety(name: str) -> float:
        key = f"feature.{name}"
        extent = values.get(f"{key}.max", 0.0) - values.get(f"{key}.min", 0.0)
        return values.get(f"{key}.std", 0.0) / extent if extent > 1e-9 else 0.0

    state = [
        name
        for name in situation.features.names
        if name not in situation.features.action_names and variety(name) > 0.0
    ]
    return [
        Target(name, "mean", sign, 0.0, f"feature.{name}.std")
        for name in sorted(state, key=variety, reverse=True)[:2]
        for sign in (1.0, -1.0)
    ]


def _potential(evidence: Evidence, target: Target, own: bool) -> tuple[str, float]:
    """Returns a potential, and a weight that pays an approach like a reward."""
    values = evidence.values
    key = f"feature.{target.feature}"
    extent = values.get(f"{key}.max", 1.0) - values.get(f"{key}.min", 0.0)
    expression = target.expression(own)
    counter = _counter(evidence)
    if counter is not None and counter[0] != target.feature:
        name, jump = counter
        sign = "+" if jump > 0.0 else "-"
        expression += f" {sign} {abs(extent / jump):.3g} * {name}"
    return expression, _reward(evidence) / max(extent, 1e-6)


def _counter(evidence: Evidence) -> tuple[str, float] | None:
    """Returns the feature that jumps most at a reward, and the size of the jump."""
    best: tuple[str, float] | None = None
    most = _JUMPS
    for name in evidence.features:
        jump = evidence.values.get(f"feature.{name}.reward_jump", 0.0)
        usual = evidence.values.get(f"feature.{name}.jump_std", 0.0)
        std = evidence.values.get(f"feature.{name}.std", 0.0)
        if usual <= 1e-9 or abs(jump) < _WHOLE * std:
            continue
        if abs(jump) / usual > most:
            most = abs(jump) / usual
            best = (name, jump)
    return best


def _changed_by_rewards(evidence: Evidence) -> set[str]:
    """Returns the features whose changes rewards largely explain."""
    values = evidence.values
    episodes = values.get("team.episodes", 0.0)
    rewards = episodes * values.get("team.reward_rate", 0.0)
    steps = episodes * values.get("team.episode_length", 1.0)
    explained = {
        name: rewards * values.get(f"feature.{name}.reward_jump", 0.0) ** 2
        for name in evidence.features
    }
    return {
        name
        for name, square in explained.items()
        if square
        > _EXPLAINED * steps * values.get(f"feature.{name}.jump_std", 0.0) ** 2
    }


def _moves(situation: Situation, name: str) -> bool:
    """True where a feature varies, also within episodes where that was measured."""
    values = situation.evidence.values
    varies = values.get(f"feature.{name}.std", 0.0) > 1e-9
    return varies and values.get(f"feature.{name}.jump_std", 1.0) > 1e-9


def _reward(evidence: Evidence) -> float:
    """Returns the base return of the best episode; 1 where no episode had a reward."""
    reward = evidence.values.get("team.base_return.max", 0.0)
    return reward if reward > 0.0 else 1.0


def _sign(value: float) -> float:
    return 1.0 if value > 0.0 else -1.0
