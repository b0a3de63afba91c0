"""The curves of a run: base return over all environment steps that were spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from also_wrappers.ledger.events import (
    Event,
    Recorded,
    RoundFinished,
    RoundStarted,
    Swapped,
)
from also_wrappers.report.pictures import new_figure, svg

__all__ = ["draw_returns"]


def draw_returns(events: Sequence[Event], baseline: Sequence[Event] = ()) -> str:
    """Draws base return over total environment steps, branches included.

    Args:
        events: The events of a run; its swaps and rounds are marked.
        baseline: The events of a run on the base reward alone.

    Returns:
        An SVG element.
    """
    figure, axes = new_figure(8.0, 3.4)
    _draw_record(axes, baseline, "0.6", "base reward alone")
    _draw_record(axes, events, "tab:blue", "adapted (mainline)")
    _mark_rounds(axes, events)
    axes.set_xlabel("total environment steps, branches included")
    axes.set_ylabel("base return per episode")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", framealpha=0.9)
    return svg(figure)


def _draw_record(axes: Any, events: Sequence[Event], color: str, label: str) -> None:
    """Draws the record of a run; nothing is known of its mainline during a round."""
    stretches: list[list[Recorded]] = [[]]
    begun = 0
    for event in events:
        match event:
            case Recorded():
                stretches[-1].append(event)
            case RoundStarted():
                begun = event.env_steps.total
            case RoundFinished() if event.env_steps.total > begun:
                stretches.append([])
    for stretch in filter(None, stretches):
        steps = [event.env_steps.total for event in stretch]
        windows = [event.window for event in stretch]
        mean = [window.mean for window in windows]
        error = [2.0 * w.std / max(w.episodes, 1) ** 0.5 for w in windows]
        low = [m - e for m, e in zip(mean, error, strict=True)]
        high = [m + e for m, e in zip(mean, error, strict=True)]
        axes.plot(steps, mean, ".-", color=color, label=label)
        axes.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
        label = "_"  # one entry in the legend


def _mark_rounds(axes: Any, events: Sequence[Event]) -> None:
    """Shades the steps that rounds spent, and marks the swaps."""
    begun = 0
    for event in events:
        steps = event.env_steps.total
        match event:
            case RoundStarted():
                begun = steps
            case RoundFinished() if steps > begun:
                axes.axvspan(begun, steps, color="tab:orange", alpha=0.08)
            case Swapped():
                axes.axvline(steps, color="tab:green", linestyle="--")
                place = (steps, 1.0), ("data", "axes fraction")
                axes.annotate(
                    " swap", place[0], xycoords=place[1], va="top", color="tab:green"
                )
