"""Bounds how much a run may ask of a language model."""

from __future__ import annotations

from dataclasses import dataclass, field

from also_wrappers.advisors.llm.models.base import Reply
from also_wrappers.exceptions import AdvisorError, ConfigurationError

__all__ = ["Ceiling"]


@dataclass
class Ceiling:
    """Bounds the calls, tokens and seconds that a run spends on a language model.

    A round that reaches a bound goes without the model, and training goes on. A resumed
    run counts from 0.

    Attributes:
        calls: Number of requests, requests to repair an answer included.
        tokens: Tokens of prompts and answers, as far as the server counts them.
        seconds: Wall-clock seconds of the answers.

    Raises:
        ConfigurationError: A bound is not positive.

    Example:
        >>> ceiling = Ceiling(calls=1)
        >>> ceiling.check()
        >>> ceiling.add(Reply("{}", seconds=2.0))
        >>> try:
        ...     ceiling.check()
        ... except AdvisorError as error:
        ...     print(str(error).partition(";")[0])
        the run's ceiling of 1 model calls is reached
    """

    calls: int = 500
    tokens: int = 2_000_000
    seconds: float = 4 * 3600.0
    _spent: dict[str, float] = field(
        default_factory=lambda: {"calls": 0, "tokens": 0, "seconds": 0.0}, repr=False
    )

    def __post_init__(self) -> None:
        for name in self._spent:
            if not getattr(self, name) > 0:
                raise ConfigurationError(
                    f"a ceiling of {getattr(self, name)} {name} leaves no room for a "
                    "single call; leave the model out instead"
                )

    def check(self) -> None:
        """Checks that one more request is allowed.

        Raises:
            AdvisorError: A bound is reached.
        """
        for name, spent in self._spent.items():
            bound = getattr(self, name)
            if spent >= bound:
                raise AdvisorError(
                    f"the run's ceiling of {bound:g} model {name} is reached; a higher "
                    f"one is given as LLMAdvisor(ceiling=Ceiling({name}=...))"
                )

    def add(self, reply: Reply) -> None:
        """Counts one answer, its tokens and its seconds."""
        tokens = (reply.prompt_tokens or 0) + (reply.answer_tokens or 0)
        for name, amount in (
            ("calls", 1),
            ("tokens", tokens),
            ("seconds", reply.seconds),
        ):
            self._spent[name] += amount
