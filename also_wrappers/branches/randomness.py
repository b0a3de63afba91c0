"""The global randomness of Python, numpy and torch: seeded, saved, restored.

Torch is not imported here: a module that was not imported has no state to lose. Other
libraries that keep randomness of their own are registered by who knows them.
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


#: By name: what returns the state of a library's randomness, and what restores it.
_others: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {}


def keep_randomness(
    name: str, state: Callable[[], Any], restore: Callable[[Any], None]
) -> None:
    """Has the randomness of a library saved and restored with the global one.

    To be called when what knows the library is imported. Seeds are the environments'
    own: a branch seeds them.

    Args:
        name: Of the library.
        state: Returns its state as plain data that JSON can hold; ``None`` where the
            library was not imported.
        restore: Puts it back to a state that is not ``None``.

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

    A branch then does not depend on what its process has done before.
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
        # A device that was not used yet has no randomness that could be disturbed.
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            devices = torch.cuda.get_rng_state_all()
            states["cuda"] = [state.numpy().tobytes().hex() for state in devices]
    others = {name: state() for name, (state, _) in _others.items()}
    states |= {name: state for name, state in others.items() if state is not None}
    return states


def restore_randomness(states: Mapping[str, Any]) -> None:
    """Puts the global randomness back to a state of ``randomness_states``.

    Raises:
        ConfigurationError: It is the state of no randomness.
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
    """Restores the global randomness after a block."""
    states = randomness_states()
    try:
        yield
    finally:
        restore_randomness(states)
