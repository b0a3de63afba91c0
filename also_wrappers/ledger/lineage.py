"""Events of the lineage: those of a ledger that tell of the final policy."""

from __future__ import annotations

from collections.abc import Iterable

from also_wrappers.ledger.events import Event, RunResumed
from also_wrappers.ledger.stamp import RoundEvent

__all__ = ["of_the_lineage"]


def of_the_lineage(
    events: Iterable[Event], checkpoint: int, going_on: int | None = None
) -> list[Event]:
    """Returns the events of the lineage that a run goes on with.

    Events after the last checkpoint of a stopped run are left out, as they are of a
    mainline that was lost. Events of a round that goes on stay, as nothing of the round
    was lost.

    Args:
        events: The events of a ledger, in order.
        checkpoint: Trainer steps that had been spent in all at the last checkpoint.
        going_on: Number of the round that goes on from that checkpoint; ``None`` if
            none does.
    """
    lineage: list[Event] = []
    for event in events:
        if isinstance(event, RunResumed):
            lineage = _up_to(event.checkpoint, lineage, event.going_on)
        lineage.append(event)
    return _up_to(checkpoint, lineage, going_on)


def _up_to(total: int, events: list[Event], going_on: int | None) -> list[Event]:
    return [
        event
        for event in events
        if event.trainer_steps.total <= total
        or (isinstance(event, RoundEvent) and event.round == going_on)
    ]
