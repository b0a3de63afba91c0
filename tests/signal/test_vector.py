"""The numpy form of a whole signal pays what the form for one environment pays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from also_wrappers.exceptions import ExpressionError
from also_wrappers.signal import Feature, FeatureMap, Shaper, Signal, Term
from also_wrappers.signal.batch import BatchShaper
from also_wrappers.signal.kinds import KINDS, KindName
from also_wrappers.signal.language.parser import Node
from also_wrappers.signal.shaper import MOST_INVALID, compile_signal
from also_wrappers.signal.vector import VectorShaper
from tests.support.language import FEATURES, nodes, row, text


@given(
    st.lists(nodes(delta=False), min_size=1, max_size=3),
    st.lists(st.sampled_from([*KINDS]), min_size=3, max_size=3),
    st.lists(st.lists(row, min_size=4, max_size=4), min_size=2, max_size=4),
    st.booleans(),
    st.sampled_from([1, 1000]),
)
def test_it_equals_one_environment_at_a_time(
    trees: list[Node],
    kinds: list[KindName],
    frames: list[list[list[float]]],
    bootstraps: bool,
    repeated: int,
) -> None:
    """Many environments, which are looked at in another way, repeat the first four."""

    def wide(part: Any) -> Any:
        return np.tile(part, repeated)

    try:
        signal = Signal(
            terms=tuple(
                Term(name=f"t{k}", kind=kinds[k], expression=text(tree), weight=0.5)
                for k, tree in enumerate(trees)
            )
        )
        many = VectorShaper(signal, FEATURES, 0.9, bootstraps)
        exact = BatchShaper(signal, FEATURES, ["agent"], 0.9, bootstraps)
    except (ExpressionError, ValueError):
        assume(False)
    compiled = compile_signal(signal, FEATURES, ["agent"])
    singles = [Shaper(1, 0.9, bootstraps) for _ in range(4)]
    first = wide(np.array(frames[0]).T)
    many.reset(first)
    exact.reset(first)
    for k, single in enumerate(singles):
        single.reset(compiled, [frames[0][k]], (0,))
    terminated = np.array([False, True, False, True])
    truncated = np.array([False, False, True, True])
    for frame in frames[1:]:
        added = many.step(wide(np.array(frame).T), wide(terminated), wide(truncated))
        np.testing.assert_array_equal(added, wide(added[:4]))
        exact.step(wide(np.array(frame).T), wide(terminated), wide(truncated))
        for k, single in enumerate(singles):
            expected = single.step(
                [frame[k]],
                (0,),
                [0] if terminated[k] else (),
                [0] if truncated[k] else (),
            )
            assert added[k] == pytest.approx(expected[0], rel=1e-9, abs=1e-9)
            for shaper in (many, exact):
                paid = shaper.paid(k).tolist()
                assert paid == pytest.approx(single.totals, rel=1e-9, abs=1e-9)
        which = np.array([False, True, True, True])
        for shaper in (many, exact):
            shaper.reset(wide(np.array(frame).T), wide(which))
        for k in np.flatnonzero(which).tolist():
            singles[k].reset(compiled, [frame[k]], (0,))


@pytest.mark.parametrize("repeated", [1, 1000])
@pytest.mark.parametrize(
    "expression",
    [
        "((1e6 ** 4) ** 4) ** 4 * 0 != 0",
        "where(((1e6 ** 4) ** 4) ** 4 * 0, 1, 2)",
        "min(((1e6 ** 4) ** 4) ** 4 - ((1e6 ** 4) ** 4) ** 4, 1)",
        "not ((left ** 4) ** 4) ** 4 * 0",
        "left * ((1e6 ** 4) ** 4) ** 3 * speed ** 3 > 1",
        "(left ** 4) ** 4 / (distance * 0 + 1) < 5",
    ],
)
def test_products_beyond_the_range_of_numbers_have_no_value(
    expression: str, repeated: int
) -> None:
    term = Term(name="t", kind="bonus", expression=expression, weight=1.0)
    signal = Signal(terms=(term,))
    frames = np.array([[0.0, 1e6, -1.0], [2.0, 999_999.0, 3.0]]).T[:, [0, 1, 0]]
    compiled = compile_signal(signal, FEATURES, ["agent"])
    expected = []
    for row_of_one in frames.T.tolist():
        single = Shaper(1, 0.9)
        single.reset(compiled, [row_of_one], (0,))
        expected.append((single.step([row_of_one], (0,))[0], single.invalid[0]))
    columns = np.tile(frames, repeated)
    many = VectorShaper(signal, FEATURES, 0.9)
    many.reset(columns)
    nobody = np.zeros(columns.shape[1], dtype=bool)
    added = many.step(columns, nobody, nobody)
    pairs = zip(added[:3].tolist(), many.values.invalid[0, :3].tolist(), strict=True)
    assert list(pairs) == expected


@given(
    st.lists(nodes(delta=False), min_size=1, max_size=3),
    st.lists(st.sampled_from([*KINDS]), min_size=3, max_size=3),
    st.lists(st.lists(row, min_size=3, max_size=3), min_size=2, max_size=12),
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=12),
    st.booleans(),
)
def test_terms_are_switched_off_alike(
    trees: list[Node],
    kinds: list[KindName],
    frames: list[list[list[float]]],
    resets: list[list[int]],
    exact: bool,
) -> None:
    """After two values that are not finite here, so that it happens all the time."""
    try:
        signal = Signal(
            terms=tuple(
                Term(name=f"t{k}", kind=kinds[k], expression=text(tree), weight=0.5)
                for k, tree in enumerate(trees)
            )
        )
        many: BatchShaper | VectorShaper = VectorShaper(signal, FEATURES, 0.9)
        if exact:
            many = BatchShaper(signal, FEATURES, ["agent"], 0.9)
    except (ExpressionError, ValueError):
        assume(False)
    compiled = compile_signal(signal, FEATURES, ["agent"])
    singles = [Shaper(1, 0.9) for _ in range(3)]
    nobody = np.zeros(3, dtype=bool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("also_wrappers.signal.shaper.MOST_INVALID", 2)
        patch.setattr("also_wrappers.signal.values.MOST_INVALID", 2)
        many.reset(np.array(frames[0]).T)
        for k, single in enumerate(singles):
            single.reset(compiled, [frames[0][k]], (0,))
        for t, frame in enumerate(frames[1:]):
            ended = np.array(resets[t]) == 0
            added = many.step(np.array(frame).T, ended, nobody)
            for k, single in enumerate(singles):
                (paid,) = single.step([frame[k]], (0,), [0] if ended[k] else ())
                assert added[k] == pytest.approx(paid, rel=1e-9, abs=1e-9)
                assert many.values.invalid[:, k].tolist() == single.invalid
                sums = many.paid(k).tolist()
                assert sums == pytest.approx(single.totals, rel=1e-9, abs=1e-9)
            if ended.any():
                many.reset(np.array(frame).T, None if ended.all() else ended)
            for k in np.flatnonzero(ended).tolist():
                singles[k].reset(compiled, [frame[k]], (0,))


def test_what_a_term_has_paid_is_right_after_it_was_switched_off() -> None:
    """Both ways of summing payments know that the last value was taken back."""
    terms = (
        Term(name="p", kind="potential", expression="x", weight=2.0),
        Term(name="q", kind="progress", expression="1 / x", weight=1.0),
        Term(name="b", kind="bonus", expression="log1p(x)", weight=0.5),
    )
    features = FeatureMap(Feature("x", "obs[0]"))
    signal = Signal(terms=terms)
    shapers: list[BatchShaper | VectorShaper] = [
        BatchShaper(signal, features, ["agent"], 0.9),
        VectorShaper(signal, features, 0.9),
    ]
    randomness = np.random.default_rng(0)
    nobody = np.zeros(3, dtype=bool)
    strength = np.array([1.0, 0.5, 0.25])
    for shaper in shapers:
        shaper.reset(np.ones((1, 3)), None, strength)
    added = np.zeros(3)
    for t in range(150):
        odd = t < 130 and t % 10 != 0
        columns = randomness.normal(size=(1, 3)) + (np.nan if odd else 0.0)
        ended = np.array([False, False, t == 149])
        one, other = (shaper.step(columns, ended, nobody) for shaper in shapers)
        np.testing.assert_allclose(one, other, atol=1e-12)
        added += one
    assert shapers[0].values.invalid.min() >= MOST_INVALID
    _, progress, _ = shapers[0].paid(np.arange(3)).T
    np.testing.assert_allclose(progress, -strength)  # its first value, and no other
    np.testing.assert_allclose(
        shapers[0].paid(np.arange(3)).sum(axis=1), added, atol=1e-9
    )
    np.testing.assert_allclose(
        shapers[1].paid(np.arange(3)), shapers[0].paid(np.arange(3)), atol=1e-9
    )
