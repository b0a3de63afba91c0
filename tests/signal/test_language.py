"""The term language: what is accepted means what it says, all else is refused."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from also_wrappers.exceptions import ExpressionError
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.language.compiler import compile_nodes
from also_wrappers.signal.language.parser import Node, parse
from tests.support.interpreter import interpret
from tests.support.language import NAMES, nodes, row

ESCAPES = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "distance.__class__",
    "f'{distance}'",
    "'{0.__class__}'.format(distance)",
    "[x for x in (1, 2)]",
    "(lambda: 1)()",
    "(y := 1)",
    "distance if left else speed",
    "exec('1')",
    "eval(distance)",
    "open(distance)",
    "distance; left",
    "distance\nimport os",
    "import os",
    "distance = 1",
    "distance[0]",
    "9 ** 9 ** 9",
    "2 ** distance",
    "1e308 * 10",
    "1e999",
    "0x10",
    "1_000",
    "distance @ left",
    "~distance",
    "distance // left",
    "distance ** 0",
    "distance ** -0.",
    "distance % left",
    "distance << 2",
    "\u0434istance",
    "distance\u200b",
    "\uff11",
    "dis\x00tance",
    "#",
    "distance # left",
    "where(distance, left)",
    "team_mean(distance, left)",
    "team_mean()",
    "max(distance)",
    "delta(distance)",
    "1 < distance < 2",
    "yield distance",
    "await distance",
    "None",
    "True",
    "nan",
    "inf",
    "self",
    "rows",
    "constants[0]",
    "",
    " ",
    "(",
    ")",
    "distance left",
    "distance +",
    "* distance",
    "((((" * 200,
    "-" * 400,
    "not " * 100 + "distance",
    "+".join(["left"] * 60) + "+" + "+".join(["1"] * 160),
    "+".join(["distance"] * 120),
    "abs(" * 100 + "distance" + ")" * 100,
    "distance " * 10_000,
    "a" * 100_000,
]


@pytest.mark.parametrize("text", ESCAPES)
def test_refuses_quickly_and_clearly(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        parse(text, NAMES)
    assert time.perf_counter() - began < 1.0
    assert len(str(caught.value)) < 600
    assert 0 <= caught.value.position <= len(text)


def test_names_the_nearest_feature() -> None:
    with pytest.raises(ExpressionError, match="did you mean distance"):
        parse("1 - distanse", NAMES)
    with pytest.raises(ExpressionError, match="did you mean team_mean"):
        parse("team_meen(distance)", NAMES)
    with pytest.raises(ExpressionError, match="at character 4"):
        parse("1 - distanse", NAMES)


def test_potentials_may_not_read_the_action() -> None:
    with pytest.raises(ExpressionError, match="read from the action"):
        parse("speed", NAMES, forbidden={"speed"})


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        node = parse(text, NAMES, allow_delta=True)
    except ExpressionError:
        return
    rows = [[0.5, 1.0, -2.0], [0.0, 0.0, 0.0]]
    assert isinstance(compile_nodes([node])(rows, rows, [0, 1])[0][0], float)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("10 - 4 - 3", 3.0),
        ("8 / 4 / 2", 1.0),
        ("not 0 and 1", 1.0),
        ("1 < 2 or 0", 1.0),
        ("1 - 2 < 0", 1.0),
        ("where(distance < 0.3, 5, 6)", 5.0),
        ("clip(7, 0, 2)", 2.0),
        ("min(3, 1, 2)", 1.0),
        ("team_sum(left)", 3.0),
        ("team_mean(left) - others_mean(left)", -0.5),
        ("team_max(distance + left)", 2.9),
        ("team_std(left)", 0.5),
        ("1 / 0", math.nan),
        ("sqrt(0 - 1)", math.nan),
        ("log1p(-2)", math.nan),
        ("(0 - 8) ** 0.5", math.nan),
        ("1 / 0 < 1", math.nan),
        ("exp(10000)", math.inf),
        ("delta(left)", 1.0),
    ],
)
def test_values(text: str, value: float) -> None:
    rows = [[0.2, 1.0, 0.0], [0.9, 2.0, 0.0]]
    before = [[0.2, 0.0, 0.0], [0.9, 0.0, 0.0]]
    node = parse(text, NAMES, allow_delta=True)
    got = compile_nodes([node])(rows, before, [0, 1])[0][0]
    assert got == pytest.approx(value, nan_ok=True)


@given(
    nodes(delta=True),
    st.lists(row, min_size=3, max_size=3),
    st.lists(row, min_size=3, max_size=3),
    st.sets(st.integers(0, 2), min_size=1),
)
def test_all_forms_agree(
    node: Node, rows: list[list[float]], before: list[list[float]], who: set[int]
) -> None:
    alive = sorted(who)
    compiled = compile_nodes([node, node])(rows, before, alive)
    mask = np.array([i in who for i in range(3)])
    batch = evaluate_batch(node, np.array([rows]), np.array([before]), mask[None])[0]
    for i in range(3):
        expected = interpret(node, rows, before, alive, i) if i in who else 0.0
        for got in (compiled[0][i], compiled[1][i], float(batch[i])):
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True), node
