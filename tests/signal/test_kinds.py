"""One table says what a kind of term is; everything else reads it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

import also_wrappers
from also_wrappers import signal as room
from also_wrappers.exceptions import ExpressionError
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.signal.kinds import (
    KINDS,
    STATE_KINDS,
    TRANSITION_KINDS,
    KindName,
)
from also_wrappers.signal.shaper import Shaper, compile_signal
from also_wrappers.signal.transitions import Payments, decode, encode

ROOT = Path(also_wrappers.__file__).parent
FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("push", "action"))


def test_the_table_has_a_row_for_every_name_that_is_accepted() -> None:
    assert get_args(KindName) == tuple(KINDS)
    assert {*STATE_KINDS, *TRANSITION_KINDS} == {*KINDS}


def test_the_table_of_the_page_is_this_one() -> None:
    rows = [
        f"| ``{name}`` | {kind.pays} | {kind.keeps_optimum} |"
        for name, kind in KINDS.items()
    ]
    head = "| kind | added at a step | keeps the optimal policy |\n|---|---|---|\n"
    assert head + "\n".join(rows) + "\n\n" in (room.__doc__ or "")


def test_no_other_file_asks_for_a_kind_by_its_name() -> None:
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        for side in ast.walk(node)
        if isinstance(side, ast.Constant) and side.value in KINDS
    ]
    assert asking == []


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_pays_what_its_row_says(name: KindName) -> None:
    """Step by step, and for many transitions at once."""
    kind, gamma = KINDS[name], 0.5
    signal = Signal(terms=(Term(name="t", kind=name, expression="x", weight=2.0),))
    compiled = compile_signal(signal, FEATURES, ["agent"])
    payments = Payments(signal, FEATURES, ["agent"])
    before, after = [[3.0, 0.0]], [[5.0, 0.0]]
    for ended in ([], [0]):
        arrived = 5.0
        if kind.discounted:
            arrived = 0.0 if ended else gamma * arrived
        expected = 2.0 * (arrived - (3.0 if kind.of_state else 0.0))
        shaper = Shaper(team=1, gamma=gamma)
        shaper.reset(compiled, before, [0])
        assert shaper.step(after, [0], ended) == [expected]
        steps = decode(encode(before, [0], after, [0], ended, []))
        assert payments(steps, gamma).tolist() == [expected]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("expression", ["push", "delta(x)"])
def test_only_terms_of_a_transition_read_it(name: KindName, expression: str) -> None:
    term = Term(name="t", kind=name, expression=expression, weight=1.0)
    if name in TRANSITION_KINDS:
        compile_signal(Signal(terms=(term,)), FEATURES, ["agent"])
        return
    with pytest.raises(ExpressionError, match="progress and potential terms"):
        compile_signal(Signal(terms=(term,)), FEATURES, ["agent"])


def test_only_a_signal_without_terms_is_empty() -> None:
    term = Term(name="t", kind="progress", expression="x", weight=1.0)
    assert Signal().empty
    assert not Signal(terms=(term,)).empty
