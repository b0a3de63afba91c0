"""Defines what an advisor needs of a language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from also_wrappers.exceptions import AdvisorError, ModelUnavailableError

__all__ = [
    "ChatModel",
    "Listening",
    "Reply",
    "check_allowed",
    "forbid_model_requests",
    "tokens_of",
]

#: The most characters of an answer; a longer answer is an error.
_LONGEST = 200_000

_allowed = ContextVar("model_requests_allowed", default=True)


@contextmanager
def forbid_model_requests() -> Iterator[None]:
    """Makes every request to a real language model an error, for tests.

    Doubles such as ``ScriptedModel`` go on answering.

    Example:
        >>> from also_wrappers import Ollama
        >>> with forbid_model_requests():
        ...     try:
        ...         Ollama("qwen3:8b").prepare()
        ...     except ModelUnavailableError as error:
        ...         print(error)
        requests to language models are forbidden here, and qwen3:8b was asked
    """
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


def check_allowed(model: str) -> None:
    """Checks that requests to real language models are allowed here.

    Args:
        model: Name of the model, for the error.

    Raises:
        ModelUnavailableError: Requests are forbidden.
    """
    if not _allowed.get():
        raise ModelUnavailableError(
            f"requests to language models are forbidden here, and {model} was asked"
        )


def tokens_of(text: str) -> int:
    """Estimates the number of tokens of a text, as a third of its characters.

    For the numbers and names in prompts, a third is on the safe side.

    Example:
        >>> tokens_of("team.episodes = 40")
        6
    """
    return -(-len(text) // 3)


@dataclass(frozen=True)
class Reply:
    """Holds one answer of a language model.

    Attributes:
        text: The answer itself, without thinking.
        seconds: Wall-clock seconds of the answer.
        prompt_tokens: Tokens of the prompt, if the server says.
        answer_tokens: Tokens of the answer, if the server says.
        problem: Why the answer cannot be used, in words; empty if it can be used.
    """

    text: str
    seconds: float
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    problem: str = ""


class Listening:
    """Bounds the length of an answer that arrives piece by piece.

    Args:
        name: Name of the model.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._length = 0

    def hear(self, piece: str) -> str:
        """Counts the characters of one piece, and returns the piece.

        Raises:
            AdvisorError: The answer is too long.
        """
        self._length += len(piece)
        if self._length > _LONGEST:
            raise AdvisorError(
                f"{self._name} did not come to an end within {_LONGEST:,} characters"
            )
        return piece


class ChatModel(Protocol):
    """Answers single requests in JSON, as a language model behind any server."""

    @property
    def name(self) -> str:
        """The name of the model, for the record."""

    def prepare(self) -> None:
        """Checks that the model can be reached.

        Raises:
            ModelUnavailableError: The model cannot be reached.
        """

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Answers one request in JSON.

        Args:
            system: The system text: the role of the model.
            prompt: The request.
            schema: JSON schema that the answer should follow.

        Returns:
            The answer, with a ``problem`` where the answer is not whole.

        Raises:
            AdvisorError: The model gave no answer.
        """

    def rest(self) -> None:
        """Frees the model's memory where that is wanted, as no request comes soon."""
