"""Does slow work, such as asking an advisor, in a thread beside the training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Aside"]

T = TypeVar("T")


class Aside(Generic[T]):
    """Does one piece of work in a thread, or later, when its result is asked for.

    Args:
        work: The work; it must not touch what training touches.
        beside: Whether to begin at once, in a thread.

    Example:
        >>> Aside(lambda: 6 * 7, beside=True).result()
        42
    """

    def __init__(self, work: Callable[[], T], *, beside: bool) -> None:
        self._work = work
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        # A daemon: a model that never answers must not keep a script from ending.
        self._thread = threading.Thread(target=self._run, daemon=True)
        if beside:
            self._thread.start()

    @property
    def done(self) -> bool:
        """True once the work has ended, with a result or with an error."""
        return bool(self._results or self._errors)

    def wait(self) -> None:
        """Waits until the work is done; begins the work if it has not begun."""
        if self._thread.ident is not None:
            self._thread.join()
        elif not self.done:
            self._run()

    def result(self) -> T:
        """Waits for the work, then returns its result or raises its error."""
        self.wait()
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # raised where the result is asked for
            self._errors.append(error)
