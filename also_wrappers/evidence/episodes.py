"""Whole episodes that are kept, for checks of candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["EpisodeRows"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EpisodeRows:
    """One whole episode, kept for checks of candidates; it never enters a prompt.

    Attributes:
        rows: Features, shape ``(steps + 1, agents, features)``.
        rewards: Base rewards, shape ``(steps, agents)``.
        alive: Who took part, shape ``(steps + 1, agents)``.
        base_return: Of the whole episode.
        terminated: Whether it ended by termination.
        complete: Whether all its steps are there.
    """

    rows: Array
    rewards: Array
    alive: npt.NDArray[np.bool_]
    base_return: float
    terminated: bool
    complete: bool
