"""Declares an exchange: one request to a language model and the answer."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Exchange"]


@dataclass(frozen=True)
class Exchange:
    """Holds one request to a language model and the answer, for the ledger.

    Attributes:
        role: Role in which the model was asked, such as Critic or Generator.
        prompt: The request.
        answer: The answer, cut to a length.
        model: Name of the model.
        seconds: Wall-clock time of the answer.
        prompt_tokens: Tokens of the request, if the server says.
        answer_tokens: Tokens of the answer, if the server says.
        problem: Why the answer could not be used; empty if it could.
        claims: How many statements the answer makes of the evidence: claims and keys.
        grounded: How many of these statements the evidence bears out.
    """

    role: str
    prompt: str
    answer: str
    model: str
    seconds: float
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    problem: str = ""
    claims: int = 0
    grounded: int = 0
