"""Writes signals as HTML tables, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from also_wrappers.signal.model import Rule, Signal, Term

__all__ = ["signal_html", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns an HTML table; every text is escaped.

    Example:
        >>> table(["a"], [["<b>"]])
        '<table><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    lines = ["".join(f"<th>{escape(name)}</th>" for name in head)]
    lines += ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def signal_html(signal: Signal) -> str:
    """Returns HTML tables of a signal's terms, rules and definitions."""
    if signal.empty:
        return f"<p>Signal: {escape(signal.describe())}</p>"
    parts = [f"<p>Signal {signal.id}</p>"]
    if signal.terms:
        terms = [
            (term.name, f"{term.weight:g}", term.kind, term.expression, _whose(term))
            for term in signal.terms
        ]
        parts.append(table(["term", "weight", "kind", "expression", "agents"], terms))
    if signal.expert is not None:
        rules = [(rule.do, rule.when, _whose(rule)) for rule in signal.expert.rules]
        parts.append(table(["do", "when", "agents"], rules))
    if signal.define:
        parts.append(table(["name", "stands for"], signal.define.items()))
    if signal.fade is not None:
        parts.append(f"<p>fading out within {signal.fade:.0%} of the training</p>")
    return "".join(parts)


def _whose(part: Term | Rule) -> str:
    return "all" if part.agents is None else ", ".join(part.agents)
