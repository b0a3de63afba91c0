"""What is certainly wrong with an expert, before it plays."""

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

#: Steps of agents without advice after which an expert has nothing to say.
_MANY = 500


def useless_rule(
    signal: Signal,
    features: FeatureMap,
    ranges: Sequence[Interval],
    actions: Actions,
    agents: Sequence[str],
) -> str:
    """Says which rule can never count, and why; empty if every one may.

    Rules that were never asked while a policy acted at random may be for states that it
    does not reach, so only what holds nowhere in the features' ranges is wrong, and
    what stands behind a rule that holds everywhere and names an action.

    Args:
        signal: A signal with an expert that advice can be made of.
        features: The vocabulary.
        ranges: The range of each feature.
        actions: What rules may say.
        agents: The team.
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
    """Says whether an expert has nothing to say of any recorded step.

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
