"""The global randomness goes on from where it stood, also after JSON."""

from __future__ import annotations

import json
import random

import numpy as np
import torch

from also_wrappers.branches import randomness
from also_wrappers.branches.randomness import (
    keep_randomness,
    randomness_restored,
    randomness_states,
    restore_randomness,
    seed_randomness,
)


def draw() -> tuple[float, ...]:
    """Odd numbers of each, with normals, of which some keep a second one."""
    return (
        random.random(),
        random.gauss(0.0, 1.0),
        float(np.random.normal()),
        float(np.random.random()),
        float(torch.rand(1)),
        float(torch.randn(1)),
    )


def test_states_survive_json() -> None:
    seed_randomness(7)
    draw()
    states = json.loads(json.dumps(randomness_states()))
    first = [draw() for _ in range(3)]
    draw()
    restore_randomness(states)
    assert [draw() for _ in range(3)] == first


def test_the_randomness_of_another_library_is_kept_with_it() -> None:
    library = random.Random(3)
    keep_randomness(
        "library",
        lambda: _plain(library),
        lambda state: library.setstate((state[0], tuple(state[1]), state[2])),
    )
    try:
        states = json.loads(json.dumps(randomness_states()))
        first = library.random()
        with randomness_restored():
            library.random()
        assert library.random() != first
        restore_randomness(states)
        assert library.random() == first
    finally:
        del randomness._others["library"]
    assert "library" not in randomness_states()


def _plain(library: random.Random) -> list[object]:
    version, words, gauss = library.getstate()
    return [version, list(words), gauss]


def test_what_is_drawn_inside_is_not_missed_outside() -> None:
    seed_randomness(7)
    expected = [draw() for _ in range(2)]
    seed_randomness(7)
    found = [draw()]
    with randomness_restored():
        seed_randomness(1)
        assert draw() != expected[1]
    found.append(draw())
    assert found == expected
