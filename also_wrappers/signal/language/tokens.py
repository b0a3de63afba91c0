"""Cuts the text of an expression into tokens, which are words and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from also_wrappers.exceptions import ExpressionError

__all__ = ["Token", "name_of", "tokens"]

_KEYWORDS = ("and", "or", "not")
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|[-+*/<>(),])"
)


@dataclass(frozen=True, slots=True)
class Token:
    """Holds one word or sign of an expression, and where in the text it begins."""

    kind: str
    text: str
    position: int


def name_of(token: Token) -> str:
    """Returns how an error names a token."""
    return repr(token.text) if token.text else "the end"


def tokens(text: str) -> list[Token]:
    """Cuts an expression into tokens, the last of which has the kind ``end``.

    Raises:
        ExpressionError: A character is not part of the language.
    """
    cut = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            character = text[position]
            hint = {
                "=": "; comparisons are written == <= >=, and nothing is assigned",
                "^": "; powers are written **",
                "&": "; write 'and'",
                "|": "; write 'or'",
                ".": "; there are no attributes",
                "[": "; there are no subscripts, use the names of features",
            }.get(character, "")
            raise ExpressionError(
                f"the character {character!a} is not part of the language{hint}",
                text,
                position,
            )
        kind = match.lastgroup or ""
        if kind == "name" and match.group() in _KEYWORDS:
            kind = "operator"
        if kind != "space":
            cut.append(Token(kind, match.group(), position))
        position = match.end()
    cut.append(Token("end", "", len(text)))
    return cut
