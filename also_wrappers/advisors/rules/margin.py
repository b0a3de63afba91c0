"""Computes margins: how far a condition is from changing, as an expression.

A margin is the robustness degree of temporal logic (Fainekos & Pappas 2009), which
makes a reward of a yes-or-no condition (Aksaray et al. 2016): positive where the
condition holds, negative where it does not, and larger the further the condition is
from changing.
"""

from __future__ import annotations

from collections.abc import Sequence

from also_wrappers.signal.language.parser import FUNCTIONS, REDUCTIONS, Node, parse

__all__ = ["margin"]

_JOINED = {"and": "min", "or": "max", "team_min": "team_min", "team_max": "team_max"}


def margin(condition: str, features: Sequence[str]) -> str | None:
    """Turns a condition into an expression for the margin by which it holds.

    Args:
        condition: An expression that is true or false.
        features: Names of the features.

    Returns:
        The expression; ``None`` where the condition is not made of comparisons.

    Example:
        >>> margin("team_max(distance) < 0.2 and speed > 1", ["distance", "speed"])
        'min((0.2 - team_max(distance)), (speed - 1))'
    """
    return _margin(parse(condition, features), features)


def _margin(node: Node, features: Sequence[str]) -> str | None:
    if node.op in ("<", "<=", ">", ">=", "==", "!="):
        one, other = (_text(arg, features) for arg in node.args)
        if node.op in ("<", "<="):
            return f"({other} - {one})"
        if node.op in (">", ">="):
            return f"({one} - {other})"
        return f"{'-' if node.op == '==' else ''}abs({one} - {other})"
    inner = [_margin(arg, features) for arg in node.args]
    if node.op == "not" and inner[0] is not None:
        return f"(-{inner[0]})"
    if node.op in _JOINED and None not in inner:
        return f"{_JOINED[node.op]}({', '.join(part or '' for part in inner)})"
    return None


def _text(node: Node, features: Sequence[str]) -> str:
    if node.op == "const":
        return f"{node.value:g}"
    if node.op == "feature":
        return features[node.index]
    args = [_text(arg, features) for arg in node.args]
    if node.op == "neg":
        return f"(-{args[0]})"
    if node.op == "not":
        return f"(not {args[0]})"
    if node.op in (*FUNCTIONS, *REDUCTIONS, "delta"):
        return f"{node.op}({', '.join(args)})"
    return f"({f' {node.op} '.join(args)})"
