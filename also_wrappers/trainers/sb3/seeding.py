"""Seeds environments whose VecEnv takes no seed."""

from __future__ import annotations

from typing import Any, TypeVar

from stable_baselines3.common.vec_env import VecEnv

__all__ = ["seedable"]

V = TypeVar("V", bound=VecEnv)


def seedable(venv: V) -> V:
    """Gives a working ``seed`` to environments that SuperSuit has put together.

    ``concat_vec_envs_v1(..., base_class="stable_baselines3")`` returns a VecEnv whose
    ``seed`` raises, while its copies do take a seed with their reset. Here every copy
    gets a seed of its own at the next reset, in whatever process it runs.

    Args:
        venv: Environments, with any wrappers around them. Environments that SuperSuit
            has not put together stay as they are.

    Returns:
        The environments.
    """
    inner: Any = venv.unwrapped
    if not hasattr(inner, "seed") and hasattr(inner, "reset"):
        inner.seed = _Seeds(inner)
        inner.reset = inner.seed.reset
    return venv


class _Seeds:
    """Keeps a seed until the next reset of one of SuperSuit's vectors."""

    def __init__(self, vector: Any) -> None:
        self._vector = vector
        self._reset = vector.reset
        self._seed: int | None = None

    def __call__(self, seed: int | None = None) -> None:
        """Keeps the seed of the next reset."""
        self._seed = seed

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Resets all copies with the kept seed, unless another seed is given."""
        seed, self._seed = self._seed if seed is None else seed, None
        pipes = getattr(self._vector, "pipes", None)
        if seed is None or pipes is None:
            return self._reset(seed=seed, options=options)
        # SuperSuit would give seed, seed + 1, ... to its processes, and each process
        # would count on from its own seed, so that copies of two processes would be
        # alike.
        first = self._vector.idx_starts
        for k, pipe in enumerate(pipes):
            pipe.send(("reset", (seed + first[k], options)))
        infos = self._vector._receive_info()
        buffers = self._vector.observations_buffers
        return _copied(buffers), infos


def _copied(buffers: Any) -> Any:
    """Copies observations out of the memory that processes share."""
    if isinstance(buffers, dict):
        return {name: _copied(part) for name, part in buffers.items()}
    if isinstance(buffers, tuple):
        return tuple(_copied(part) for part in buffers)
    return buffers.copy()
