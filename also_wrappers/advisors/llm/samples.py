"""Writes two recorded episodes as numbers, for prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from also_wrappers.evidence.episodes import EpisodeRows

__all__ = ["sample"]

#: The most and the fewest steps of an episode that are shown.
_MOST_STEPS, _FEWEST_STEPS = 8, 3


def sample(episodes: Sequence[EpisodeRows], room: int) -> list[str]:
    """Writes two episodes as numbers: the best one, and the most usual of the others.

    Of several episodes that earned alike, the shortest is shown. The first step, the
    last step and the first step with a reward are always shown; other steps as far as
    there is room. Where there is too little room for two episodes, the best one is
    shown alone.

    Args:
        episodes: Recorded episodes.
        room: Characters for both episodes.

    Returns:
        A line for each episode, and a line for each step that is shown; empty where
        there are no whole episodes, or no room.

    Example:
        >>> rows = np.linspace(0, 1, 3).reshape(3, 1, 1)
        >>> there = np.ones((3, 1), dtype=bool)
        >>> walk = EpisodeRows(rows, np.zeros((2, 1)), there, 0.0, True, True)
        >>> sample([walk], room=100)
        ['An episode of 2 steps, base return 0:', '0: 0', '1: .5', '2: 1']
    """
    whole = [episode for episode in episodes if episode.complete]
    whole.sort(key=lambda episode: (-episode.base_return, len(episode.rewards)))
    usual = float(np.median([episode.base_return for episode in whole] or [0.0]))
    others = sorted(
        whole[1:],
        key=lambda e: (abs(e.base_return - usual), len(e.rewards)),
    )
    shown = [*whole[:1], *others[:1]]
    while shown:
        for steps in range(_MOST_STEPS, _FEWEST_STEPS - 1, -1):
            lines = [line for episode in shown for line in _write(episode, steps)]
            if sum(len(line) + 1 for line in lines) <= room:
                return lines
        shown.pop()
    return []


def _write(episode: EpisodeRows, steps: int) -> list[str]:
    length = len(episode.rewards)
    evenly = np.linspace(0, length, min(steps, length + 1)).astype(int)
    paid = 1 + np.flatnonzero(episode.rewards.any(axis=1))
    shown = np.unique([*evenly[:-1], *paid[:1], evenly[-1]])
    lines = [
        f"An episode of {length} steps, base return {episode.base_return:.3g}:",
    ]
    for step in shown:
        agents = [
            " ".join(map(_short, row)) if there else "-"
            for row, there in zip(episode.rows[step], episode.alive[step], strict=True)
        ]
        reward = f" (reward {episode.rewards[step - 1].mean():.2g})"
        mark = reward if step in paid else ""
        lines.append(f"{step}: {' | '.join(agents)}{mark}")
    return lines


def _short(value: float) -> str:
    """Writes a number without the 0 before its decimal point."""
    text = f"{value:.2g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
