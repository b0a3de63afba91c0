"""Episodes as they leave an environment copy: their numbers, and some of them whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["EPISODE", "EpisodeRows", "Episodes"]

Array = npt.NDArray[np.float64]

#: The numbers of one episode, or of one segment of a very long one.
#:
#: * ``end``: step at which the episode ended, in environment steps of its copy, counted
#:   from the first step that the copy ever made.
#: * ``base_return``: undiscounted sum of base rewards, mean over agents.
#: * ``shaped_return``: ``base_return`` and what the signal added, mean over agents.
#: * ``length``: environment steps of the episode, at least 1.
#: * ``success``: whether the task's success expression held at the end; ``False``
#:   without one.
#: * ``terminated``: whether the episode ended by termination; ``False`` at a
#:   truncation, and at the end of a segment.
#: * ``rewarded``: whether any agent received a base reward above 0.
EPISODE = np.dtype(
    [
        ("end", np.int64),
        ("base_return", np.float64),
        ("shaped_return", np.float64),
        ("length", np.int64),
        ("success", np.bool_),
        ("terminated", np.bool_),
        ("rewarded", np.bool_),
    ],
    align=True,
)

#: An array of ``EPISODE``.
Episodes = npt.NDArray[np.void]


@dataclass(frozen=True)
class EpisodeRows:
    """One whole episode, kept for checks of candidates; it never enters a prompt.

    Attributes:
        rows: Features, shape ``(steps + 1, agents, features)``.
        rewards: Base rewards, shape ``(steps, agents)``.
        alive: Who took part, shape ``(steps + 1, agents)``.
        base_return: Base return of the whole episode, mean over agents.
        terminated: Whether the episode ended by termination.
        complete: Whether all steps of the episode are among ``rows``.
    """

    rows: Array
    rewards: Array
    alive: npt.NDArray[np.bool_]
    base_return: float
    terminated: bool
    complete: bool
