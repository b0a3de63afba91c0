"""Definitions: named expressions that terms and rules use like features."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal import (
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Shaper,
    Signal,
    Term,
    compile_signal,
)
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.transitions import Payments, decode, encode
from also_wrappers.signal.vector import VectorShaper

FEATURES = FeatureMap(
    Feature("x", "obs[0]"), Feature("y", "obs[1]"), Feature("push", "action")
)
NEAR = Term(name="near", kind="progress", expression="-gap", weight=1.0)
PLAIN = NEAR.model_copy(update={"expression": "-(team_max(x) - y) * 2"})
DEFINE = {"lead": "team_max(x)", "gap": "(lead - y) * 2"}
ROWS = [[[1.0, 0.5, 0.0], [3.0, 0.0, 0.0]], [[2.0, 1.5, 0.0], [1.0, 4.0, 0.0]]]


def paid(signal: Signal) -> list[float]:
    shaper = Shaper(team=2, gamma=0.9)
    shaper.reset(compile_signal(signal, FEATURES, ["a", "b"]), ROWS[0], [0, 1])
    return shaper.step(ROWS[1], [0, 1])


def test_a_definition_means_what_it_stands_for_in_every_form() -> None:
    defined, plain = Signal(terms=(NEAR,), define=DEFINE), Signal(terms=(PLAIN,))
    assert paid(defined) == paid(plain) != [0.0, 0.0]
    step = decode(encode(ROWS[0], [0, 1], ROWS[1], [0, 1], [], []))
    one, other = (Payments(s, FEATURES, ["a", "b"]) for s in (defined, plain))
    np.testing.assert_array_equal(one(step, 0.9), other(step, 0.9))
    columns = np.array(ROWS[0]).T, np.array(ROWS[1]).T
    nobody = np.zeros(2, dtype=bool)
    added = []
    for signal in (defined, plain):
        shaper = VectorShaper(signal, FEATURES, 0.9)
        shaper.reset(columns[0])
        added.append(shaper.step(columns[1], nobody, nobody))
    np.testing.assert_array_equal(added[0], added[1])


def test_a_bonus_takes_the_change_of_a_definition() -> None:
    gain = Term(name="gain", kind="bonus", expression="push * delta(gap)", weight=1.0)
    compile_signal(Signal(terms=(gain,), define=DEFINE), FEATURES, ["a"])


@pytest.mark.parametrize(
    ("define", "message"),
    [
        ({"x": "y"}, "'x' is a feature and cannot be defined"),
        ({"hypot": "y"}, "'hypot' is a word of the language"),
        ({"not": "y"}, "'not' is a word of the language"),
        ({"gap": "gap + 1"}, "the definition of gap: there is no feature 'gap'"),
        ({"gap": "lead", "lead": "x"}, "the definition of gap: .*no feature 'lead'"),
        ({"gap": "push"}, "the definition of gap: 'push' is read from the action"),
        ({"gap": "delta(x)"}, "the definition of gap: .*delta"),
        ({"gap": "x", "lead": "gap(1)"}, "'gap' is a feature and cannot be called"),
    ],
)
def test_definitions_that_mean_nothing_are_refused(
    define: dict[str, str], message: str
) -> None:
    with pytest.raises((ConfigurationError, ExpressionError), match=message):
        parse_definitions(define, FEATURES)


def test_definitions_cannot_be_piled_up_beyond_the_limit_of_operations() -> None:
    define = {"a": " + ".join(["x"] * 40)}
    define |= {"b": "a + a + a", "c": "b + b"}
    with pytest.raises(ExpressionError, match=r"the definition of c: .* 250 op"):
        parse_definitions(define, FEATURES)


def test_the_deepest_expression_still_compiles() -> None:
    """Python's own limit of nested calls is never met."""
    define = {"a": "-" * 30 + "x"}
    for before, name in itertools.pairwise("abcdefgh"):
        define[name] = "-" * 30 + before
    deep = NEAR.model_copy(update={"expression": "-" * 10 + "h"})
    with pytest.raises(ExpressionError, match="more than 250 operations"):
        paid(Signal(terms=(deep,), define=define))
    signal = Signal(terms=(deep.model_copy(update={"expression": "h"}),), define=define)
    assert paid(signal) == [1.0, -2.0]
    step = decode(encode(ROWS[0], [0, 1], ROWS[1], [0, 1], [], []))
    assert Payments(signal, FEATURES, ["a", "b"])(step, 0.9).tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    "fields",
    [
        {"define": {"a b": "x"}},
        {"define": {"": "x"}},
        {"define": {"a": ""}},
        {"define": {"a": "x" * 1001}},
        {"define": {f"a{k}": "x" for k in range(9)}},
        {"expert": {"rules": []}},
        {"expert": {"rules": [{"when": "1", "do": "stay"}] * 25}},
        {"expert": {"rules": [{"when": "x" * 1001, "do": "stay"}]}},
        {"expert": {"rules": [{"when": "1", "do": "stay"}], "pull": 0.0}},
        {"expert": {"rules": [{"when": "1", "do": "stay"}], "pull": float("nan")}},
        {"expert": {"rules": [{"when": "1", "do": "stay", "code": "1"}]}},
        {"expert": {"rules": [{"when": "1", "do": "stay", "agents": []}]}},
    ],
)
def test_signals_out_of_bounds_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Signal.model_validate(fields)


def test_ids_and_texts_of_signals_without_an_expert_stay_as_they_were() -> None:
    term = Term(name="near", kind="progress", expression="-distance", weight=1.0)
    assert Signal(terms=(term,)).id == "e1a7cdf038"
    assert Signal(terms=(term,), fade=0.2).id == "350c628952"
    old = Signal.model_validate_json('{"terms": [], "fade": null}')
    assert old == Signal()
    assert (old.id, old.empty) == ("none", True)
    assert Signal(define={"far": "x"}).empty


def test_the_id_is_made_of_rules_and_definitions_and_not_of_prose() -> None:
    rules = (Rule(when="far", do="stay"),)
    one = Signal(define={"far": "x > 1"}, expert=Expert(rules=rules, rationale="a"))
    same = Signal(define={"far": "x > 1"}, expert=Expert(rules=rules, rationale="b"))
    assert not one.empty
    assert one.id == same.id
    assert hash(one) == hash(same)
    others = [
        Signal(define={"far": "x > 2"}, expert=one.expert),
        Signal(define={"far": "x > 1"}, expert=Expert(rules=rules, pull=0.5)),
        Signal(terms=(NEAR,), define={"far": "x > 1"}, expert=one.expert),
    ]
    assert len({one.id, "none", *(other.id for other in others)}) == 5
    for signal in (one, *others):
        assert Signal.model_validate_json(signal.model_dump_json()) == signal


def test_other_terms_leave_definitions_and_expert_in_place() -> None:
    expert = Expert(rules=(Rule(when="gap > 1", do="stay"),))
    signal = Signal(terms=(NEAR,), fade=0.5, define=DEFINE, expert=expert)
    changed = signal.with_terms((PLAIN,))
    assert changed == Signal(terms=(PLAIN,), define=DEFINE, expert=expert)
