"""What a run did in words: signals, auditions, decisions, and what came of them."""

from __future__ import annotations

import math
import re

from also_wrappers.ledger.events import Auditioned, Decided, Settled
from also_wrappers.report.standing import Standing, standing_of
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal, Term

__all__ = [
    "STANDINGS",
    "amount",
    "clip",
    "decision_in_words",
    "effect_in_words",
    "number",
    "outcome_of",
    "settled_as",
    "settlement_in_words",
    "signal_lines",
    "term_in_words",
    "with_error",
]

#: What each standing of a signal means.
STANDINGS: dict[Standing, str] = {
    "confirmed": "confirmed",
    "provisional": "provisional: in use, not confirmed",
    "exploratory": "exploratory: in use, not confirmed; no base reward spoke for it",
}
#: A number, a name or a call of one function, with a factor or without; and numbers of
#: which each falls where the whole rises.
_PART = r"(?:[\d.]+ \* )?\w+(?:\([^()]*\))?"
_FALL = re.compile(rf"-\s*({_PART}(?: - {_PART})*)")


def number(value: float) -> str:
    """Returns a number of evidence as text, a whole one without decimals.

    Example:
        >>> [number(x) for x in (0.0, 2048.0, 0.25)]
        ['0', '2,048', '0.250']
    """
    whole = value.is_integer() and abs(value) < 1e9
    return f"{value:,.0f}" if whole else amount(value)


def amount(number: float) -> str:
    """Returns a base return as text.

    Example:
        >>> [amount(x) for x in (0.5, 0.00012, 12345.678, 1e12)]
        ['0.500', '0.00012', '12,345.7', '1e+12']
    """
    size = abs(number)
    if not math.isfinite(number) or size >= 1e9 or 0.0 < size < 0.0005:
        return f"{number:.3g}"
    return f"{number:,.{3 if size < 100.0 else 1}f}"


def with_error(mean: float, half: float) -> str:
    """Returns a mean and half the width of its interval, with equal digits.

    Example:
        >>> with_error(0.96712, 0.0091), with_error(1234.5, 12.3)
        ('0.967 ± 0.009', '1,234.5 ± 12.3')
    """
    size = max(abs(mean), abs(half))
    if not math.isfinite(size) or size >= 1e9:
        return f"{mean:.3g} ± {half:.3g}"
    digits = 3 if size < 100.0 else 1
    return f"{mean:,.{digits}f} ± {half:,.{digits}f}"


def effect_in_words(event: Decided | Settled) -> str:
    """Says by how much a signal was measured to beat control.

    The interval is that of the rule that compared them: ``z`` is the effect in standard
    errors.

    Args:
        event: The decision or the settlement.

    Returns:
        The effect, with two standard errors where they are known; empty where nothing
        was compared, or no arm saw a base reward.
    """
    if event.effect is None or not (event.effect or event.z):
        return ""
    if not event.z:
        return f"effect {event.effect:+,.3f}, its error unknown"
    return f"effect {event.effect:+,.3f} ± {abs(2.0 * event.effect / event.z):,.3f}"


def term_in_words(term: Term) -> str:
    """Says what a term pays for, in two sentences.

    Args:
        term: The term.

    Example:
        >>> near = Term(name="near", kind="potential", expression="-d", weight=0.5)
        >>> term_in_words(near).partition(". ")[0]
        'Pays 0.5 times each fall of d'
    """
    fall = _FALL.fullmatch(term.expression.strip())
    what = fall[1].replace(" - ", " + ") if fall else term.expression
    size = f"{abs(term.weight):g}"
    kind = KINDS[term.kind]
    if not kind.of_state:
        verb = "Pays" if term.weight >= 0.0 else "Charges"
        says = f"{verb} {size} times the value of {term.expression}"
    else:
        falls = (fall is not None) == (term.weight >= 0.0)
        says = f"Pays {size} times each {'fall' if falls else 'rise'} of {what}"
    whose = f", to {', '.join(term.agents)} alone" if term.agents else ""
    return f"{says}{whose}. {kind.meaning}"


def clip(text: str, width: int) -> str:
    """Returns a text, cut where it is longer than a width.

    Example:
        >>> clip("toward goal", 20), clip("toward goal", 8)
        ('toward goal', 'towar...')
    """
    return text if len(text) <= width else f"{text[: width - 3]}..."


def signal_lines(signal: Signal) -> list[str]:
    r"""Says what a signal adds and advises, in lines.

    Args:
        signal: The signal.

    Returns:
        A line for each term, each rule of the expert and each definition.

    Example:
        >>> from also_wrappers.signal import Expert, Rule
        >>> rules = (Rule(when="near", do="load"), Rule(when="1", do="toward food"))
        >>> signal = Signal(define={"near": "d < 2"}, expert=Expert(rules=rules))
        >>> print("\n".join(signal_lines(signal)))
        an expert of 2 rule(s), of which the first that holds says what is good:
        1. load when near
        2. toward food when 1
        where near = d < 2
    """
    if signal.empty:
        return [signal.describe()]
    lines = [Signal(terms=(term,)).describe() for term in signal.terms]
    if signal.expert is not None:
        rules = signal.expert.rules
        lines.append(
            f"an expert of {len(rules)} rule(s), of which the first that holds says "
            "what is good:"
        )
        lines += [f"{k}. {rule.describe()}" for k, rule in enumerate(rules, start=1)]
    lines += [f"where {name} = {text}" for name, text in signal.define.items()]
    if signal.fade is not None:
        lines.append(f"fading out within {signal.fade:.0%} of the training")
    return lines


def outcome_of(event: Auditioned) -> str:
    """Says what an audition came to.

    Args:
        event: The audition.
    """
    if event.active:
        if event.promised is None:
            return "in use: it does not earn clearly more than the policy any longer"
        return f"in use: its pull ends once the policy earns {event.promised:.3f}"
    if not event.passed:
        return f"refused: {event.refusal}"
    if event.promised is None:
        return "tried: declared conditions held more often than with the policy alone"
    return f"tried: its pull ends once the policy earns {event.promised:.3f}"


def decision_in_words(event: Decided) -> str:
    """Says what a round decided, and why.

    Args:
        event: The decision.
    """
    name = f"{standing_of(event)}, {event.winner}" if event.winner else "no change"
    return f"{name}: {event.reason}{_detail(event)}"


def settled_as(event: Settled) -> str:
    """Says in two words what became of a provisional signal.

    Args:
        event: How the signal was settled.
    """
    return "left open" if event.kind == "open" else event.kind.replace("_", " ")


def settlement_in_words(event: Settled) -> str:
    """Says what became of a provisional signal.

    Args:
        event: How the signal was settled.
    """
    line = f"{settled_as(event)}: {event.reason}{_detail(event)}"
    if event.branches:
        line += f"; {event.branches} branch(es) beside the training"
    if event.kind == "open":
        line += "; the signal stays, not confirmed"
    if event.lost_steps > 0:
        line += f"; the weights go back by {event.lost_steps:,} steps"
    return line


def _detail(event: Decided | Settled) -> str:
    """Returns effect, z and pairs in brackets; empty where nothing was compared."""
    if event.effect is None:
        return ""
    detail = f" (effect {event.effect:+.3f}"
    if event.z is not None:
        detail += f", z {event.z:.2f}"
        if event.critical is not None:
            detail += f" against {event.critical:g}"
    return detail + (f", {event.pairs} pair(s))" if event.pairs else ")")
