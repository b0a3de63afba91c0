"""Declares, as data, what advisors say and propose, and what became of that."""

from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import (
    ArmOutcome,
    Played,
    Rejection,
    RoundOutcome,
)
from also_wrappers.proposals.proposal import Expectation, Proposal

__all__ = [
    "ArmOutcome",
    "Claim",
    "Diagnosis",
    "Exchange",
    "Expectation",
    "Finding",
    "Played",
    "Proposal",
    "Rejection",
    "RoundOutcome",
]
