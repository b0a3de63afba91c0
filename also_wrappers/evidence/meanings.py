"""What the keys of evidence mean: one table for prompts, the report and people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["MEANINGS", "Meaning", "explain", "pattern_of"]


class Meaning(NamedTuple):
    """What a number is.

    Attributes:
        unit: Of the number.
        text: One line.
    """

    unit: str
    text: str


_D = "standard deviations"

#: By pattern; ``*`` stands for the name of an agent, feature, condition or term, and a
#: component of an action that has several is counted in the key: ``action_0``.
MEANINGS: dict[str, Meaning] = {
    "team.episodes": Meaning("episodes", "seen in this window"),
    "team.detailed": Meaning(
        "episodes", "of those, that numbers of features and actions are over"
    ),
    "team.base_return.mean": Meaning("reward", "base return of an episode, per agent"),
    "team.base_return.std": Meaning("reward", "its standard deviation"),
    "team.base_return.min": Meaning("reward", "the worst episode"),
    "team.base_return.max": Meaning("reward", "the best episode"),
    "team.base_return.late": Meaning(
        _D, "late episodes of the window minus early ones"
    ),
    "team.reward_rate": Meaning("share", "episodes with any base reward"),
    "team.reward_steps": Meaning("steps", "with a base reward; few are an anecdote"),
    "team.success_rate": Meaning("share", "episodes that ended in success"),
    "team.episode_length": Meaning("steps", "of an episode"),
    "team.first_reward": Meaning(
        "step", "of the first base reward, where there is one"
    ),
    "team.termination_rate": Meaning("share", "episodes that did not run out of time"),
    "team.action.same_share": Meaning("share", "steps in which all agents act alike"),
    "team.action.specialisation": Meaning(
        "0 to 1", "how far agents' action distributions differ"
    ),
    "team.coverage": Meaning(
        "share", "visits of the team to a state new in the episode"
    ),
    "team.redundancy": Meaning(
        "share", "states of an agent in an episode that another one visits too"
    ),
    "team.cells": Meaning("states", "distinct binned states seen in the window"),
    "team.target.crowding": Meaning(
        "share", "steps in which two agents are nearest to the same of several targets"
    ),
    "team.target.specialisation": Meaning(
        "0 to 1", "how far agents keep to different targets"
    ),
    "*.base_return": Meaning("reward", "base return of one agent"),
    "*.action.entropy": Meaning("0 to 1", "0 for one action only, 1 for all alike"),
    "*.action.idle_share": Meaning("share", "steps that change none of its features"),
    "*.action.switch_rate": Meaning("share", "steps with another action than before"),
    "*.action.mean": Meaning("action", "mean of a continuous action"),
    "*.action.std": Meaning("action", "its standard deviation"),
    "*.action.change": Meaning("action", "mean size of its change in a step"),
    "*.action.better": Meaning(_D, "the action in better episodes minus worse"),
    "*.action.*.share": Meaning("share", "steps with this choice"),
    "*.action.*.better": Meaning(_D, "that share in better episodes minus worse"),
    "*.move.coverage": Meaning("share", "its steps to a state new in the episode"),
    "*.move.back_share": Meaning("share", "steps that undo the step before"),
    "feature.*.mean": Meaning("feature", "mean over agents and steps"),
    "feature.*.std": Meaning("feature", "standard deviation over agents and steps"),
    "feature.*.min": Meaning("feature", "smallest value seen"),
    "feature.*.max": Meaning("feature", "largest value seen"),
    "feature.*.start": Meaning("feature", "team mean at the start of an episode"),
    "feature.*.end": Meaning("feature", "team mean at its end"),
    "feature.*.change": Meaning("feature", "end minus start"),
    "feature.*.lowest": Meaning("feature", "smallest team mean of an episode"),
    "feature.*.highest": Meaning("feature", "largest team mean of an episode"),
    "feature.*.spread": Meaning("feature", "standard deviation between agents"),
    "feature.*.alike": Meaning("-1 to 1", "correlation between agents at a step"),
    "feature.*.better": Meaning(_D, "its mean in better episodes minus worse"),
    "feature.*.better_error": Meaning(_D, "standard error of that"),
    "feature.*.change_better": Meaning(_D, "its change in better episodes minus worse"),
    "feature.*.late": Meaning(_D, "its mean in late episodes minus early"),
    "feature.*.reward_mean": Meaning(_D, "team mean just before a reward"),
    "feature.*.reward_min": Meaning(_D, "smallest in the team just before a reward"),
    "feature.*.reward_max": Meaning(_D, "largest in the team just before a reward"),
    "feature.*.reward_jump": Meaning(
        "feature", "its change by a paid step, from usual"
    ),
    "feature.*.jump_std": Meaning(
        "feature", "standard deviation of its change in a step"
    ),
    "condition.*.rate": Meaning("share", "episodes in which it happened"),
    "condition.*.first": Meaning("step", "at which it happened first"),
    "condition.*.reward_rate": Meaning(
        "share", "of the episodes with it that had a reward"
    ),
    "condition.*.better": Meaning(_D, "its rate in better episodes minus worse"),
    "condition.*.late": Meaning(_D, "its rate in late episodes minus early"),
    "term.*.paid": Meaning("reward", "what the term added per episode and agent"),
    "term.*.share": Meaning("share", "of all that was added, by size"),
    "term.*.correlation": Meaning("-1 to 1", "of what it paid and the base return"),
    "term.*.invalid": Meaning("values", "that were not finite, in the worst copy"),
    "term.*.off": Meaning("0 or 1", "1 if it was switched off for that"),
    "signal.shaped_return": Meaning("reward", "base return plus what was added"),
    "signal.correlation": Meaning("-1 to 1", "of shaped and base return"),
    "signal.shaped_late": Meaning(_D, "shaped return, late episodes minus early"),
    "signal.hacking": Meaning(
        "0 or 1", "1 if shaped return rises and base return falls"
    ),
    "signal.flooding": Meaning(
        "ratio", "size of what an episode is paid on top, to what a paid episode earns"
    ),
    "*.policy_drift": Meaning("nats", "change of its policy since the last pause"),
    "trainer.reward_volatility": Meaning(
        "reward", "standard deviation of the shaped return between records"
    ),
    "expert.return": Meaning("reward", "what the expert earns by itself, per agent"),
    "expert.error": Meaning("reward", "standard error of that"),
    "expert.spread": Meaning("reward", "its standard deviation between episodes"),
    "expert.coverage": Meaning("share", "steps at which the expert is not silent"),
    "expert.pull": Meaning("weight", "of imitation beside the trainer's own loss"),
    "*.expert.distance": Meaning(
        "share", "of its actions that obeying the expert would change"
    ),
}


def pattern_of(key: str) -> str:
    """The pattern that a key falls under; the key itself if there is none.

    Example:
        >>> pattern_of("feature.nearest_food.change")
        'feature.*.change'
        >>> pattern_of("agent_0.action_1.3.share")
        '*.action.*.share'
    """
    parts = [
        part.split("_")[0] if _component(part) else part for part in key.split(".")
    ]
    for pattern in (
        ".".join(parts),
        ".".join([parts[0], "*", *parts[2:]]),
        ".".join(["*", *parts[1:]]),
        ".".join(["*", *parts[1:-2], "*", *parts[-1:]]),
    ):
        if pattern in MEANINGS:
            return pattern
    return key


def explain(keys: Iterable[str]) -> dict[str, str]:
    """The meanings of the patterns that some keys fall under, each once.

    Example:
        >>> explain(["feature.x.min", "feature.y.min"])
        {'feature.*.min': 'smallest value seen (feature)'}
    """
    patterns = {}
    for key in keys:
        pattern = pattern_of(key)
        if pattern in MEANINGS:
            meaning = MEANINGS[pattern]
            patterns[pattern] = f"{meaning.text} ({meaning.unit})"
    return patterns


def _component(part: str) -> bool:
    head, _, number = part.partition("_")
    return head == "action" and number.isdigit()
