"""Signals and auditions in words, a line for each term, rule and definition."""

from __future__ import annotations

from also_wrappers.ledger.events import Auditioned
from also_wrappers.signal.model import Signal

__all__ = ["clip", "outcome_of", "signal_lines"]


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
