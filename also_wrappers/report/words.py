"""What a run did in words: signals, auditions, decisions, and what came of them."""

from __future__ import annotations

from also_wrappers.ledger.events import Auditioned, Decided, Settled
from also_wrappers.report.standing import Standing, standing_of
from also_wrappers.signal.model import Signal

__all__ = [
    "STANDINGS",
    "clip",
    "decision_in_words",
    "outcome_of",
    "settlement_in_words",
    "signal_lines",
]

#: What each standing of a signal means.
STANDINGS: dict[Standing, str] = {
    "confirmed": "confirmed",
    "provisional": "provisional: in use, not confirmed",
    "exploratory": "exploratory: in use, not confirmed; no base reward spoke for it",
}


def clip(text: str, width: int) -> str:
    """Returns a text, cut where it is longer than a width.

    Example:
        >>> clip("toward goal", 20), clip("toward goal", 8)
        ('toward goal', 'towar...')
    """
    return text if len(text) <= width else f"{text[: width - 3]}..."


def signal_lines(signal: Signal) -> list[str]:
    """Says what a signal adds and advises, in lines.

    Args:
        signal: The signal.

    Returns:
        A line for each term, each rule of the expert and each definition.

    Example:
        >>> from also_wrappers.signal import Expert, Rule
        >>> rules = (Rule(when="near", do="load"), Rule(when="1", do="toward food"))
        >>> signal = Signal(define={"near": "d < 2"}, expert=Expert(rules=rules))
        >>> print("\\n".join(signal_lines(signal)))
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


def settlement_in_words(event: Settled) -> str:
    """Says what became of a provisional signal.

    Args:
        event: How the signal was settled.
    """
    kind = "left open" if event.kind == "open" else event.kind.replace("_", " ")
    line = f"{kind}: {event.reason}{_detail(event)}"
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
