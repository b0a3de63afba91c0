"""Keeps the randomness of VMAS, which its environments in a process share.

VMAS keeps its randomness in a class, as states of torch, numpy and Python that are
swapped in while an environment draws. Another environment, of a branch in this process
or an audition, would change how the training's own environments are reset.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from also_wrappers.branches.randomness import keep_randomness

__all__ = ["keep_vmas_randomness"]

_MODULE = "vmas.simulator.environment.environment"


def keep_vmas_randomness() -> None:
    """Has VMAS's randomness saved and restored with the global one."""
    keep_randomness("vmas", _states, _restore)


def _states() -> list[Any] | None:
    """Returns VMAS's states as plain data; ``None`` where VMAS was not imported."""
    module: Any = sys.modules.get(_MODULE)
    if module is None:
        return None
    on_torch, on_numpy, (version, words, gauss) = module.Environment.vmas_random_state
    name, numbers, *rest = on_numpy
    return [
        on_torch.numpy().tobytes().hex(),
        [name, numbers.tobytes().hex(), *rest],
        [version, list(words), gauss],
    ]


def _restore(states: list[Any]) -> None:
    """Puts VMAS's states back, in the list that its environments refer to."""
    module: Any = sys.modules.get(_MODULE)
    if module is None:
        return
    on_torch, (name, numbers, *rest), (version, words, gauss) = states
    words_of_numpy = np.frombuffer(bytes.fromhex(numbers), dtype=np.uint32).copy()
    module.Environment.vmas_random_state[:] = [
        torch.frombuffer(bytearray.fromhex(on_torch), dtype=torch.uint8),
        (name, words_of_numpy, *rest),
        (version, tuple(words), gauss),
    ]
