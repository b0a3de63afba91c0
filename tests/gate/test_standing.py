"""How candidates stand against control, whatever has ended their round."""

from __future__ import annotations

from typing import Any

from also_wrappers.gate import Request, Trial, leader
from also_wrappers.gate.rule import Phase


def trial(arm: int, score: float, index: int = 0, **request: Any) -> Trial:
    ok = request.pop("ok", True)
    phase: Phase = "confirm" if index else "screen"
    return Trial(Request(arm, phase, index, **request), score, 0.01, ok)


def test_pairs_are_those_on_common_seeds_at_their_longest() -> None:
    trials = [
        trial(0, 0.9, stretch=0.5),
        trial(1, 0.1, stretch=0.5),
        trial(0, 0.2),
        trial(1, 0.6),
        trial(1, 0.7, index=1),
        trial(0, 0.1, index=1),
        trial(1, 0.9, index=2),
    ]
    standing = leader(trials)
    assert standing is not None
    assert (standing.arm, standing.pairs, standing.won) == (1, 2, 2)
    assert round(standing.effect, 6) == 0.5


def test_the_leader_is_the_candidate_with_the_largest_z() -> None:
    standing = leader([trial(0, 0.2), trial(1, 0.1), trial(2, 0.3), trial(3, 0.25)])
    assert standing is not None
    assert standing.arm == 2
    assert leader([trial(0, 0.2), trial(1, 0.9, ok=False)]) is None
    assert leader([trial(1, 0.9)]) is None
