"""Compares the states of trainings, by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["check_same", "differ"]


def differ(
    one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike]
) -> bool:
    """Returns whether anything of two states differs.

    Example:
        >>> differ({"a": np.zeros(2)}, {"a": np.zeros(2)}), differ({"a": 1}, {})
        (False, True)
    """
    return bool(_different(one, other))


def check_same(
    one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike], what: str
) -> None:
    """Checks that nothing of two states differs.

    Args:
        one: A state.
        other: The state that it should be.
        what: Whose state it is.

    Raises:
        AssertionError: What differs.
    """
    names = _different(one, other)
    assert not names, f"{what} differs in {', '.join(names[:5])}"


def _different(
    one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike]
) -> list[str]:
    names = sorted(set(one) | set(other))
    return [
        name
        for name in names
        if name not in one
        or name not in other
        or not np.array_equal(np.asarray(one[name]), np.asarray(other[name]))
    ]
