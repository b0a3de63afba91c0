"""``LLMAdvisor``: a Critic and a Generator over a language model."""

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.ceiling import Ceiling

__all__ = ["Ceiling", "LLMAdvisor"]
