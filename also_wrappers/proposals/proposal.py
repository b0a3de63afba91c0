"""What a Generator proposes: a signal with its reasons."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from also_wrappers.proposals.data import Data, Key, named
from also_wrappers.proposals.taxonomy import INTENTS
from also_wrappers.signal.model import Signal

__all__ = ["Expectation", "Proposal"]


class Expectation(Data):
    """What should happen to the evidence if a candidate helps as it is meant to."""

    key: Key
    moves: Literal["up", "down"]


class Proposal(Data):
    """A candidate signal with its reasons.

    Attributes:
        signal: The whole signal that would replace the active one.
        intent: What kind of change it is; a name in ``INTENTS``.
        rationale: Why it should help.
        hypothesis: Which number should move, and which way, if it does.
        answers: Keys of the evidence that it responds to.
    """

    signal: Signal
    intent: Annotated[str, named(INTENTS)] = "new_term"
    rationale: Annotated[str, Field(max_length=1000)] = ""
    hypothesis: Expectation | None = None
    answers: Annotated[tuple[Key, ...], Field(max_length=6)] = ()
