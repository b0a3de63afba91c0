"""Compares the claims of an answer with the evidence."""

from __future__ import annotations

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.meanings import pattern_of
from also_wrappers.evidence.numbers import MEANINGS
from also_wrappers.proposals.diagnosis import Claim

__all__ = ["contradiction", "unknown_key"]

_UNIT_INTERVAL = ("share", "0 to 1", "0 or 1")
#: A claim may call a number zero that is less than this share of its scale.
_ZERO = 0.05


def unknown_key(key: str, evidence: Evidence) -> str:
    """Returns what is wrong with a key; empty if the evidence has the key."""
    if key in evidence.values:
        return ""
    if key in evidence.unavailable:
        return f"{key} is unavailable: {evidence.unavailable[key]}"
    known = pattern_of(key[:120])
    hint = ""
    if known in MEANINGS:
        alike = [k for k in evidence.values if pattern_of(k) == known][:2]
        hint = f"; there is {' and '.join(alike)}" if alike else ""
    return f"the evidence has no key {key[:120]!r}{hint}"


def contradiction(claim: Claim, evidence: Evidence) -> str:
    """Returns how the evidence contradicts a claim; empty if it does not.

    Only numbers with a scale can be low or high: shares, and values of a feature within
    its measured range. For other numbers, low and high cannot be checked, and a claim
    that cannot be checked counts as contradicted.

    Args:
        claim: The claim.
        evidence: The evidence that the claim is about.

    Example:
        >>> evidence = Evidence(values={"team.reward_rate": 0.02})
        >>> contradiction(Claim(key="team.reward_rate", reads="high"), evidence)
        'team.reward_rate is 0.02, which is not high (the middle is 0.5)'
        >>> contradiction(Claim(key="team.reward_rate", reads="low"), evidence)
        ''
    """
    problem = unknown_key(claim.key, evidence)
    if problem:
        return problem
    value = evidence.values[claim.key]
    number = f"{claim.key} is {value:.3g}"
    if claim.reads in ("above", "below"):
        return _compared(claim, value, evidence)
    if claim.reads in ("negative", "positive"):
        right = value < 0.0 if claim.reads == "negative" else value > 0.0
        return "" if right else f"{number}, which is not {claim.reads}"
    scale = _scale(claim.key, evidence)
    if claim.reads == "zero":
        size = scale[1] - scale[0] if scale else 1.0
        return "" if abs(value) <= _ZERO * size else f"{number}, which is not zero"
    if scale is None:
        return (
            f"{number}, and nothing tells whether that is {claim.reads}; say positive, "
            "negative, zero, or above or below another key or a number"
        )
    middle = (scale[0] + scale[1]) / 2.0
    right = value <= middle if claim.reads == "low" else value >= middle
    if right:
        return ""
    return f"{number}, which is not {claim.reads} (the middle is {middle:.3g})"


def _compared(claim: Claim, value: float, evidence: Evidence) -> str:
    other = evidence.values.get(claim.than)
    if other is None:
        try:
            other = float(claim.than)
        except ValueError:
            return (
                f"{claim.key} is said to be {claim.reads} {claim.than[:120]!r}, which "
                "is neither a key of the evidence nor a number"
            )
    right = value > other if claim.reads == "above" else value < other
    if right:
        return ""
    than = (
        f"{claim.than} ({other:.3g})" if claim.than in evidence.values else claim.than
    )
    return f"{claim.key} is {value:.3g}, which is not {claim.reads} {than[:140]}"


def _scale(key: str, evidence: Evidence) -> tuple[float, float] | None:
    """Returns the ends of a number's scale; ``None`` where the number has no scale."""
    meaning = MEANINGS.get(pattern_of(key))
    if meaning is None:
        return None
    if meaning.unit in _UNIT_INTERVAL:
        return 0.0, 1.0
    if meaning.unit == "-1 to 1":
        return -1.0, 1.0
    head, _, last = key.rpartition(".")
    low = evidence.values.get(f"{head}.min")
    high = evidence.values.get(f"{head}.max")
    within = last in ("mean", "start", "end", "lowest", "highest")
    if meaning.unit == "feature" and within and low is not None and high is not None:
        return low, high
    return None
