"""``Reminder``: says again, ever more seldom, that something is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Reminder"]

#: Seconds until the first call; from each to the next they are twice as many.
_PATIENCE = 30.0


class Reminder:
    """Calls a function in a thread after half a minute, and ever more seldom then.

    Args:
        remind: The function.
    """

    def __init__(self, remind: Callable[[], None]) -> None:
        self._remind = remind
        # No lock: whoever handles Ctrl-C stops it, wherever the program is.
        self._stopped = False
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Ends the calls."""
        self._stopped = True

    def _run(self) -> None:
        pause = _PATIENCE
        time.sleep(pause)
        while not self._stopped:
            self._remind()
            pause *= 2.0
            time.sleep(pause)
