"""What a Critic makes of the evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from also_wrappers.evidence.stage import Stage
from also_wrappers.proposals.data import Data, Key, named
from also_wrappers.proposals.taxonomy import FAILURES

__all__ = ["Claim", "Diagnosis", "Finding"]


class Claim(Data):
    """A key of the evidence and what it is said to show.

    Attributes:
        key: Of the evidence.
        reads: What the number is said to be.
        than: For ``above`` and ``below``: another key, or a number.
    """

    key: Key
    reads: Literal["low", "high", "negative", "positive", "zero", "above", "below"]
    than: Key = ""


class Finding(Data):
    """One thing that goes wrong, and the evidence for it.

    Attributes:
        failure: A name in ``FAILURES``.
        severity: How much it matters.
        confidence: How sure the Critic is.
        claims: What it rests on.
        argument: Why.
    """

    failure: Annotated[str, named(FAILURES)]
    severity: Literal["minor", "moderate", "severe"]
    confidence: Literal["low", "medium", "high"] = "medium"
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()
    argument: Annotated[str, Field(max_length=600)] = ""


class Diagnosis(Data):
    """What a Critic makes of the evidence.

    Attributes:
        stage: The learning stage as the Critic reads it; it may differ from the
            measured one.
        findings: What goes wrong, worst first.
        advice: What to try next.
        keep: What to leave alone.
        probes: Expressions to record as conditions in the next window, by name.
        insufficient: Whether the evidence is not enough to say anything.
    """

    stage: Stage | None = None
    findings: Annotated[tuple[Finding, ...], Field(max_length=5)] = ()
    advice: Annotated[str, Field(max_length=800)] = ""
    keep: Annotated[str, Field(max_length=400)] = ""
    probes: dict[str, str] = {}
    insufficient: bool = False
