"""Prints a line with ``Interrupt`` where Ctrl-C ends a training."""

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
    """Handles Ctrl-C while a model learns: prints a line, then interrupts.

    SB3 tells callbacks of no exception. And Ctrl-C mostly comes during a step of the
    environments or an update, where no code of this package is on the stack.

    Args:
        model: The model that learns.
        say: Prints the line.
    """

    def __init__(self, model: Any, say: Callable[[], None]) -> None:
        self._model = weakref.ref(model)
        self._say = say
        self._process = os.getpid()

    def begin(self) -> None:
        """Handles Ctrl-C from now on, unless the user's program handles it."""
        handler = signal.getsignal(signal.SIGINT)
        # The handler of a training that ended with an error is still installed.
        ours = isinstance(handler, Interrupt)
        if not ours and handler is not signal.default_int_handler:
            return
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self)

    def end(self) -> None:
        """Gives the handling of Ctrl-C back to Python."""
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Prints the line if the model learns, and raises ``KeyboardInterrupt``."""
        self.end()
        # A process that was forked during the training has the handler as well.
        if os.getpid() == self._process and self._learns(frame):
            # Printing fails where Ctrl-C comes while another line is being printed.
            with contextlib.suppress(RuntimeError):
                self._say()
        signal.default_int_handler(number, frame)

    def _learns(self, frame: FrameType | None) -> bool:
        """True where a frame was called from the ``learn`` of the model."""
        model = self._model()
        while frame is not None:
            if frame.f_code.co_name == "learn" and frame.f_locals.get("self") is model:
                return True
            frame = frame.f_back
        return False
