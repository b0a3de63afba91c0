"""``RuleAdvisor``: proposals by heuristics, without a model."""

from also_wrappers.advisors.rules.advisor import RuleAdvisor

__all__ = ["RuleAdvisor"]
