"""Proposes variations of a signal: changes that may make the signal better."""

from __future__ import annotations

from also_wrappers.evidence.document import Evidence
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.model import Signal

__all__ = ["bounded", "faded", "variations"]

#: Share of the planned training in which a signal that has done its work fades.
_FADE = 0.2


def variations(signal: Signal, evidence: Evidence) -> list[Proposal]:
    """Proposes every change of a signal that may help, the most pressing first.

    A hacked signal loses its worst term, and a flooding signal half of its strength. An
    unbalanced signal gets weights with which its terms pay alike. A signal that has
    done its work fades.

    Args:
        signal: The signal, with at least one term.
        evidence: The evidence of the window in which the signal was active.
    """
    values = evidence.values
    factors = (0.5, 0.25) if values.get("signal.flooding", 0.0) > 1.0 else (2.0, 0.5)
    strict = signal.with_terms(
        tuple(
            term.model_copy(update={"kind": "potential"})
            if KINDS[term.kind].of_state
            else term
            for term in signal.terms
        )
    )
    correlation = {
        term.name: values.get(f"term.{term.name}.correlation", 0.0)
        for term in signal.terms
    }
    worst = min(correlation, key=lambda name: correlation[name])
    less = Proposal(
        signal=signal.with_terms(tuple(t for t in signal.terms if t.name != worst)),
        intent="remove",
        rationale=f"{worst} goes least with the base return",
        hypothesis=Expectation(key="team.base_return.mean", moves="up"),
        answers=(f"term.{worst}.correlation",),
    )
    hacked = values.get("signal.hacking", 0.0) > 0.5 or correlation[worst] < -0.1
    return [
        *([less] if hacked else []),
        *(
            Proposal(
                signal=_scaled(signal, dict.fromkeys(correlation, factor)),
                intent="reweight",
                rationale=f"{factor:g} times as much guidance",
            )
            for factor in factors[:1]
        ),
        Proposal(
            signal=strict,
            intent="change_kind",
            rationale="the same guidance in the form that keeps the optimal policy",
        ),
        Proposal(
            signal=_scaled(signal, dict.fromkeys(correlation, factors[1])),
            intent="reweight",
            rationale=f"{factors[1]:g} times as much guidance",
        ),
        *_balanced(signal, values),
        *faded(signal),
        *([] if hacked else [less]),
        Proposal(
            signal=Signal(),
            intent="remove",
            rationale="what was learned may no longer need guidance",
        ),
    ]


def faded(signal: Signal) -> list[Proposal]:
    """Proposes the same signal, fading out while training goes on."""
    return [
        Proposal(
            signal=signal.model_copy(update={"fade": _FADE}),
            intent="schedule",
            rationale="what was learned should hold without guidance",
            hypothesis=Expectation(key="team.base_return.mean", moves="up"),
        )
    ]


def _balanced(signal: Signal, values: dict[str, float]) -> list[Proposal]:
    """Proposes weights with which all terms pay alike."""
    shares = {
        term.name: values.get(f"term.{term.name}.share", 0.0) for term in signal.terms
    }
    if len(shares) < 2 or min(shares.values()) <= 0.0:
        return []
    even = 1.0 / len(shares)
    return [
        Proposal(
            signal=_scaled(
                signal, {name: even / share for name, share in shares.items()}
            ),
            intent="reweight",
            rationale="let all terms pay alike",
            answers=tuple(f"term.{name}.share" for name in shares)[:6],
        )
    ]


def _scaled(signal: Signal, factors: dict[str, float]) -> Signal:
    return signal.with_terms(
        tuple(
            term.model_copy(
                update={"weight": bounded(term.weight * factors[term.name])}
            )
            for term in signal.terms
        )
    )


def bounded(weight: float) -> float:
    """Clips a weight to the range that a term may have, and rounds it to 3 digits."""
    return float(f"{max(min(weight, 100.0), -100.0):.3g}")
