"""Generators of random numbers go on from where they stood, also after JSON."""

from __future__ import annotations

import json
import random

import numpy as np
import torch

from also_wrappers.branches.randomness import (
    generator_states,
    generators_restored,
    restore_generators,
    seed_generators,
)


def draw() -> tuple[float, ...]:
    """Odd numbers of each, with normals, of which some generators keep a second."""
    return (
        random.random(),
        random.gauss(0.0, 1.0),
        float(np.random.normal()),
        float(np.random.random()),
        float(torch.rand(1)),
        float(torch.randn(1)),
    )


def test_states_survive_json() -> None:
    seed_generators(7)
    draw()
    states = json.loads(json.dumps(generator_states()))
    first = [draw() for _ in range(3)]
    draw()
    restore_generators(states)
    assert [draw() for _ in range(3)] == first


def test_what_is_drawn_inside_is_not_missed_outside() -> None:
    seed_generators(7)
    expected = [draw() for _ in range(2)]
    seed_generators(7)
    found = [draw()]
    with generators_restored():
        seed_generators(1)
        assert draw() != expected[1]
    found.append(draw())
    assert found == expected
