"""What came of a run, in a sentence that says how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from also_wrappers.ledger.events import Event, RunFinished
from also_wrappers.report.ending import Ending, ending_of
from also_wrappers.report.rounds import RoundRecord
from also_wrappers.report.standing import ActiveSignal
from also_wrappers.report.words import with_error

__all__ = ["verdict_of"]


def verdict_of(
    events: Sequence[Event], rounds: Sequence[RoundRecord], baseline: Sequence[Event]
) -> str:
    """Says what came of a run: how its training ends, or what it swapped in.

    Args:
        events: The events of the run.
        rounds: Its rounds.
        baseline: The events of a run on the base reward alone; empty without one.

    Returns:
        A sentence.
    """
    ending = ending_of(events)
    finished = isinstance(events[-1], RunFinished)
    if ending.mean is None:
        return "No episode ended." if finished else "No episode has ended so far."
    head = "training ends at" if finished else "training has come so far to"
    last = f"two standard errors over its last {ending.episodes:,} episodes"
    ends = f"{head} {_ends_at(ending)} ({last}) {_after(ending)} in all"
    alone = ending_of(baseline) if baseline else None
    if alone is None or alone.mean is None:
        return f"{_signal_in_words(events, rounds)}; {ends}."
    return (
        f"Adapted {ends}; on the base reward alone, at {_ends_at(alone)} "
        f"{_after(alone)}."
    )


def _ends_at(ending: Ending) -> str:
    mean, error = ending.mean or 0.0, ending.standard_error or 0.0
    return f"a base return of {with_error(mean, 2.0 * error)}"


def _after(ending: Ending) -> str:
    return f"after {ending.env_steps.total:,} environment steps"


def _signal_in_words(events: Sequence[Event], rounds: Sequence[RoundRecord]) -> str:
    """Says which kind of signal is in use, and what it was measured to be worth."""
    uses = [use for entry in rounds for use in entry.uses]
    active = ActiveSignal(events)
    if active.standing is not None:
        mine = [use for use in uses if use.swapped.signal.id == active.signal.id]
        effect = mine[-1].effect_in_words if mine else ""
        says = f"A signal is in use that is {active.standing}"
        return f"{says} ({effect})" if effect else says
    if uses:
        return f"No signal stayed: {len(uses)} swapped in and taken back"
    played = [entry for entry in rounds if entry.decided]
    if not played:
        why = "no round was played" if rounds else "no round has begun"
        return f"No signal was swapped in, as {why}"
    count = f"{len(played)} round{'s' if len(played) > 1 else ''}"
    return f"No signal was swapped in: no candidate stood out in {count}"
