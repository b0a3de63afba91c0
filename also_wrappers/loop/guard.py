"""Notices when the base return falls after a signal was swapped in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from also_wrappers.evidence.stage import Window
from also_wrappers.signal.model import Signal

__all__ = ["Guard", "clear_fall"]

#: Windows at either end that are compared.
_WINDOWS = 4
#: Standard errors, and share of the base return, by which the base return has to fall.
_CLEAR = 3.0
_SHARE = 0.1
#: Standard errors by which the base return has to exceed a level.
_ABOVE = 2.0


class Guard:
    """Watches the mainline's base return since a signal was swapped in.

    A fall counts only once the base return is lower than before the swap: above that,
    undoing the swap would lose more than the fall has lost.

    Args:
        signal: The signal that was swapped in. Where it has terms, a fall counts only
            while the shaped return rises; an expert alone pays nothing.
        before: The windows of the mainline before the swap.

    Example:
        >>> from also_wrappers.signal import Term
        >>> near = Term(name="near", kind="bonus", expression="1 - d", weight=0.1)
        >>> guard = Guard(Signal(terms=(near,)), [Window(0, 50, 0.9, 0.1, 1.0)])
        >>> for k in range(8):
        ...     guard.add(Window(k, 50, 1.0 - 0.1 * k, 0.1, 1.0), shaped=1.0 + k)
        >>> round(guard.fall(), 2)
        0.4
    """

    def __init__(self, signal: Signal, before: Sequence[Window]) -> None:
        self._pays = bool(signal.terms)
        last = [window.mean for window in before[-_WINDOWS:]]
        self._before = fmean(last) if last else 0.0
        self._recorded: list[tuple[Window, float]] = []

    def add(self, window: Window, shaped: float) -> None:
        """Adds a window of the mainline, and its mean shaped return."""
        self._recorded.append((window, shaped))

    @property
    def windows(self) -> int:
        """The number of windows since the swap."""
        return len(self._recorded)

    def exceeds(self, level: float) -> bool:
        """True where the latest windows' base return is clearly above a level."""
        windows = [window for window, _ in self._recorded[-_WINDOWS:]]
        episodes = sum(window.episodes for window in windows)
        if not episodes:
            return False
        mean = sum(window.episodes * window.mean for window in windows) / episodes
        variance = sum(window.episodes * window.std**2 for window in windows) / episodes
        return mean - level > _ABOVE * math.sqrt(variance / episodes)

    def fall(self) -> float | None:
        """Returns by how much the base return fell while the shaped return rose.

        The first windows since the swap are compared with the last. Returns ``None``
        while there are too few windows, the fall is not clear, or the base return is
        still as large as before the swap.
        """
        if len(self._recorded) < 2 * _WINDOWS:
            return None
        early, late = self._recorded[:_WINDOWS], self._recorded[-_WINDOWS:]
        rise = fmean(paid for _, paid in late) - fmean(paid for _, paid in early)
        hacked = rise > 0.0 or not self._pays
        lower = fmean(window.mean for window, _ in late) < self._before
        fall = clear_fall(
            [window for window, _ in early], [window for window, _ in late]
        )
        return fall if hacked and lower else None


def clear_fall(early: Sequence[Window], late: Sequence[Window]) -> float | None:
    """Returns the fall of base return between two groups of windows, if clear.

    Args:
        early: The windows before; at least one.
        late: The windows after; at least one.

    Returns:
        The fall; ``None`` where there is none, or the fall may be chance.

    Example:
        >>> windows = [Window(k, 50, 1.0 - 0.1 * k, 0.1, 1.0) for k in range(4)]
        >>> round(clear_fall(windows[:2], windows[2:]), 2)
        0.2
        >>> clear_fall(windows[2:], windows[:2]) is None
        True
    """
    level = fmean(window.mean for window in early)
    fall = level - fmean(window.mean for window in late)
    errors = [
        math.hypot(*(one.std / math.sqrt(one.episodes) for one in windows))
        / len(windows)
        for windows in (early, late)
    ]
    return fall if fall > max(_CLEAR * math.hypot(*errors), _SHARE * level) else None
