"""Who proposes: rules, language models, chance, recordings."""

from also_wrappers.advisors.base import (
    Advisor,
    Diagnosis,
    Finding,
    Proposal,
    Situation,
)
from also_wrappers.advisors.blind import BlindAdvisor
from also_wrappers.advisors.recorded import RecordedAdvisor
from also_wrappers.advisors.rules import RuleAdvisor

__all__ = [
    "Advisor",
    "BlindAdvisor",
    "Diagnosis",
    "Finding",
    "Proposal",
    "RecordedAdvisor",
    "RuleAdvisor",
    "Situation",
]
