"""What any advisor must pass."""

from __future__ import annotations

from dataclasses import replace

from also_wrappers.advisors.base import Advisor, Exchange, Situation, tried
from also_wrappers.advisors.llm.grounding import contradiction, unknown_key
from also_wrappers.exceptions import AdvisorError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.shaper import compile_signal

__all__ = ["check_advisor"]


def check_advisor(advisor: Advisor, situation: Situation, k: int = 3) -> None:
    """Takes an advisor through a whole round.

    It may give no usable answer (``AdvisorError``), as a model may be gone. What it
    does answer must be sound: claims that agree with the evidence, at most ``k``
    signals that compile, no signal twice and none that was tried, and data that
    survives a ledger.

    Args:
        advisor: The advisor.
        situation: With evidence that is sufficient.
        k: How many candidates to ask for.

    Raises:
        AssertionError: What it does wrong.

    Example:
        >>> from also_wrappers import BlindAdvisor
        >>> from also_wrappers.testing import corridor_situation
        >>> check_advisor(BlindAdvisor(), corridor_situation())
    """
    advisor.prepare()
    failed: AdvisorError | None = None
    try:
        diagnosis = advisor.diagnose(situation)
        _check_diagnosis(diagnosis, situation)
        first = advisor.propose(situation, diagnosis, k)
        _check_proposals(first, situation, k)
        rejected = [Rejection(signal=p.signal, reason="too slow") for p in first]
        told = replace(situation, rejected=(*situation.rejected, *rejected))
        again = advisor.propose(told, diagnosis, k)
        _check_proposals(again, told, k)
        results = [
            ArmOutcome(
                signal=proposal.signal, outcome=f"returned {score}", score=float(score)
            )
            for score, proposal in enumerate(again)
        ]
        known = replace(
            told,
            rejected=(
                *told.rejected,
                *(Rejection(signal=p.signal, reason="trained") for p in again),
            ),
        )
        _check_proposals(advisor.refine(known, diagnosis, results, k), known, k)
    except AdvisorError as error:
        failed = error
    assert failed is None or str(failed), "an AdvisorError must say what happened"
    advisor.rest()
    assert isinstance(advisor.exchanges, list), "exchanges must be a list"
    for exchange in advisor.exchanges:
        assert isinstance(exchange, Exchange), f"{exchange!r} is not an Exchange"


def _check_diagnosis(diagnosis: Diagnosis, situation: Situation) -> None:
    assert isinstance(diagnosis, Diagnosis), f"{diagnosis!r} is not a Diagnosis"
    stored = diagnosis.model_dump_json()
    assert Diagnosis.model_validate_json(stored) == diagnosis
    for finding in diagnosis.findings:
        for claim in finding.claims:
            problem = contradiction(claim, situation.evidence)
            assert not problem, f"{finding.failure}: {problem}"


def _check_proposals(proposals: list[Proposal], situation: Situation, k: int) -> None:
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
