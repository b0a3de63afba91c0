"""Computes how candidates stand against control, whatever has ended their round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from also_wrappers.gate.rule import CONTROL, Trial

__all__ = ["Standing", "leader"]

#: Predicted variance between branches of one arm, in squared standard errors.
_NOISE = 2.0


@dataclass(frozen=True)
class Standing:
    """Holds how one candidate stands against control.

    Attributes:
        arm: Index of the candidate.
        effect: Mean difference to control in base return, over the pairs.
        z: ``effect`` in predicted standard deviations.
        pairs: Pairs of branches on common seeds, each at its longest.
        won: Pairs in which the candidate's branch had the larger score.
    """

    arm: int
    effect: float
    z: float
    pairs: int
    won: int


def leader(trials: Sequence[Trial]) -> Standing | None:
    """Returns the standing of the candidate that stands best against control.

    Args:
        trials: All trials of a round, in any order; failed branches do not count.

    Returns:
        The candidate with the largest z; ``None`` where no candidate has a pair.

    Example:
        >>> from also_wrappers.gate import Request
        >>> scores = {0: 0.1, 1: 0.5, 2: 0.3}
        >>> leader([Trial(Request(a, "screen", 0), s, 0.01) for a, s in scores.items()])
        Standing(arm=1, effect=0.4, z=2.0, pairs=1, won=1)
    """
    longest: dict[tuple[int, str, int], Trial] = {}
    for trial in sorted(trials, key=lambda t: t.request.stretch):
        if trial.ok:
            request = trial.request
            longest[request.arm, request.phase, request.index] = trial
    standings = []
    for arm in sorted({arm for arm, _, _ in longest} - {CONTROL}):
        pairs = [
            (trial, longest[CONTROL, phase, index])
            for (own, phase, index), trial in longest.items()
            if own == arm
            and (CONTROL, phase, index) in longest
            and longest[CONTROL, phase, index].request.stretch == trial.request.stretch
        ]
        if pairs:
            standings.append(_standing(arm, pairs))
    return max(standings, key=lambda standing: standing.z, default=None)


def _standing(arm: int, pairs: Sequence[tuple[Trial, Trial]]) -> Standing:
    differences = [mine.score - theirs.score for mine, theirs in pairs]
    effect = sum(differences) / len(pairs)
    spread = sum(_NOISE * (m.variance + t.variance) for m, t in pairs) / len(pairs) ** 2
    z = effect / math.sqrt(spread) if spread > 0.0 else 0.0
    won = sum(difference > 0.0 for difference in differences)
    return Standing(arm, effect, z, len(pairs), won)
