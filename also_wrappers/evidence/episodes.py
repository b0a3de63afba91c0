"""Episodes as they leave an environment copy: their numbers, and some of them whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "EPISODE",
    "EpisodeRows",
    "Episodes",
    "pack",
    "telling_apart",
    "unpack",
    "weigh",
]

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
    """One whole episode, kept for checks of candidates and as a sample in prompts.

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


def pack(episodes: Sequence[EpisodeRows]) -> bytes:
    """Writes whole episodes as the bytes of a file, to be read by ``unpack``.

    Args:
        episodes: The episodes, of one team and vocabulary.
    """
    arrays = {
        f"{number}.{name}": value
        for number, episode in enumerate(episodes)
        for name, value in vars(episode).items()
    }
    file = io.BytesIO()
    np.savez_compressed(file, count=len(episodes), **arrays)
    return file.getvalue()


def unpack(data: bytes) -> list[EpisodeRows]:
    """Reads whole episodes from what ``pack`` has written.

    Args:
        data: The bytes of the file.

    Example:
        >>> there = np.ones((2, 1), dtype=bool)
        >>> step = EpisodeRows(
        ...     np.ones((2, 1, 1)), np.ones((1, 1)), there, 1.0, True, True
        ... )
        >>> unpack(pack([step]))[0].base_return
        1.0
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        names = [field.name for field in fields(EpisodeRows)]
        return [
            EpisodeRows(*(_plain(arrays[f"{number}.{name}"]) for name in names))
            for number in range(int(arrays["count"]))
        ]


def _plain(array: npt.NDArray[Any]) -> Any:
    return array if array.ndim else array.item()


def weigh(
    episodes: Episodes, starts: npt.NDArray[np.int64], begin: float, end: float
) -> Array:
    """Weighs the episodes that ended in a window as if none had been cut off by it.

    An episode of ``length`` steps ends in a window if it starts in the stretch of the
    same size that lies ``length`` steps earlier. As all copies start at step 0 and none
    before, fewer episodes start in the stretch of long ones than in that of short ones,
    so that a plain mean counts short episodes too often: where successes are short and
    failures run into a time limit, success rates are too high by .06 to .09 over the
    first two limits of 16 copies, and by .01 to .02 over the first ten. So an episode
    weighs the inverse of the number of starts in its stretch (Horvitz & Thompson 1952;
    a weighted mean divides by the sum of the weights, Hajek 1971): when an episode
    starts tells nothing of how long it will be. What is left is of the order of one by
    the number of episodes. Lengths beyond ``end`` are missing, as nobody has seen them.

    Args:
        episodes: All episodes that ended after ``begin`` and until ``end``, at least
            one.
        starts: Steps at which the episodes of all copies started, also of those that
            ended before the window and of those that have not ended: 0 for each copy,
            and the end of every episode. Those less than the longest length before
            ``begin`` suffice.
        begin: Step of the copies at which the window begins.
        end: Step of the copies at which the window ends.

    Returns:
        Weights above 0, shape ``(episodes,)``; 1 for the length with the fewest starts,
        and exactly 1 for all episodes if they have one length.

    Example:
        Two copies are watched for 10 steps: one plays episodes of 4 steps, the other
        one of 10 steps, which could end in the window from two starts only.

        >>> episodes = np.zeros(3, EPISODE)
        >>> episodes["length"], episodes["end"] = [4, 4, 10], [4, 8, 10]
        >>> weigh(episodes, np.array([0, 0, 4, 8, 10]), begin=0, end=10)
        array([0.66666667, 0.66666667, 1.        ])
    """
    ordered = np.sort(starts)
    length = episodes["length"]
    latest, earliest = (
        np.searchsorted(ordered, edge - length, "right") for edge in (end, begin)
    )
    # Where copies do not step together, an episode may miss its own stretch.
    possible = np.maximum(latest - earliest, 1)
    weights: Array = possible.min() / possible
    return weights


def telling_apart(episodes: Sequence[EpisodeRows], names: Sequence[str]) -> list[str]:
    """Names the features by which agents can be told apart in every state.

    By such a feature, no two agents ever have values in a common range.

    Args:
        episodes: Recorded episodes.
        names: Names of the features.
    """
    if not episodes:
        return []
    lows, highs = [], []
    for episode in episodes:
        there = episode.alive[:, :, None]
        lows.append(np.where(there, episode.rows, np.inf).min(axis=0))
        highs.append(np.where(there, episode.rows, -np.inf).max(axis=0))
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    order = np.argsort(low, axis=0)
    low, high = (np.take_along_axis(ends, order, axis=0) for ends in (low, high))
    apart = np.all(high[:-1] < low[1:], axis=0).tolist()
    return [name for name, told in zip(names, apart, strict=True) if told]
