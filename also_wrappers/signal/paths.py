"""Reads features by paths into an observation, info, state or action."""

from __future__ import annotations

import re
from typing import Any

from also_wrappers.exceptions import FeatureError

__all__ = ["PathReader", "expand_slice", "parse_path"]

_ROOTS = ("obs", "info", "state", "action")
_STEP = re.compile(
    r"\.(?P<key>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\[(?P<start>-?[0-9]+)(?P<slice>:(?P<stop>[0-9]+))?\]"
    r"|\[(?P<quote>['\"])(?P<quoted>[^'\"\]]+)(?P=quote)\]"
)


class PathReader:
    """Reads one number along a path; can be pickled, as a closure could not.

    Args:
        path: The path.
        default: The number where a path into ``info`` leads to nothing.

    Attributes:
        root: ``obs``, ``info``, ``state`` or ``action``.
        column: The element of a flat observation that the path leads to; ``None`` if
            the path leads elsewhere.
    """

    def __init__(self, path: str, default: float | None = None) -> None:
        self._default = default
        self.root, self._steps = parse_path(path)
        self._field = {"obs": 0, "action": 1, "info": 2, "state": 3}[self.root]
        steps = self._steps
        plain = self.root == "obs" and len(steps) == 1 and isinstance(steps[0], int)
        self.column = int(steps[0]) if plain else None

    def __call__(self, view: Any) -> float:
        """Reads the number at the path from a ``View``."""
        value: Any = view[self._field]
        if value is None and self._field == 1:
            return 0.0  # there is no action before the first state
        try:
            for step in self._steps:
                value = value[step]
        except (KeyError, IndexError):
            if self._default is None:
                raise
            return float(self._default)
        return float(value)

    def batch(self, batch: Any) -> Any:
        """Reads the numbers of arrays that have environments as their first axis."""
        value = batch
        try:
            for place, step in enumerate(self._steps):
                if hasattr(value, "shape"):
                    return value[(slice(None), *self._steps[place:])]
                value = value[step]
        except (KeyError, IndexError):
            if self._default is None:
                raise
            return self._default
        return value


def parse_path(path: str) -> tuple[str, tuple[str | int, ...]]:
    """Splits a path into its root and its steps.

    Returns:
        The root, and the keys and indices that lead on from the root.

    Raises:
        FeatureError: The path has an unknown root, or cannot be understood.

    Example:
        >>> parse_path("obs.goal[0]")
        ('obs', ('goal', 0))
    """
    root = next((root for root in _ROOTS if path.startswith(root)), None)
    if root is None:
        raise FeatureError(
            f"the path {path!r} must begin with one of {', '.join(_ROOTS)}, "
            "as in obs[3] or info.health"
        )
    steps: list[str | int] = []
    position = len(root)
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or match["slice"]:
            raise FeatureError(
                f"the path {path!r} is not understood from character {position}; "
                "write obs[3], obs.key[0] or obs['key'][0]"
            )
        key = match["key"] or match["quoted"]
        steps.append(key if key is not None else int(match["start"]))
        position = match.end()
    return root, tuple(steps)


def expand_slice(path: str) -> list[str]:
    """Expands a path with a slice into one path per element.

    Raises:
        FeatureError: The slice is empty.

    Example:
        >>> expand_slice("obs[3:5]")
        ['obs[3]', 'obs[4]']
    """
    match = re.fullmatch(r"(?P<head>.*)\[(?P<a>[0-9]+):(?P<b>[0-9]+)\]", path)
    if match is None:
        return [path]
    elements = range(int(match["a"]), int(match["b"]))
    if not elements:
        raise FeatureError(
            f"the slice in {path!r} is empty; end it after its begin, as in obs[0:2]"
        )
    return [f"{match['head']}[{element}]" for element in elements]
