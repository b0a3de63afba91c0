"""A double for language models."""

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
        """Always ready."""

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """The next answer."""
        self.requests.append((system, prompt))
        answer = next(self._answers, None)
        if answer is None:
            raise AdvisorError("the script is over")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(answer, 0.0)

    def rest(self) -> None:
        """Nothing to free."""
