"""Finds what is certainly wrong with an expert, before the expert plays."""

from __future__ import annotations

from collections.abc import Sequence

from also_wrappers.checks.ranges import Interval, interval
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.compiler import binary
from also_wrappers.signal.language.parser import parse
from also_wrappers.signal.language.rules import HOLDS
from also_wrappers.signal.model import Signal

__all__ = ["useless_rule", "useless_silence"]

#: Recorded steps of agents, all without advice, that show an expert to be useless.
_MANY = 500


def useless_rule(
    signal: Signal,
    features: FeatureMap,
    ranges: Sequence[Interval],
    actions: Actions,
    agents: Sequence[str],
) -> str:
    """Returns which rule can never count, and why; empty if every rule may.

    A rule that never counted while a policy acted at random may be for states that this
    policy does not reach. So a rule is useless only if its condition holds nowhere in
    the features' ranges, or if an earlier rule holds everywhere and names an action.

    Args:
        signal: A signal with an expert whose rules can be parsed.
        features: The vocabulary.
        ranges: The range of each feature.
        actions: The actions that rules may say.
        agents: Names of the agents.
    """
    assert signal.expert is not None
    definitions = parse_definitions(signal.define, features)
    named = {action.name for action in actions.actions}
    final: dict[str, int] = {}
    for number, rule in enumerate(signal.expert.rules, start=1):
        whose = rule.agents or tuple(agents)
        if all(agent in final for agent in whose):
            first = max(final[agent] for agent in whose)
            return (
                f"rule {number} can never count, because rule {first} before it always "
                f"holds and names an action; put rule {first} behind it, or say when "
                "it holds"
            )
        tree = binary(parse(rule.when, features.names, definitions=definitions))
        low, high = interval(tree, ranges, len(agents))
        if high <= HOLDS:
            return (
                f"rule {number} never holds: {rule.when[:120]!r} is at most {high:g} "
                "while features are in their ranges; leave the rule out or mend it"
            )
        if low > HOLDS and rule.do in named:
            for agent in whose:
                final.setdefault(agent, number)
    return ""


def useless_silence(advice: Advice, episodes: Sequence[EpisodeRows]) -> str:
    """Returns a sentence if an expert is silent at all recorded steps.

    Args:
        advice: The expert's advice.
        episodes: Recorded episodes.
    """
    asked = spoken = 0
    for episode in episodes:
        alive = episode.alive[:-1]
        asked += int(alive.sum())
        spoken += int((advice.batch(episode.rows[:-1], alive) > 0).sum())
    if spoken or asked < _MANY:
        return ""
    return (
        f"the expert is silent at all {asked} recorded steps of agents: no rule holds "
        "there and leads somewhere; let a rule speak of the states that agents are in"
    )
