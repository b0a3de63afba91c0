"""Declares a proposal: a candidate signal with its reasons."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from also_wrappers.proposals.data import Data, Key, named
from also_wrappers.proposals.taxonomy import INTENTS
from also_wrappers.signal.model import Signal

__all__ = ["Expectation", "Proposal"]


class Expectation(Data):
    """Holds which number of the evidence a candidate should move, and which way.

    Attributes:
        key: Key of the number.
        moves: The direction.
    """

    key: Key
    moves: Literal["up", "down"]


class Proposal(Data):
    """Holds a candidate signal with its reasons.

    Attributes:
        signal: The whole signal that would replace the active one.
        intent: The kind of the change; a name in ``INTENTS``.
        rationale: Why the signal should help.
        hypothesis: Which number should move, and which way, if the signal helps.
        answers: Keys of the evidence that the proposal responds to.
    """

    signal: Signal
    intent: Annotated[str, named(INTENTS)] = "new_term"
    rationale: Annotated[str, Field(max_length=1000)] = ""
    hypothesis: Expectation | None = None
    answers: Annotated[tuple[Key, ...], Field(max_length=6)] = ()
