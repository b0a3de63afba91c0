"""The evidence of a window as a page shows it: charts, shares of actions, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.meanings import explain
from also_wrappers.report.charts import Dot, Row, draw_grid, draw_rows

__all__ = [
    "ACTION_COLORS",
    "Share",
    "action_shares",
    "draw_effects",
    "draw_visits",
    "meaning_of",
]

#: Features that are shown, those that tell most first.
_MOST = 10
#: Colors of actions, in turn.
ACTION_COLORS = ("blue", "orange", "green", "red", "purple", "brown", "muted")


class Share(NamedTuple):
    """Says how often an agent takes an action.

    Attributes:
        action: Name of the action, or its number where it has no name.
        share: Share of the steps.
        color: Class of its color.
    """

    action: str
    share: float
    color: str


def draw_effects(evidence: Evidence) -> str:
    """Draws the features that differ most between episodes, in standard deviations.

    Better episodes are compared with worse ones, and late episodes with early ones.

    Args:
        evidence: The evidence.

    Returns:
        An SVG element; empty where no feature is known to differ.
    """
    error = (4.0 / max(evidence.episodes_of("feature.*"), 1.0)) ** 0.5
    rows = []
    for name in evidence.features:
        dots = [
            Dot(evidence.values[key], error, color)
            for what, color in (("better", "blue"), ("late", "orange"))
            if (key := f"feature.{name}.{what}") in evidence.values
        ]
        if dots:
            rows.append(Row(name, tuple(dots)))
    if not rows:
        return ""
    rows.sort(key=lambda row: -max(abs(dot.value) for dot in row.dots))
    title = "Features in better less worse episodes, and in late less early ones"
    return draw_rows(title, rows[:_MOST], x="standard deviations")


def draw_visits(evidence: Evidence) -> str:
    """Draws how often each bin of two features was visited.

    Args:
        evidence: The evidence.

    Returns:
        An SVG element; empty where fewer than two features declare a range.
    """
    if not evidence.visits or not evidence.visits[0]:
        return ""
    first, second = evidence.visits_of
    title = f"Visited states: {first} and {second}"
    return draw_grid(title, evidence.visits, x=first, y=second)


def action_shares(
    evidence: Evidence, names: Mapping[int, str]
) -> dict[str, list[Share]]:
    """Returns how often each agent takes each action.

    Args:
        evidence: The evidence.
        names: Names of the actions by their index.

    Returns:
        For each agent with discrete actions, the shares by the number of the action.
    """
    agents: dict[str, list[Share]] = {}
    for agent in evidence.agents:
        before, after = f"{agent}.action.", ".share"
        choices = [
            (key.removeprefix(before).removesuffix(after), share)
            for key, share in evidence.values.items()
            if key.startswith(before) and key.endswith(after)
        ]
        if choices:
            agents[agent] = [
                Share(
                    _name(choice, names), share, ACTION_COLORS[k % len(ACTION_COLORS)]
                )
                for k, (choice, share) in enumerate(choices)
            ]
    return agents


def meaning_of(key: str, names: Mapping[int, str]) -> str:
    """Says what a number of evidence is; with the name of the action, if it is of one.

    Args:
        key: Key of the number.
        names: Names of the actions by their index.
    """
    text = "".join(explain([key]).values())
    match key.split("."):
        case [_, "action", choice, _] if _name(choice, names) != choice:
            return f"{_name(choice, names)}: {text}"
    return text


def _name(choice: str, names: Mapping[int, str]) -> str:
    return names.get(int(choice), choice) if choice.isdigit() else choice
