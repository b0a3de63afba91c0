"""Asks a language model with ``LLMAdvisor``, in the roles of Critic and Generator."""

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.ceiling import Ceiling

__all__ = ["Ceiling", "LLMAdvisor"]
