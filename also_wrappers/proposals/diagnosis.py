"""Declares a diagnosis: what goes wrong, and the claims that show it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from also_wrappers.evidence.stage import Stage
from also_wrappers.proposals.data import Data, Key, named
from also_wrappers.proposals.taxonomy import FAILURES

__all__ = ["Claim", "Diagnosis", "Finding"]


class Claim(Data):
    """States the value of one number of the evidence, in words that can be checked.

    Attributes:
        key: Key of the number.
        reads: Word that says how the number reads, such as ``above`` or ``below``.
        than: Another key, or a number, for ``above`` and ``below``; else empty.
    """

    key: Key
    reads: Literal["low", "high", "negative", "positive", "zero", "above", "below"]
    than: Key = ""


class Finding(Data):
    """Names one failure, and the claims that show the failure.

    Attributes:
        failure: A name in ``FAILURES``.
        severity: How much the failure matters.
        confidence: How sure the Critic is.
        claims: The claims that the finding rests on.
        argument: Why the claims show the failure, in a sentence.
    """

    failure: Annotated[str, named(FAILURES)]
    severity: Literal["minor", "moderate", "severe"]
    confidence: Literal["low", "medium", "high"] = "medium"
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()
    argument: Annotated[str, Field(max_length=600)] = ""


class Diagnosis(Data):
    """Holds what an advisor finds wrong in a window, and what it wants to try next.

    Attributes:
        stage: The learning stage as the Critic reads it; it may differ from the
            measured one.
        findings: The failures, worst first.
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
