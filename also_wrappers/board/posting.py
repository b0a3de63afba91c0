"""``Posting``: what a board says to every environment copy."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from also_wrappers.signal.model import Fade, Signal

__all__ = ["Posting"]


class Posting(BaseModel):
    """What is posted on a board.

    Attributes:
        version: Counts postings.
        signal: The active signal.
        provisional: Whether the signal is in use without having been confirmed.
        strength: Factor of all that the signal adds.
        since: Trainer steps at which the signal was at its full strength last.
        fade: Takes it to zero, in steps of an environment copy; for branches, whose
            environments are fresh.
        gamma: The learner's discount factor; until a trainer has posted it, no
            signal is in force.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.
        probes: Expressions to record as conditions besides the task's, by name.
    """

    model_config = ConfigDict(frozen=True)

    version: int = 0
    signal: Signal = Signal()
    provisional: bool = False
    strength: float = 1.0
    since: int = 0
    fade: Fade | None = None
    gamma: float | None = None
    bootstraps_truncation: bool = True
    probes: dict[str, str] = {}
