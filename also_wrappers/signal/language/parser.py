"""Parses the term language: text into a tree, checked against an allow-list.

An expression is built from feature names, numbers and the operators and functions
in ``GRAMMAR``. The text of an expression may come from a language model that others
can steer, so it is read by the parser below and by nothing else: the tree that comes
out holds operator names of our own table, feature indices and floats, no text.

Every function is total: where an argument is invalid (a division by zero, the root
of a negative number) or is itself ``nan``, the value is ``nan``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal.kinds import STATE_KINDS, TRANSITION_KINDS
from also_wrappers.signal.language.tokens import Token, name_of, tokens

__all__ = ["FUNCTIONS", "GRAMMAR", "REDUCTIONS", "Node", "parse"]

MAX_LENGTH = 1000
MAX_DEPTH = 40
#: The most operations of a tree, so that walks by recursion stay within Python's limit.
MAX_NODES = 250
MAX_CONSTANT = 1e6
MAX_EXPONENT = 8.0

#: Functions of one agent's values, with the number of arguments they take.
FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1),
    "min": (2, 8),
    "max": (2, 8),
    "clip": (3, 3),
    "where": (3, 3),
    "exp": (1, 1),
    "log1p": (1, 1),
    "sqrt": (1, 1),
    "tanh": (1, 1),
    "sign": (1, 1),
    "hypot": (2, 2),
}

#: Functions over the alive agents of the team, or over an agent's alive mates.
REDUCTIONS = (
    "team_mean",
    "team_min",
    "team_max",
    "team_sum",
    "team_std",
    "others_mean",
    "others_min",
    "others_max",
)

_STATE, _TRANSITION = " and ".join(STATE_KINDS), " or ".join(TRANSITION_KINDS)

GRAMMAR = f"""\
numbers and feature names; + - * / and x ** n with a constant n up to 8;
comparisons < <= > >= == != (1.0 if true, else 0.0); and, or, not;
where(condition, a, b), abs(x), min(a, b, ...), max(a, b, ...), clip(x, low, high),
exp(x), log1p(x), sqrt(x), tanh(x), sign(x), hypot(x, y);
over the team's agents: team_mean(x) team_min(x) team_max(x) team_sum(x) team_std(x);
over the other agents: others_mean(x) others_min(x) others_max(x);
in a {_TRANSITION} only: delta(x), the change of x over the step."""

#: Binding power of infix operators; a higher one binds tighter.
_POWER = {"or": 1, "and": 2, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4}
_POWER |= {"+": 5, "-": 5, "*": 6, "/": 6, "**": 8}
_NOT, _SIGN, _COMPARISON = 3, 7, 4


@dataclass(frozen=True, slots=True)
class Node:
    """One node of an expression's tree.

    Attributes:
        op: ``const``, ``feature``, ``neg``, ``delta``, an operator, a function's or
            a reduction's name.
        args: The operands.
        value: The number of a ``const`` node.
        index: The column of a ``feature`` node in a feature row.
        position: Where the node began in the text; equality of nodes ignores this.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: float = 0.0
    index: int = -1
    position: int = field(default=0, compare=False)


_NOTHING: Mapping[str, Node] = {}


def parse(
    text: str,
    features: Sequence[str],
    *,
    allow_delta: bool = False,
    forbidden: Collection[str] = (),
    definitions: Mapping[str, Node] = _NOTHING,
) -> Node:
    """Parses the text of an expression into a tree, and checks the tree.

    Args:
        text: The expression.
        features: Names that may be used; a name's place is its column.
        allow_delta: Whether ``delta(x)`` may be used, as in terms of a transition.
        forbidden: Names among ``features`` that may not be used here, such as those
            read from the action in terms of a state.
        definitions: Checked trees that may be used by name, like features. The
            operations of a tree count each time that it is used.

    Returns:
        The root of the tree.

    Raises:
        ExpressionError: The expression is not valid; the error has the place, the
            reason and what is allowed.
        ConfigurationError: ``text`` is not a text.

    Example:
        >>> parse("1 - distance", ["distance"]).op
        '-'
    """
    if not isinstance(text, str):
        raise ConfigurationError(
            f"an expression is a text such as 'distance < 0.2', not {text!r:.80}; make "
            "what a function computes a feature, and write its name"
        )
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text)} characters, at most {MAX_LENGTH} are "
            "allowed; use fewer operations or split it into several terms",
            text,
            MAX_LENGTH,
        )
    return _Parser(text, features, allow_delta, forbidden, definitions).parse()


