"""The curves of a run: base return over the environment steps that were spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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
from also_wrappers.report.charts import (
    Curve,
    Mark,
    Point,
    draw_curves,
)
from also_wrappers.report.ending import pool
from also_wrappers.report.standing import ActiveSignal, standing_of
from also_wrappers.report.words import settled_as

__all__ = [
    "branch_spans",
    "draw_imitation",
    "draw_own_returns",
    "draw_returns",
    "expert_spans",
    "lineage",
    "marks",
    "provisional_spans",
]

_RETURN = "base return per episode"
#: Color of what is marked, and whether its line is dashed.
_LINES = {
    "exploratory": ("purple", True),
    "provisional": ("purple", True),
    "confirmed": ("green", False),
    "given up": ("red", False),
    "left open": ("muted", True),
    "rolled back": ("red", True),
}
#: Points of a curve; more windows are pooled.
_MOST_POINTS = 150

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
    return draw_curves(
        "Base return over total environment steps, branches included",
        _pair(events, baseline, lambda event: event.env_steps.total),
        x="total environment steps, branches included",
        y=_RETURN,
        marks=[Mark(steps, word, *_LINES[word]) for steps, word in marks(events)],
        spans=branch_spans(events),
        strips=provisional_spans(events),
        levels=expert_spans(events),
        end=max(event.env_steps.total for event in (events[-1], *baseline[-1:])),
    )


def draw_own_returns(events: Sequence[Event], baseline: Sequence[Event] = ()) -> str:
    """Draws base return over the environment steps that the policy has learned from.

    Steps that were trained and given up are left out.

    Args:
        events: The events of a run.
        baseline: The events of a run on the base reward alone.

    Returns:
        An SVG element.
    """
    return draw_curves(
        "Base return over the environment steps of the policy's own lineage",
        _pair(lineage(events), lineage(baseline), lambda e: e.env_steps.mainline),
        x="environment steps of the policy itself",
        y=_RETURN,
        end=max(event.env_steps.mainline for event in (events[-1], *baseline[-1:])),
    )


def draw_imitation(events: Sequence[Event]) -> str:
    """Draws how hard an expert pulls, and how far the policies agree with it.

    Args:
        events: The events of a run.

    Returns:
        An SVG element; empty if no expert was in force.
    """
    records = [event for event in events if isinstance(event, Recorded)]
    pulls = [_sure(event, event.pull) for event in records if event.pull is not None]
    agreements = [
        _sure(event, event.agreement)
        for event in records
        if event.agreement is not None
    ]
    if not pulls:
        return ""
    return draw_curves(
        "Pull of the expert, and agreement of the policy, over total environment steps",
        [
            Curve("pull", "brown", (tuple(pulls),)),
            Curve("agreement", "green", (tuple(agreements),)),
        ],
        x="total environment steps, branches included",
        y="pull and agreement",
        end=events[-1].env_steps.total,
    )


def lineage(events: Sequence[Event]) -> list[Event]:
    """Returns the events of the lineage of the policy, without what was given up.

    Args:
        events: The events of a run.
    """
    own: list[Event] = []
    until = math.inf
    for event in reversed(events):
        if event.env_steps.mainline <= until or not isinstance(event, Recorded):
            own.append(event)
        until = min(until, event.env_steps.mainline)
    return own[::-1]


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
    points: list[tuple[int, str]] = []
    for event in events:
        steps = event.env_steps.total
        match event:
            case Swapped():
                points.append((steps, standing_of(event) or ""))
            case Settled():
                points.append((steps, settled_as(event)))
            case RolledBack():
                points.append((steps, "rolled back"))
    return points


def _pair(
    events: Sequence[Event], baseline: Sequence[Event], steps: Callable[[Event], int]
) -> list[Curve]:
    alone = _stretches(baseline, steps)
    return [
        Curve("base reward alone", "muted", alone),
        Curve("adapted", "blue", _stretches(events, steps)),
    ]


def _stretches(
    events: Sequence[Event], steps: Callable[[Event], int]
) -> tuple[tuple[Point, ...], ...]:
    """Returns the record of a run, a stretch for wherever the mainline moved."""
    stretches: list[list[Recorded]] = [[]]
    tried = False
    for event in events:
        match event:
            case Recorded() if event.window.episodes:
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
    size = -(-sum(map(len, stretches)) // _MOST_POINTS)
    return tuple(
        tuple(
            _pooled(stretch[k : k + size], steps) for k in range(0, len(stretch), size)
        )
        for stretch in stretches
        if stretch
    )


def _pooled(records: Sequence[Recorded], steps: Callable[[Event], int]) -> Point:
    mean, std = pool(event.window for event in records)
    episodes = sum(event.window.episodes for event in records)
    return Point(steps(records[-1]), mean, std / episodes**0.5)


def _sure(event: Event, number: float) -> Point:
    return Point(event.env_steps.total, number, 0.0)
