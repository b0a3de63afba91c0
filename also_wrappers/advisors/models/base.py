"""What an advisor needs of a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["ChatModel", "Reply"]


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: The answer itself, without thinking.
        seconds: Wall-clock time.
        prompt_tokens: Tokens of the prompt, if the server says.
        answer_tokens: Tokens of the answer, if the server says.
        problem: Why the answer cannot be whole, in words; empty if it is.
    """

    text: str
    seconds: float
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    problem: str = ""


class ChatModel(Protocol):
    """A language model that answers one request in JSON."""

    @property
    def name(self) -> str:
        """The model's name, for the record."""

    def prepare(self) -> None:
        """Checks that the model can be reached.

        Raises:
            ModelUnavailableError: It cannot; with what to do.
        """

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Answers one request.

        Args:
            system: The role.
            prompt: The request.
            schema: JSON schema that the answer should follow.

        Raises:
            AdvisorError: The model gave no answer.
        """
