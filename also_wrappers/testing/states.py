"""Compares the states of trainings, by the names of their parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["check_same", "differ"]


def differ(
    one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike]
) -> bool:
    """True where any part of two states differs.

    Example:
        >>> differ({"a": np.zeros(2)}, {"a": np.zeros(2)}), differ({"a": 1}, {})
        (False, True)
    """
    return bool(_different(one, other))


def check_same(
    one: Mapping[str, npt.ArrayLike], other: Mapping[str, npt.ArrayLike], what: str
) -> None:
    """Checks that no part of two states differs.

    Args:
        one: A state.
        other: The state that ``one`` should equal.
        what: Whose state is checked, for the error.

    Raises:
        AssertionError: A part differs; the message names the parts that do.
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
