"""What a Gymnasium space offers to name, where nobody declared features."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

__all__ = ["Leaf", "is_batched_arrays", "leaves"]

#: Path, name, smallest and largest value where they are known.
Leaf = tuple[str, str, float | None, float | None]


def leaves(space: spaces.Space[Any], path: str, name: str) -> Iterator[Leaf]:
    """Yields every number of a space, with a path to it and a name.

    Masks of actions (Dict keys that end in ``action_mask``) say what is allowed, not
    how things are, and are left out.

    Example:
        >>> list(leaves(spaces.Dict({"door": spaces.Discrete(3)}), "obs", "obs"))
        [("obs['door']", 'obs_door', 0.0, 2.0)]
    """
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            if not str(key).endswith("action_mask"):
                plain = re.sub(r"[^A-Za-z0-9_]", "_", str(key))
                yield from leaves(inner, f"{path}['{key}']", f"{name}_{plain}")
    elif isinstance(space, spaces.Tuple):
        for k, inner in enumerate(space.spaces):
            yield from leaves(inner, f"{path}[{k}]", f"{name}_{k}")
    elif isinstance(space, spaces.Discrete):
        low = float(space.start)
        yield path, name, low, low + float(space.n) - 1.0
    elif isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        lows, highs = _bounds(space)
        for index in np.ndindex(space.shape):
            bounded = np.isfinite(lows[index]) and np.isfinite(highs[index])
            yield (
                path + "".join(f"[{i}]" for i in index),
                "_".join([name, *map(str, index)]),
                float(lows[index]) if bounded else None,
                float(highs[index]) if bounded else None,
            )


def is_batched_arrays(space: spaces.Space[Any]) -> bool:
    """Returns whether batches of a space are arrays with the batch as first axis."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces.values() if isinstance(space, spaces.Dict) else space
        return all(is_batched_arrays(part) for part in inner)
    return isinstance(
        space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    )


def _bounds(
    space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary,
) -> tuple[Any, Any]:
    if isinstance(space, spaces.Box):
        return space.low.astype(float), space.high.astype(float)
    if isinstance(space, spaces.MultiBinary):
        return np.zeros(space.shape), np.ones(space.shape)
    start = np.asarray(space.start, dtype=float)
    return start, start + np.asarray(space.nvec, dtype=float) - 1.0
