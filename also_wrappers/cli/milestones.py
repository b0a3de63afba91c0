"""What a finished demo says of its run: milestones, the expert alone, closing lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from also_wrappers.ledger.events import Event, Recorded, Swapped
from also_wrappers.report.standing import env_steps_of, last_audition
from also_wrappers.report.words import STANDINGS, clip, signal_lines
from also_wrappers.signal.model import Signal

__all__ = ["closing_lines", "expert_alone", "milestones"]

#: Base return of a policy that has nearly solved the task; 1 is the most there is.
_HIGH, _HALF = 0.9, 0.5
#: Characters of a line about the signal; the report has all of it.
_LONGEST_LINE = 160


def expert_alone(events: Sequence[Event]) -> dict[str, Any] | None:
    """Returns what the expert that was in use last earned by itself, in its audition.

    Args:
        events: The events of the adapted run.

    Returns:
        ``None`` if no expert was in use.
    """
    played = last_audition(events)
    if played is None:
        return None
    return {
        "env_steps": env_steps_of(played),
        "mean": played.earned,
        "error": played.error,
        "std": played.spread,
        "episodes": played.episodes,
    }


def milestones(
    adapted: Sequence[Event], base_only: Sequence[Event]
) -> dict[str, int | None]:
    """Finds when either training was first at nine tenths of what there is.

    Args:
        adapted: The events of the adapted run.
        base_only: The events of the run on base reward alone.

    Returns:
        Environment steps; ``None`` for what never was. ``adapted_own``: of the adapted
        policy's own lineage; ``adapted_total``: of the same moment, branches and
        evaluation included; ``base_only``: of base reward alone; ``adapted_half_total``
        and ``base_only_half``: the same for half of what there is; ``search``: what
        discarded branches had cost at the first swap.
    """
    high, half = (_first(adapted, level) for level in (_HIGH, _HALF))
    alone, alone_half = (_first(base_only, level) for level in (_HIGH, _HALF))
    swap = next((event for event in adapted if isinstance(event, Swapped)), None)
    return {
        "adapted_own": high.env_steps.mainline if high else None,
        "adapted_total": high.env_steps.total if high else None,
        "adapted_half_total": half.env_steps.total if half else None,
        "base_only": alone.env_steps.mainline if alone else None,
        "base_only_half": alone_half.env_steps.mainline if alone_half else None,
        "search": swap.env_steps.branches if swap else None,
    }


def _first(events: Sequence[Event], level: float) -> Recorded | None:
    records = (event for event in events if isinstance(event, Recorded))
    return next((event for event in records if event.window.mean >= level), None)


def closing_lines(result: dict[str, Any]) -> list[str]:
    """Says what the steps of a finished demo were spent on, and on what signal it ends.

    Args:
        result: What ``result.json`` has.
    """
    steps = result["env_steps"]
    marks: dict[str, int | None] = result["milestones"]
    lines = [
        f"Of the adapted run's steps, {steps['mainline']:,} are the final policy's own "
        f"and {steps['branches']:,} were spent on branches that were discarded, "
        f"{steps['evaluation']:,} on rehearsal and auditions; "
        f"{result['rounds']} round(s), {result['swaps']} swap(s), "
        f"{result['seconds']:.0f} seconds."
    ]
    adapted = "not reached"
    if marks["adapted_own"] is not None:
        adapted = (
            f"after {marks['adapted_own']:,} environment steps of its own, "
            f"{marks['adapted_total']:,} with branches, rehearsal and auditions"
        )
    alone = "not reached"
    if marks["base_only"] is not None:
        alone = f"after {marks['base_only']:,}"
    lines.append(
        f"Base return of {_HIGH:g} in training: adapted {adapted}; base reward alone "
        f"{alone}."
    )
    if marks["adapted_own"] is None and marks["adapted_half_total"] is not None:
        lines.append(
            f"Base return of {_HALF:g}: adapted after {marks['adapted_half_total']:,} "
            "environment steps in all."
        )
    if marks["search"] is not None:
        lines.append(
            f"First swap: after {marks['search']:,} environment steps of discarded "
            "branches."
        )
    signal = Signal.model_validate(result["signal"])
    standing = result["standing"]
    note = f" ({STANDINGS[standing]})" if standing else ""
    first, *others = [clip(line, _LONGEST_LINE) for line in signal_lines(signal)]
    return [*lines, f"Active signal{note}: {first}", *others]
