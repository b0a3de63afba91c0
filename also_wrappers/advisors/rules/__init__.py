"""Proposes signals by published heuristics, with ``RuleAdvisor``."""

from also_wrappers.advisors.rules.advisor import RuleAdvisor

__all__ = ["RuleAdvisor"]
