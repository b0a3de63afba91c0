"""Stands in for language models in tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from also_wrappers.advisors.llm.models.base import Reply
from also_wrappers.exceptions import AdvisorError

__all__ = ["ScriptedModel"]


class ScriptedModel:
    """Answers from a list, in order; an exception in the list is raised.

    Args:
        answers: Texts, replies or exceptions.

    Attributes:
        requests: System text and prompt of every request so far.

    Example:
        >>> model = ScriptedModel(["{}"])
        >>> model.chat("You are brief.", "Say nothing.", {}).text
        '{}'
        >>> model.requests
        [('You are brief.', 'Say nothing.')]
    """

    name = "scripted"

    def __init__(self, answers: Iterable[str | Reply | Exception]) -> None:
        self.requests: list[tuple[str, str]] = []
        self._answers = iter(answers)

    def prepare(self) -> None:
        """Does nothing, as the list is always there."""

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Returns the next answer of the list.

        Raises:
            AdvisorError: The list has no more answers.
        """
        self.requests.append((system, prompt))
        answer = next(self._answers, None)
        if answer is None:
            raise AdvisorError("the script is over; give ScriptedModel more answers")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(answer, 0.0)

    def rest(self) -> None:
        """Does nothing, as there is no memory to free."""
