"""Transitions as arrays: one, or those of many environments at once."""

from __future__ import annotations

import numpy as np

from also_wrappers.signal.transitions import encode, encode_batch


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
