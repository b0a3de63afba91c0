"""The curves of a run: base return over all environment steps that were spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from also_wrappers.ledger.events import (
    BranchEnded,
    Event,
    Recorded,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunResumed,
    Settled,
    Swapped,
)
from also_wrappers.report.pictures import new_figure, svg
from also_wrappers.report.standing import ActiveSignal, standing_of

__all__ = [
    "branch_spans",
    "draw_imitation",
    "draw_returns",
    "expert_spans",
    "marks",
    "provisional_spans",
]

_PROVISIONAL = "tab:purple"
_EXPERT = "tab:brown"
_STEPS = "total environment steps, branches included"
#: Color and line of what is marked.
_LINES = {
    "exploratory": (_PROVISIONAL, ":"),
    "provisional": (_PROVISIONAL, "--"),
    "confirmed": ("tab:green", "-"),
    "given up": ("tab:red", "-"),
    "left open": ("0.4", ":"),
    "rolled back": ("tab:red", "--"),
}
#: Heights of the labels of marks that follow each other, as shares of the axes.
_HEIGHTS = (1.0, 0.93, 0.86, 0.79)

Span = tuple[int, int]


def draw_returns(events: Sequence[Event], baseline: Sequence[Event] = ()) -> str:
    """Draws base return over total environment steps, branches included.

    Args:
        events: The events of a run; its branches, its swaps, what became of these,
            the use of provisional signals, and what experts earn by themselves while
            they are in force are marked.
        baseline: The events of a run on the base reward alone.

    Returns:
        An SVG element.
    """
    figure, axes = new_figure(8.0, 3.4)
    _draw_record(axes, baseline, "0.6", "base reward alone")
    _draw_record(axes, events, "tab:blue", "adapted (mainline)")
    for begin, end in branch_spans(events):
        axes.axvspan(begin, end, color="tab:orange", alpha=0.08, linewidth=0)
    label = "provisional signal in use"
    for begin, end in provisional_spans(events):
        axes.axvspan(begin, end, 0.0, 0.03, color=_PROVISIONAL, alpha=0.5, label=label)
        label = "_"  # one entry in the legend
    label = "the expert alone"
    for begin, end, earned in expert_spans(events):
        axes.hlines(
            earned,
            begin,
            end,
            color=_EXPERT,
            linestyle="--",
            linewidth=1.2,
            label=label,
        )
        label = "_"
    for place, (steps, word) in enumerate(marks(events)):
        color, line = _LINES[word]
        axes.axvline(steps, color=color, linestyle=line, linewidth=1.0)
        height = _HEIGHTS[place % len(_HEIGHTS)]
        where = ("data", "axes fraction")
        axes.annotate(
            f" {word}", (steps, height), xycoords=where, va="top", color=color
        )
    axes.set_xlabel(_STEPS)
    axes.set_ylabel("base return per episode")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", framealpha=0.9)
    return svg(figure)


def draw_imitation(events: Sequence[Event]) -> str:
    """Draws how hard an expert pulls, and how far the policies agree with it.

    Args:
        events: The events of a run.

    Returns:
        An SVG element; empty if no expert was in force.
    """
    records = [event for event in events if isinstance(event, Recorded)]
    pulls = [(e.env_steps.total, e.pull) for e in records if e.pull is not None]
    if not pulls:
        return ""
    agreements = [
        (event.env_steps.total, event.agreement)
        for event in records
        if event.agreement is not None
    ]
    figure, axes = new_figure(8.0, 2.0)
    axes.plot(*zip(*pulls, strict=True), ".-", color=_EXPERT, label="pull")
    if agreements:
        line = zip(*agreements, strict=True)
        axes.plot(*line, ".-", color="tab:green", label="agreement")
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(0, max(events[-1].env_steps.total, 1))
    axes.set_xlabel(_STEPS)
    axes.legend(loc="best", framealpha=0.9)
    return svg(figure)


def branch_spans(events: Sequence[Event]) -> list[Span]:
    """Returns from where to where the steps of a run were spent on branches.

    Args:
        events: The events of a run.

    Returns:
        First and last total environment steps of every span, in order. Branches that
        ended while the mainline trained are counted where they ended.
    """
    spans: list[Span] = []
    for event in events:
        if not isinstance(event, BranchEnded) or not event.trainer_steps.total:
            continue
        end = event.env_steps.total
        per_step = event.env_steps.total / event.trainer_steps.total
        begin = end - round(per_step * (event.steps + event.evaluation_steps))
        if spans and begin <= spans[-1][1] + 1:  # halves of a step were rounded
            begin = spans.pop()[0]
        spans.append((begin, end))
    return spans


def provisional_spans(events: Sequence[Event]) -> list[Span]:
    """Returns from where to where a signal was in use that was not confirmed.

    Args:
        events: The events of a run.

    Returns:
        First and last total environment steps of every span, in order.
    """
    active = ActiveSignal()
    spans: list[Span] = []
    begun: int | None = None
    for event in events:
        active.add(event)
        if active.unconfirmed and begun is None:
            begun = event.env_steps.total
        elif not active.unconfirmed and begun is not None:
            spans.append((begun, event.env_steps.total))
            begun = None
    if begun is not None:
        spans.append((begun, events[-1].env_steps.total))
    return spans


def expert_spans(events: Sequence[Event]) -> list[tuple[int, int, float]]:
    """Returns from where to where an expert was in force, and what it earns alone.

    Args:
        events: The events of a run.

    Returns:
        First and last total environment steps of every span, and the base return of the
        expert's last audition, in order.
    """
    active = ActiveSignal()
    spans: list[tuple[int, int, float]] = []
    earned: float | None = None
    begun = 0
    for event in events:
        active.add(event)
        played = active.audition
        now = None if played is None else played.earned
        if now != earned:
            if earned is not None:
                spans.append((begun, event.env_steps.total, earned))
            begun, earned = event.env_steps.total, now
    if earned is not None:
        spans.append((begun, events[-1].env_steps.total, earned))
    return spans


def marks(events: Sequence[Event]) -> list[tuple[int, str]]:
    """Returns where signals were swapped in, settled and rolled back.

    Args:
        events: The events of a run.

    Returns:
        Total environment steps, and a word for what happened there, in order.
    """
    found: list[tuple[int, str]] = []
    for event in events:
        steps = event.env_steps.total
        match event:
            case Swapped():
                found.append((steps, standing_of(event) or ""))
            case Settled(kind="open"):
                found.append((steps, "left open"))
            case Settled(kind=kind):
                found.append((steps, kind.replace("_", " ")))
            case RolledBack():
                found.append((steps, "rolled back"))
    return found


def _draw_record(axes: Any, events: Sequence[Event], color: str, label: str) -> None:
    """Draws the record of a run, in a new line wherever the mainline moved."""
    stretches: list[list[Recorded]] = [[]]
    tried = False
    for event in events:
        match event:
            case Recorded():
                stretches[-1].append(event)
            case RoundStarted():
                tried = False
            case BranchEnded():
                tried = True
            case RoundFinished() if tried:
                stretches.append([])
            case Swapped() | RolledBack() | RunResumed():
                stretches.append([])
            case Settled(lost_steps=lost) if lost:
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
