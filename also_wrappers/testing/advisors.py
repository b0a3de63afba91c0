"""Checks what any advisor must pass before a run relies on the advisor."""

from __future__ import annotations

from dataclasses import replace

from also_wrappers.advisors.base import (
    Advisor,
    Situation,
    check_is_advisor,
    tried,
)
from also_wrappers.advisors.llm.grounding import contradiction, unknown_key
from also_wrappers.exceptions import AdvisorError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import ArmOutcome, Played, Rejection
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.shaper import compile_signal

__all__ = ["check_advisor"]

#: Times that experts are asked for; an advisor that names more then would never end.
_ENOUGH = 20


def check_advisor(advisor: Advisor, situation: Situation, k: int = 3) -> None:
    """Checks all answers of an advisor in a whole round.

    The advisor is asked for a diagnosis, for experts until it names no more, for
    candidates, for others in place of these candidates, which are all rejected, and for
    replacements of the others, which are all tried. The advisor may give no usable
    answer (``AdvisorError``), as a model may be gone. An answer must be sound: claims
    that agree with the evidence, at most ``k`` signals that compile, no signal twice
    and none that was tried, and data that survives a ledger.

    Args:
        advisor: The advisor.
        situation: A situation with sufficient evidence and no diagnosis.
        k: The largest number of candidates to ask for.

    Raises:
        AssertionError: An answer is not sound.
        ConfigurationError: The object is no advisor.

    Example:
        >>> from also_wrappers import BlindAdvisor
        >>> from also_wrappers.testing import corridor_situation
        >>> check_advisor(BlindAdvisor(), corridor_situation())
    """
    check_is_advisor(advisor)
    advisor.prepare()
    failure = "none"
    try:
        _play(advisor, situation, k)
    except AdvisorError as error:
        failure = str(error)
    assert failure, "an AdvisorError must say what happened"
    advisor.rest()
    assert isinstance(advisor.exchanges, list), "exchanges must be a list"
    for exchange in advisor.exchanges:
        assert isinstance(exchange, Exchange), f"{exchange!r} is not an Exchange"


def _play(advisor: Advisor, situation: Situation, k: int) -> None:
    """Asks an advisor as a round does, and checks every answer."""
    diagnosis = advisor.diagnose(situation)
    _check_diagnosis(diagnosis, situation)
    now = replace(situation, diagnosis=diagnosis)
    _check_experts(advisor, now)
    first = _proposals(advisor, now, k)
    rejected = [Rejection(proposal=proposal, reason="too slow") for proposal in first]
    now = replace(now, rejected=(*now.rejected, *rejected))
    others = _proposals(advisor, now, k)
    results = [
        ArmOutcome(proposal=proposal, outcome=f"returned {score}", score=float(score))
        for score, proposal in enumerate(others)
    ]
    if results:
        _proposals(advisor, replace(now, results=(*now.results, *results)), k)


def _proposals(advisor: Advisor, situation: Situation, k: int) -> list[Proposal]:
    """Asks for candidates, and returns them once they are checked."""
    proposals = advisor.propose(situation, k)
    assert len(proposals) <= k, f"{len(proposals)} candidates, {k} were asked for"
    ids = [proposal.signal.id for proposal in proposals]
    assert len(set(ids)) == len(ids), "the same signal was proposed twice"
    known = {signal.id for signal in tried(situation)}
    for proposal in proposals:
        signal = proposal.signal
        assert signal.id not in known, f"was tried already: {signal.describe()}"
        compile_signal(signal, situation.features, situation.agents)
        cited = [*proposal.answers]
        cited += [proposal.hypothesis.key] if proposal.hypothesis else []
        for key in cited:
            problem = unknown_key(key, situation.evidence)
            assert not problem, f"{signal.describe()}: {problem}"
        assert Proposal.model_validate_json(proposal.model_dump_json()) == proposal
    return proposals


def _check_experts(advisor: Advisor, now: Situation) -> None:
    """Checks the experts that an advisor names, until it names no more."""
    for _ in range(_ENOUGH):
        proposals = advisor.experts(now)
        if not proposals:
            return
        actions = now.actions
        assert actions is not None, "experts were named where none can be tried"
        ids = [proposal.signal.id for proposal in proposals]
        assert not {signal.id for signal in tried(now)} & set(ids), "tried already"
        assert len(set(ids)) == len(ids), "the same expert was named twice"
        plays = []
        for earned, proposal in enumerate(proposals):
            Advice(proposal.signal, now.features, actions, now.agents)
            played = Played(
                proposal=proposal,
                earned=float(earned),
                error=0.1,
                rate=0.0,
                policy=0.0,
                coverage=0.5,
                distance=0.5,
            )
            assert Played.model_validate_json(played.model_dump_json()) == played
            plays.append(played)
        now = replace(now, played=(*now.played, *plays))
    raise AssertionError(
        f"asked {_ENOUGH} times, the advisor still names experts; experts must return "
        "an empty list in the end"
    )


def _check_diagnosis(diagnosis: Diagnosis, situation: Situation) -> None:
    assert isinstance(diagnosis, Diagnosis), f"{diagnosis!r} is not a Diagnosis"
    stored = diagnosis.model_dump_json()
    assert Diagnosis.model_validate_json(stored) == diagnosis
    for finding in diagnosis.findings:
        for claim in finding.claims:
            problem = contradiction(claim, situation.evidence)
            assert not problem, f"{finding.failure}: {problem}"
