"""``Interrupt``: what Ctrl-C says while a model learns."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Interrupt"]


class Interrupt:
    """Handles Ctrl-C while a model learns: says a line, then interrupts as ever.

    SB3 tells callbacks of no exception, and Ctrl-C mostly falls into a step of the
    environments or into an update, where no code of ours is on the way out.

    Args:
        model: The model that learns.
        say: Says the line.
    """

    def __init__(self, model: Any, say: Callable[[], None]) -> None:
        self._model = weakref.ref(model)
        self._say = say
        self._process = os.getpid()

    def begin(self) -> None:
        """Handles Ctrl-C from now on, unless the user's program does so itself."""
        handler = signal.getsignal(signal.SIGINT)
        # Where a training ended with an error, its handler is still there.
        ours = isinstance(handler, Interrupt)
        if not ours and handler is not signal.default_int_handler:
            return
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self)

    def end(self) -> None:
        """Leaves Ctrl-C to Python again."""
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Says the line where the model learns, and raises ``KeyboardInterrupt``."""
        self.end()
        # A process that was forked meanwhile has the handler as well.
        if os.getpid() == self._process and self._learns(frame):
            # Ctrl-C may fall into a line that is being printed.
            with contextlib.suppress(RuntimeError):
                self._say()
        signal.default_int_handler(number, frame)

    def _learns(self, frame: FrameType | None) -> bool:
        """Whether a frame is below the ``learn`` of the model."""
        model = self._model()
        while frame is not None:
            if frame.f_code.co_name == "learn" and frame.f_locals.get("self") is model:
                return True
            frame = frame.f_back
        return False
