"""Who proposes in the demo."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rich.console import Console

from also_wrappers.exceptions import ConfigurationError

if TYPE_CHECKING:
    from also_wrappers.advisors.base import Advisor
    from also_wrappers.cli.demo import DemoSettings

__all__ = ["Who", "check_who", "make_advisor"]


class Who(StrEnum):
    """Names who proposes in the demo."""

    rules = "rules"
    blind = "blind"
    recorded = "recorded"
    model = "model"


def check_who(advisor: Who, model: str | None) -> Who:
    """Says who proposes; a model that is named does.

    Args:
        advisor: The option ``--advisor``.
        model: The option ``--model``, if it was given.

    Raises:
        ConfigurationError: A model was named and another advisor as well, or none was.
    """
    if model is not None and advisor in (Who.rules, Who.model):
        return Who.model
    if model is not None:
        raise ConfigurationError(
            f"--advisor {advisor} asks no model; leave --model {model} out, or "
            "--advisor"
        )
    if advisor == Who.model:
        raise ConfigurationError(
            "--advisor model needs the name of one, as in --model qwen3:8b"
        )
    return advisor


def make_advisor(settings: DemoSettings, timeout: float, console: Console) -> Advisor:
    """Makes the advisor of the demo, and says who that is.

    Args:
        settings: What the demo was begun with.
        timeout: Seconds for one answer of a model.
        console: Where to say it.
    """
    if settings.model is not None:
        from also_wrappers.advisors.llm.advisor import LLMAdvisor
        from also_wrappers.advisors.llm.models.ollama import Ollama

        return LLMAdvisor(Ollama(settings.model, timeout=timeout))
    if settings.advisor == Who.recorded:
        from also_wrappers.advisors.recorded import RecordedAdvisor
        from also_wrappers.cli.foraging import recorded_expert
        from also_wrappers.proposals.proposal import Proposal

        expert = recorded_expert(settings.env_id)
        console.print(
            "A recorded expert is proposed, by a large language model that knew the "
            "vocabulary and had seen no episode.",
            highlight=False,
            soft_wrap=True,
        )
        return RecordedAdvisor([[Proposal(signal=expert, intent="expert")]])
    if settings.advisor == Who.blind:
        from also_wrappers.advisors.blind import BlindAdvisor

        return BlindAdvisor(settings.seed)
    from also_wrappers.advisors.rules.advisor import RuleAdvisor

    console.print(
        "No model was named, so built-in rules propose. To let a language model "
        "propose: start Ollama and give --model NAME, such as --model qwen3:8b",
        highlight=False,
        soft_wrap=True,
    )
    return RuleAdvisor()
