"""Python's, numpy's and torch's global generators of random numbers.

Torch is not imported for them: what was not imported has no state to lose.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "generator_states",
    "generators_restored",
    "restore_generators",
    "seed_generators",
]

Arrays = dict[str, npt.NDArray[Any]]


def seed_generators(seed: int) -> None:
    """Seeds all of them, so that a branch does not depend on what its process has done
    before."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch:
        torch.manual_seed(seed)


def generator_states() -> Arrays:
    """Where they stand, as plain arrays by name."""
    version, words, gauss = random.getstate()
    states = {
        "python": np.array([version, *words], dtype=np.uint64),
        "python.gauss": np.array(np.nan if gauss is None else gauss),
    }
    found: Any = np.random.get_state(legacy=False)
    states["numpy"] = np.append(found["state"]["key"], found["state"]["pos"])
    states["numpy.gauss"] = np.array([found["has_gauss"], found["gauss"]])
    torch: Any = sys.modules.get("torch")
    if torch:
        states["torch"] = torch.get_rng_state().numpy()
        # A device that was not used yet has no generator that could be disturbed.
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            for k, state in enumerate(torch.cuda.get_rng_state_all()):
                states[f"cuda.{k}"] = state.numpy()
    return states


def restore_generators(states: Mapping[str, npt.NDArray[Any]]) -> None:
    """Puts them back to where they stood."""
    version, *words = (int(word) for word in states["python"])
    gauss = float(states["python.gauss"])
    random.setstate((version, tuple(words), None if np.isnan(gauss) else gauss))
    numbers, (has_gauss, normal) = states["numpy"], states["numpy.gauss"]
    np.random.set_state(
        ("MT19937", numbers[:-1], int(numbers[-1]), int(has_gauss), float(normal))
    )
    torch: Any = sys.modules.get("torch")
    if torch and "torch" in states:
        torch.set_rng_state(torch.from_numpy(states["torch"].copy()))
        for k in range(torch.cuda.device_count() if "cuda.0" in states else 0):
            if f"cuda.{k}" in states:
                on_device = torch.from_numpy(states[f"cuda.{k}"].copy())
                torch.cuda.set_rng_state(on_device, k)


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Restores them afterwards."""
    states = generator_states()
    try:
        yield
    finally:
        restore_generators(states)
