"""What a rule costs at least, found by playing it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import (
    Decision,
    Gate,
    Provisional,
    Race,
    Request,
    Rule,
    ScoreGate,
    Trial,
    cheapest,
)


@pytest.mark.parametrize(
    ("rule", "horizons"),
    [
        # Two arms to the whole horizon.
        (Provisional(), 2.0),
        # And a fresh branch of the winner, of control, of the winner.
        (Race(), 5.0),
        (Gate(), 6.0),
        (ScoreGate(), 3.0),
    ],
)
def test_the_cheapest_swap_of_one_candidate(rule: Rule, horizons: float) -> None:
    assert cheapest(rule, arms=2) == horizons


def test_a_rule_that_swaps_nothing_in_counts_with_its_first_branches() -> None:
    assert cheapest(Gate(critical=1e9), arms=3) == 3.0


class Extends:
    """Extends the branches of two arms; hash and equality are those of an object."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        stretches = {trial.request.stretch for trial in trials}
        for stretch in (0.25, 1.0):
            if stretch not in stretches:
                return [
                    Request(arm, "screen", 0, stretch, self._keep)
                    for arm in range(arms)
                ]
        return Decision("confirmed", "", 1, Request(1, "screen", 0, 1.0))


def test_an_extension_counts_what_is_new_in_it() -> None:
    assert cheapest(Extends(keep=True), arms=2) == 2.0


def test_a_rule_that_extends_what_it_has_not_kept_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="request the shorter branch with"):
        cheapest(Extends(keep=False), arms=2)
