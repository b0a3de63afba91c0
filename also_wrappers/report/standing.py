"""How sure a run is of its signals: exploratory, provisional, confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from also_wrappers.ledger.events import (
    Decided,
    Event,
    RolledBack,
    RoundStarted,
    RunFinished,
    Settled,
    Swapped,
)

__all__ = ["ActiveSignal", "Standing", "standing_of"]

#: ``exploratory``: provisional, and no base reward speaks for the signal;
#: ``provisional``: in use because screening favours it; ``confirmed``: shown to beat
#: control with a declared error.
Standing = Literal["exploratory", "provisional", "confirmed"]


def standing_of(event: Decided | Swapped) -> Standing | None:
    """Returns how sure a run is of a signal when it swaps the signal in.

    Args:
        event: The decision or the swap.

    Returns:
        The standing of the signal; ``None`` for a decision that swaps nothing in.
    """
    match event:
        case Decided(winner=None):
            return None
        case Decided():
            confirmed = event.kind == "confirmed"
        case Swapped():
            confirmed = not event.provisional
    if event.exploratory:
        return "exploratory"
    return "confirmed" if confirmed else "provisional"


class ActiveSignal:
    """Follows which signal is active, and how sure the run is of it.

    Args:
        events: The events of the run so far.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._id = ""
        self._standings: dict[str, Standing | None] = {}
        for event in events:
            self.add(event)

    @property
    def standing(self) -> Standing | None:
        """Standing of the active signal; ``None`` if no round swapped it in."""
        return self._standings.get(self._id)

    @property
    def unconfirmed(self) -> bool:
        """Whether the active signal is provisional, exploratory ones included."""
        return self.standing in ("provisional", "exploratory")

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        match event:
            case Swapped(signal=signal):
                self._id = signal.id
                self._standings[signal.id] = standing_of(event)
            case Settled(signal=signal, kind=kind):
                self._id = signal.id
                if kind == "confirmed":
                    self._standings[signal.id] = "confirmed"
            # A swap that was lost in a stop is set right by the next round or the end.
            case RolledBack(signal=name) | RoundStarted(signal=name):
                self._id = name
            case RunFinished(signal=signal):
                self._id = signal.id
