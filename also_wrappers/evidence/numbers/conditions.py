"""Conditions: named expressions, the user's and the advisor's, in whole episodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from also_wrappers.evidence.accumulators import Accumulator, Accumulators, summed
from also_wrappers.evidence.effects import moments
from also_wrappers.evidence.numbers.counts import every_episode
from also_wrappers.evidence.numbers.family import DEVIATIONS, Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.language.parser import Node, parse

__all__ = ["MAX_CONDITIONS", "Conditions", "parse_conditions"]

#: Named expressions that can be recorded at a time, the user's and the advisor's.
MAX_CONDITIONS = 8


def parse_conditions(named: Mapping[str, str], features: Sequence[str]) -> list[Node]:
    """Parses named expressions, as many as can be recorded at a time.

    Raises:
        ConfigurationError: One of them is not valid.

    Example:
        >>> len(parse_conditions({"near": "team_max(x) > 0.9"}, ["x"]))
        1
    """
    nodes = []
    for name, text in list(named.items())[:MAX_CONDITIONS]:
        try:
            nodes.append(parse(text, features, allow_delta=True))
        except AlsoError as error:
            raise ConfigurationError(f"condition {name!r}: {error}") from error
    return nodes


class Conditions(Family):
    """Episodes in which each condition happened."""

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns numbers of each condition, in the order of the conditions."""
        return {
            "condition_episodes": summed(MAX_CONDITIONS),
            "condition_rewarded": summed(MAX_CONDITIONS),
            "condition_first": summed(MAX_CONDITIONS),
            "condition_times_return": summed(MAX_CONDITIONS),
            "condition_times_time": summed(MAX_CONDITIONS),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the episodes in which a condition holds for any agent at any step."""
        rows, alive = steps.block.rows[: steps.end], steps.block.alive[: steps.end]
        for k, node in enumerate(steps.conditions):
            value = evaluate_batch(node, rows[1:], rows[:-1], alive[1:])
            which, first = steps.firsts((value.max(axis=1) > 0.0) & steps.valid)
            totals["condition_episodes"][k] += float(len(which))
            totals["condition_rewarded"][k] += float(steps.rewarded[which].sum())
            totals["condition_first"][k] += float(first.sum())
            totals["condition_times_return"][k] += float(steps.returns[which].sum())
            totals["condition_times_time"][k] += float(steps.time[which].sum())

    def of_names(self, sums: Sums) -> Iterator[Number]:
        """Returns how often and how early each condition happened, and in which way."""
        basis = every_episode(sums)
        for k, name in enumerate(sums.conditions):
            key = f"condition.{name}"
            episodes = sums.at("condition_episodes", k)
            yield f"{key}.rate", episodes / basis.episodes
            if not episodes:
                yield f"{key}.first", "it never happened"
                continue
            yield f"{key}.first", sums.at("condition_first", k) / episodes
            yield f"{key}.reward_rate", sums.at("condition_rewarded", k) / episodes
            rate = moments(basis.episodes, episodes, episodes)
            both = sums.at("condition_times_return", k)
            yield f"{key}.better", basis.better(both, rate)
            yield f"{key}.late", basis.late(sums.at("condition_times_time", k), rate)

    meanings = {
        "condition.*.rate": Meaning("share", "episodes in which it happened"),
        "condition.*.first": Meaning("step", "at which it happened first"),
        "condition.*.reward_rate": Meaning(
            "share", "of the episodes with it that had a reward"
        ),
        "condition.*.better": Meaning(
            DEVIATIONS, "its rate in better episodes minus worse"
        ),
        "condition.*.late": Meaning(
            DEVIATIONS, "its rate in late episodes minus early"
        ),
    }
