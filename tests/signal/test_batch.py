"""Many teams at once are paid what each team is paid alone, to the last digit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from also_wrappers.signal import Shaper, Signal
from also_wrappers.signal.batch import BatchShaper
from also_wrappers.signal.language.compiler import binary, compile_nodes
from also_wrappers.signal.language.parser import REDUCTIONS, parse
from also_wrappers.signal.language.vectors import compile_vector
from also_wrappers.signal.shaper import compile_signal
from tests.support.language import FEATURES, row, signals

TEAM = ["a", "b", "c"]
COPIES = 3

#: Features of every agent of every copy.
frames = st.lists(
    st.lists(
        st.lists(row, min_size=len(TEAM), max_size=len(TEAM)),
        min_size=COPIES,
        max_size=COPIES,
    ),
    min_size=2,
    max_size=12,
)


def batched(frame: list[list[list[float]]]) -> Any:
    """Shape ``(features, agents, copies)``."""
    return np.array(frame).T.copy()


@pytest.mark.parametrize("most_invalid", [2, 100])
@given(
    signals(TEAM),
    frames,
    st.floats(0.0, 1.0),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_they_are_paid_alike(
    most_invalid: int,
    signal: Signal,
    frames: list[list[list[list[float]]]],
    gamma: float,
    bootstraps: bool,
    seed: int,
) -> None:
    """Copies begin anew at times of their own, some with agents that ended before."""
    random = np.random.default_rng(seed)
    compiled = compile_signal(signal, FEATURES, TEAM)
    singles = [Shaper(len(TEAM), gamma, bootstraps) for _ in range(COPIES)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("also_wrappers.signal.shaper.MOST_INVALID", most_invalid)
        patch.setattr("also_wrappers.signal.values.MOST_INVALID", most_invalid)
        many = BatchShaper(signal, FEATURES, TEAM, gamma, bootstraps)
        strength = random.random(COPIES)
        many.reset(batched(frames[0]), None, strength)
        everyone = range(len(TEAM))
        for k, single in enumerate(singles):
            single.reset(compiled, frames[0][k], everyone, float(strength[k]))
        for frame in frames[1:]:
            terminated, cut = random.random((2, len(TEAM), COPIES)) < 0.1
            cut &= ~terminated
            added = many.step(batched(frame), terminated, cut)
            for k, single in enumerate(singles):
                paid = single.step(
                    frame[k],
                    everyone,
                    np.flatnonzero(terminated[:, k]).tolist(),
                    np.flatnonzero(cut[:, k]).tolist(),
                )
                assert added[:, k].tolist() == paid
                assert many.paid(k).tolist() == single.totals
                assert many.values.invalid[:, k].tolist() == single.invalid
            which = random.random(COPIES) < 0.3
            strength = random.random(COPIES)
            if which.any():
                many.reset(batched(frame), which, strength)
            for k in np.flatnonzero(which).tolist():
                single = singles[k]
                single.reset(compiled, frame[k], everyone, float(strength[k]))


OPERATORS = [
    *["x + y", "x - y", "x * y", "x / y", "-x", "x < y", "x == y", "x and y", "not x"],
    *[f"abs(x) ** {power}" for power in (-2, 0.3, 0.5, 2, 3, 4, 7)],
    *["x ** 2", "x ** 3", "x ** -2", "hypot(x, y)", "where(x > 0, x, y)"],
    *[f"{name}(x)" for name in ("abs", "exp", "log1p", "sqrt", "tanh", "sign")],
    *["min(x, y, 0.5)", "max(x, y)", "clip(x, -1, y)"],
    *[f"{name}(x * y)" for name in REDUCTIONS],
    "team_mean(x - others_mean(team_std(y) * x) ** 2) + others_max(2)",
]


@pytest.mark.parametrize("expression", OPERATORS)
def test_every_operator_rounds_as_for_one_environment(expression: str) -> None:
    columns = np.random.default_rng(0).normal(size=(2, 5, 1000))
    node = parse(expression, ["x", "y"])
    code = compile_vector([binary(node)], agents=5)
    evaluate = compile_nodes([node])
    rows = columns.T.tolist()
    alone = [evaluate(team, team, range(5))[0] for team in rows]
    for form in (code.quick, code.guarded):
        out = np.empty((1, 5, 1000))
        with np.errstate(all="ignore"):
            form(columns, columns, out)
        np.testing.assert_array_equal(out[0].T, alone)
