"""Seeds, saves and restores the global randomness of Python, numpy and torch.

Torch is not imported here, as a module that was not imported has no state to lose.
Other libraries with randomness of their own are registered by ``keep_randomness``.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.exceptions import ConfigurationError

__all__ = [
    "keep_randomness",
    "randomness_restored",
    "randomness_states",
    "restore_randomness",
    "seed_randomness",
]


#: For each library by name, functions that return and restore its randomness.
_others: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {}


def keep_randomness(
    name: str, state: Callable[[], Any], restore: Callable[[Any], None]
) -> None:
    """Has a library's own randomness saved and restored with the global one.

    Call it when the module that uses the library is imported. The randomness is not
    seeded here, as environments are seeded by their branch.

    Args:
        name: Name of the library.
        state: Returns the randomness as plain data that JSON can hold; ``None`` where
            the library was not imported.
        restore: Restores the randomness from a state that is not ``None``.

    Example:
        >>> dice = random.Random(0)
        >>> keep_randomness("dice", dice.getstate, dice.setstate)
        >>> with randomness_restored():
        ...     first = dice.random()
        >>> dice.random() == first
        True
        >>> del _others["dice"]
    """
    _others[name] = state, restore


def seed_randomness(seed: int) -> None:
    """Seeds the global randomness of this process.

    A branch that begins so does not depend on what its process has done before.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch:
        torch.manual_seed(seed)


def randomness_states() -> dict[str, Any]:
    """Returns the state of the global randomness as plain data that JSON can hold.

    Example:
        >>> before = randomness_states()
        >>> first = np.random.random()
        >>> restore_randomness(before)
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
        # A device that was not used yet has no randomness to save.
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            devices = torch.cuda.get_rng_state_all()
            states["cuda"] = [state.numpy().tobytes().hex() for state in devices]
    others = {name: state() for name, (state, _) in _others.items()}
    states |= {name: state for name, state in others.items() if state is not None}
    return states


def restore_randomness(states: Mapping[str, Any]) -> None:
    """Restores the global randomness from a saved state.

    Raises:
        ConfigurationError: The states are not those of ``randomness_states``.
    """
    try:
        _restore(states)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ConfigurationError(
            "a checkpoint holds states of no random generator "
            f"({type(error).__name__}: {error}); bring back the file that the run "
            "wrote, or begin a new run"
        ) from error


def _restore(states: Mapping[str, Any]) -> None:
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
    for name, (_, restore) in _others.items():
        if name in states:
            restore(states[name])


def _numbers(text: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.frombuffer(bytes.fromhex(text), dtype=kind).copy()


@contextlib.contextmanager
def randomness_restored() -> Iterator[None]:
    """Restores, after a block, the global randomness from before the block."""
    states = randomness_states()
    try:
        yield
    finally:
        restore_randomness(states)
