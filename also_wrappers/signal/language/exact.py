"""Computes functions over arrays with results that round as for single numbers.

Numpy computes these functions by other algorithms, whose last digit differs. All other
operators of numpy round as Python's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from also_wrappers.signal.language.parser import REDUCTIONS
from also_wrappers.signal.language.scalars import CODE, REDUCE, SCOPE

__all__ = ["exact_functions"]

_ARGUMENTS = {"exp": "x", "log1p": "x", "tanh": "x", "hypot": "x, y", "**": "x, y"}


def exact_functions(agents: int) -> dict[str, Callable[..., Any]]:
    """Returns functions and reductions to use in place of numpy's, by operator.

    Arguments are numbers and arrays whose shapes broadcast to ``(agents,
    environments)``, or to ``(environments,)`` where nothing is reduced. A reduction
    returns shape ``(environments,)``, or one number per agent as well.

    Args:
        agents: The number of agents of each team.
    """
    return {
        **{op: _each(op, names) for op, names in _ARGUMENTS.items()},
        **{op: _over_team(op, agents) for op in REDUCTIONS},
    }


def _each(op: str, names: str) -> Callable[..., Any]:
    """Returns a function that applies a function of single numbers to every element."""
    code = CODE[op].format(*names.split(", "))
    # The code is of our own table, without text of a proposal.
    function = eval(f"lambda {names}: {code}", dict(SCOPE))  # noqa: S307

    def apply(*args: Any) -> Any:
        arrays = np.broadcast_arrays(*args)
        numbers = map(function, *[array.ravel().tolist() for array in arrays])
        flat = np.fromiter(numbers, dtype=np.float64, count=arrays[0].size)
        return flat.reshape(arrays[0].shape)

    return apply


def _over_team(op: str, agents: int) -> Callable[[Any], Any]:
    """Returns a reduction over the agents of every environment's team."""
    scope, name = op.split("_")
    function = REDUCE[name]

    def teams(values: Any) -> list[list[float]]:
        shape = np.broadcast_shapes(np.shape(values), (agents, 1))
        every: list[list[float]] = np.broadcast_to(values, shape).T.tolist()
        return every

    def team(values: Any) -> Any:
        return np.array([function(members) for members in teams(values)])

    def others(values: Any) -> Any:
        mates = [
            [function(members[:j] + members[j + 1 :]) for j in range(agents)]
            for members in teams(values)
        ]
        return np.array(mates).T

    return team if scope == "team" else others