class _Parser:
    """Parses a token list by precedence climbing (Pratt 1973), within limits."""

    def __init__(
        self,
        text: str,
        features: Sequence[str],
        allow_delta: bool,
        forbidden: Collection[str],
        definitions: Mapping[str, Node],
    ) -> None:
        self._text = text
        self._columns = {name: column for column, name in enumerate(features)}
        self._allow_delta = allow_delta
        self._forbidden = forbidden
        self._definitions = definitions
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0
        self._nodes = 0
        self._inside: list[str] = []

    def parse(self) -> Node:
        node = self._expression(0)
        token = self._peek()
        if token.kind != "end":
            raise self._error(f"{token.text!r} was not expected here", token)
        return node

    def _expression(self, minimum: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(
                f"the expression is nested more than {MAX_DEPTH} deep; nest less",
                self._peek(),
            )
        left = self._operand()
        while True:
            token = self._peek()
            power = _POWER.get(token.text, 0) if token.kind == "operator" else 0
            if power <= minimum:
                break
            self._advance()
            if token.text == "**":
                left = self._node(
                    "**", (left, self._exponent()), token.position, count=2
                )
                if self._peek().text == "**":
                    raise self._error(
                        "powers cannot be chained; write (x ** 2) ** 3", self._peek()
                    )
                continue
            right = self._expression(power)
            left = self._node(token.text, (left, right), token.position)
            following = self._peek()
            if power == _COMPARISON and _POWER.get(following.text) == _COMPARISON:
                raise self._error(
                    "comparisons cannot be chained; write 'a < b and b < c'", following
                )
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        token = self._advance()
        if token.kind == "number":
            return self._constant(token)
        if token.kind == "name":
            if self._peek().text == "(":
                return self._call(token)
            return self._feature(token)
        if token.text == "(":
            node = self._expression(0)
            self._expect(")")
            return node
        if token.text == "-":
            return self._node("neg", (self._expression(_SIGN),), token.position)
        if token.text == "+":
            return self._expression(_SIGN)
        if token.text == "not":
            return self._node("not", (self._expression(_NOT),), token.position)
        raise self._error(
            "a number, a feature, a function or '(' was expected, not "
            f"{name_of(token)}",
            token,
        )

    def _constant(self, token: Token, exponent: bool = False) -> Node:
        value = float(token.text)
        limit = MAX_EXPONENT if exponent else MAX_CONSTANT
        if not math.isfinite(value) or value > limit:
            raise self._error(
                f"{'an exponent' if exponent else 'a number'} may be at most "
                f"{limit:g} in size",
                token,
            )
        return self._node("const", (), token.position, value=value)

    def _exponent(self) -> Node:
        negative = self._peek().text == "-"
        if negative:
            self._advance()
        token = self._advance()
        if token.kind != "number":
            raise self._error(
                f"an exponent must be a number of at most {MAX_EXPONENT:g} in size, "
                "as in x ** 2",
                token,
            )
        node = self._constant(token, exponent=True)
        if node.value == 0.0:  # even nan ** 0 is 1
            raise self._error("an exponent of 0 makes everything 1; write 1", token)
        if not negative:
            return node
        return Node("const", value=-node.value, position=token.position)

    def _feature(self, token: Token) -> Node:
        if token.text in self._definitions:
            node = self._definitions[token.text]
            self._use(_size(node))
            return node
        column = self._columns.get(token.text)
        if column is None:
            raise self._unknown(token, called=False)
        if token.text in self._forbidden:
            raise self._error(
                f"{token.text!r} is read from the action; {_STATE} terms may use "
                f"features of the state only (a {_TRANSITION} may use it)",
                token,
            )
        return self._node("feature", (), token.position, index=column)

    def _call(self, token: Token) -> Node:
        name = token.text
        if name == "delta":
            if not self._allow_delta:
                raise self._error(
                    f"delta(x) is allowed in {_TRANSITION} terms only; {_STATE} terms "
                    "already pay the change of their expression",
                    token,
                )
            if "delta" in self._inside:
                raise self._error(
                    "delta(x) cannot stand inside delta(x); use it once", token
                )
            low = high = 1
        elif name in REDUCTIONS:
            low = high = 1
        elif name in FUNCTIONS:
            low, high = FUNCTIONS[name]
        else:
            raise self._unknown(token, called=True)
        self._expect("(")
        self._inside.append(name)
        args: list[Node] = []
        while self._peek().text != ")":
            args.append(self._expression(0))
            if self._peek().text != ",":
                break
            self._advance()
        self._expect(")")
        self._inside.pop()
        if not low <= len(args) <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            raise self._error(
                f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, "
                f"not {len(args)}",
                token,
            )
        return self._node(name, tuple(args), token.position)

    def _node(
        self,
        op: str,
        args: tuple[Node, ...],
        position: int,
        *,
        value: float = 0.0,
        index: int = -1,
        count: int = 1,
    ) -> Node:
        self._use(count)
        return Node(op, args, value, index, position)

    def _use(self, count: int) -> None:
        """Counts the operations of an expression, and refuses too many."""
        self._nodes += count
        if self._nodes > MAX_NODES:
            raise ExpressionError(
                f"the expression has more than {MAX_NODES} operations; use fewer",
                self._text,
                0,
            )

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._advance()
        if token.text != text:
            raise self._error(f"{text!r} was expected, not {name_of(token)}", token)

    def _error(self, reason: str, token: Token) -> ExpressionError:
        return ExpressionError(reason, self._text, token.position)

    def _unknown(self, token: Token, *, called: bool) -> ExpressionError:
        functions = [*FUNCTIONS, *REDUCTIONS, "delta"]
        allowed = functions if called else [*self._columns, *self._definitions]
        what = "function" if called else "feature"
        name = token.text[:40]
        if not called and name in functions:
            return self._error(f"the function {name} needs its arguments", token)
        if called and (name in self._columns or name in self._definitions):
            return self._error(f"{name!r} is a feature and cannot be called", token)
        near = difflib.get_close_matches(name, allowed, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"allowed are: {', '.join(allowed)}"
        )
        return self._error(f"there is no {what} {name!r}; {hint}", token)


def _size(node: Node) -> int:
    return 1 + sum(_size(arg) for arg in node.args)
