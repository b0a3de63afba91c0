"""Who proposes: rules, language models, chance, recordings."""

from also_wrappers.advisors.base import Advisor, Situation, check_is_advisor, tried
from also_wrappers.advisors.blind import BlindAdvisor
from also_wrappers.advisors.recorded import RecordedAdvisor
from also_wrappers.advisors.rules.advisor import RuleAdvisor
from also_wrappers.proposals.diagnosis import Diagnosis, Finding
from also_wrappers.proposals.proposal import Proposal

__all__ = [
    "Advisor",
    "BlindAdvisor",
    "Diagnosis",
    "Finding",
    "Proposal",
    "RecordedAdvisor",
    "RuleAdvisor",
    "Situation",
    "check_is_advisor",
    "tried",
]
