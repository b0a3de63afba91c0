"""Copies that play a policy that never changes, and are watched for a while."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.episodes import EPISODE, Episodes

#: Draws the length of an episode, and its base return.
Draw = Callable[[np.random.Generator], tuple[int, float]]

LIMIT = 50


def short_or_fails(chance: float) -> Draw:
    """Succeeds within a few steps, or runs into the time limit."""

    def draw(random: np.random.Generator) -> tuple[int, float]:
        if random.random() < chance:
            return int(random.integers(5, 16)), 1.0
        return LIMIT, 0.0

    return draw


def succeeds_at_any_time(random: np.random.Generator) -> tuple[int, float]:
    """Succeeds with the same probability in every step."""
    length = int(random.geometric(1.0 / 40.0))
    return (length, 1.0) if length < LIMIT else (LIMIT, 0.0)


def watch(draw: Draw, copies: int, steps: int, random: np.random.Generator) -> Episodes:
    """The episodes that end within some steps; all copies begin at step 0."""
    ended: list[tuple[int, int, float]] = []
    for _ in range(copies):
        at = 0
        while True:
            length, base = draw(random)
            at += length
            if at > steps:
                break
            ended.append((at, length, base))
    episodes = np.zeros(len(ended), EPISODE)
    if ended:
        episodes["end"], episodes["length"], episodes["base_return"] = zip(
            *ended, strict=True
        )
    return np.sort(episodes)


def starts_of(episodes: Episodes, copies: int) -> npt.NDArray[np.int64]:
    """The steps at which episodes start, where one follows the other."""
    return np.concatenate((np.zeros(copies, np.int64), episodes["end"]))
