"""The signal in use: how sure a run is of it, and what its expert earns alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from also_wrappers.ledger.events import (
    Auditioned,
    Decided,
    Event,
    RolledBack,
    RoundStarted,
    RunFinished,
    Settled,
    Swapped,
)
from also_wrappers.signal.model import Signal

__all__ = ["ActiveSignal", "Standing", "env_steps_of", "last_audition", "standing_of"]

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
    """Follows which signal is active and how sure the run is of it.

    Args:
        events: The events of the run so far.

    Attributes:
        signal: The active signal; the empty one if no round swapped any in.
        audition: Last audition of the active signal's expert; ``None`` without any.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.signal = Signal()
        self.audition: Auditioned | None = None
        self._id = ""
        self._signals: dict[str, Signal] = {}
        self._standings: dict[str, Standing | None] = {}
        self._auditions: list[Auditioned] = []
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
            case Auditioned():
                self._auditions.append(event)
                if event.is_of(self.signal):
                    self.audition = event
            case Swapped(signal=signal):
                self._use(signal.id, signal)
                self._standings[signal.id] = standing_of(event)
            case Settled(signal=signal, kind=kind):
                self._use(signal.id, signal)
                if kind == "confirmed":
                    self._standings[signal.id] = "confirmed"
            # A swap that was lost in a stop is set right by the next round or the end.
            case RolledBack(signal=name) | RoundStarted(signal=name):
                if name != self._id:
                    self._use(name, self._signals.get(name, Signal()))
            case RunFinished(signal=signal):
                self._use(signal.id, signal)

    def _use(self, name: str, signal: Signal) -> None:
        """Makes the signal of an id the active one."""
        self._id = name
        self._signals[name] = self.signal = signal
        self.audition = None
        if signal.expert is not None:
            played = (one for one in reversed(self._auditions) if one.is_of(signal))
            self.audition = next(played, None)


def last_audition(events: Iterable[Event]) -> Auditioned | None:
    """Returns the last audition of the expert that was in use last.

    Args:
        events: The events of a run.

    Returns:
        ``None`` if no expert was in use.
    """
    active = ActiveSignal()
    last = None
    for event in events:
        active.add(event)
        last = active.audition or last
    return last


def env_steps_of(event: Auditioned) -> int:
    """Returns the environment steps that an audition took.

    Args:
        event: The audition, as it was written.
    """
    return round(
        event.steps * event.env_steps.total / max(event.trainer_steps.total, 1)
    )
