"""Transitions as arrays: one, or those of many environments at once."""

from __future__ import annotations

import numpy as np
import pytest

from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.signal.transitions import Payments, decode, encode, encode_batch


def test_a_batch_is_encoded_as_each_of_its_environments() -> None:
    randomness = np.random.default_rng(0)
    before, after = randomness.normal(size=(2, 3, 2, 5)) * 1e3
    before[0, 0, 0] = 1e300  # beyond single precision
    terminated = randomness.random((2, 5)) < 0.5
    truncated = ~terminated & (randomness.random((2, 5)) < 0.5)
    encoded = encode_batch(before, after, terminated, truncated)
    assert encoded.shape == (5, 2, 2, 4)
    assert encoded.dtype == np.float32
    for k in range(5):
        alone = encode(
            before[..., k].T.tolist(),
            [0, 1],
            after[..., k].T.tolist(),
            [0, 1],
            np.flatnonzero(terminated[:, k]).tolist(),
            np.flatnonzero(truncated[:, k]).tolist(),
        )
        assert np.array_equal(encoded[k], alone)
    assert np.isinf(encoded[0, 0, 0, 0])


@pytest.mark.parametrize("agents", [1, 2, 9])
def test_what_is_paid_does_not_depend_on_what_is_paid_with_it(agents: int) -> None:
    """So a copy of a replay buffer pays to the last digit what the buffer pays."""
    team = [f"agent_{i}" for i in range(agents)]
    features = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
    randomness = np.random.default_rng(agents)
    encoded = randomness.normal(size=(600, 2, agents, 3)).astype(np.float32)
    encoded[..., -1] = randomness.random((600, 2, agents)) < 0.9
    for expression in (
        "exp(tanh(x)) * log1p(y * y)",
        "hypot(x, y) / (abs(x) ** 0.7)",
        "team_std(exp(x)) - team_mean(x * y)",
        "others_mean(tanh(x)) + x ** 3",
    ):
        term = Term(name="t", kind="progress", expression=expression, weight=1.0)
        payments = Payments(Signal(terms=(term,)), features, team)
        whole = payments(decode(encoded), gamma=0.9)
        for count in (1, 2, 3, 5, 8, 100):
            some = randomness.choice(600, count, replace=False)
            paid = payments(decode(encoded[some]), gamma=0.9)
            np.testing.assert_array_equal(paid, whole[some])
