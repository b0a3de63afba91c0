"""What keys of evidence mean, for prompts, the report and people."""

from __future__ import annotations

from collections.abc import Iterable

from also_wrappers.evidence.numbers import MEANINGS

__all__ = ["explain", "pattern_of"]


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
