"""Ends what goes on for ever."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

__all__ = ["LateError", "in_time"]


class LateError(BaseException):
    """It goes on for ever; nobody who takes all errors for his own may take it."""


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Ends what takes longer, where the platform can."""

    def late(*_: object) -> None:
        raise LateError(f"it goes on for longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
