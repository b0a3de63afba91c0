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


def seed_generators(seed: int) -> None:
    """Seeds all of them, so that a branch does not depend on what its process has done
    before."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch:
        torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """Where they stand, as plain data that JSON can hold.

    Example:
        >>> before = generator_states()
        >>> first = np.random.random()
        >>> restore_generators(before)
        >>> np.random.random() == first
        True
    """
    version, words, gauss = random.getstate()
    numbers: Any = np.random.get_state()
    states: dict[str, Any] = {
        "python": [version, np.array(words, dtype=np.uint32).tobytes().hex(), gauss],
        "numpy": [numbers[0], numbers[1].tobytes().hex(), *numbers[2:]],
    }
    torch: Any = sys.modules.get("torch")
    if torch:
        states["torch"] = torch.get_rng_state().numpy().tobytes().hex()
        # A device that was not used yet has no generator that could be disturbed.
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found = torch.cuda.get_rng_state_all()
            states["cuda"] = [state.numpy().tobytes().hex() for state in found]
    return states


def restore_generators(states: Mapping[str, Any]) -> None:
    """Puts them back to where they stood."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(_numbers(words, np.uint32).tolist()), gauss))
    name, words, *rest = states["numpy"]
    np.random.set_state((name, _numbers(words, np.uint32), *rest))
    torch: Any = sys.modules.get("torch")
    if torch and "torch" in states:
        torch.set_rng_state(torch.from_numpy(_numbers(states["torch"], np.uint8)))
        for k, state in enumerate(states.get("cuda", [])):
            if k < torch.cuda.device_count():
                on_device = torch.from_numpy(_numbers(state, np.uint8))
                torch.cuda.set_rng_state(on_device, k)


def _numbers(text: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.frombuffer(bytes.fromhex(text), dtype=kind).copy()


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Restores them afterwards."""
    states = generator_states()
    try:
        yield
    finally:
        restore_generators(states)
