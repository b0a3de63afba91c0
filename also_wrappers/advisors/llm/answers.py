"""Reads a model's answer: a diagnosis or candidates, and the answer's problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm.experts import (
    combined,
    read_definitions,
    read_expert,
)
from also_wrappers.advisors.llm.grounding import contradiction, unknown_key
from also_wrappers.advisors.llm.schemas import MOST_PROBES
from also_wrappers.evidence.document import Evidence
from also_wrappers.exceptions import AlsoError
from also_wrappers.proposals.diagnosis import Diagnosis, Finding
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.model import MAX_TERMS, Signal, Term
from also_wrappers.signal.shaper import parse_term

__all__ = [
    "LONGEST",
    "Reading",
    "problem_of",
    "read_candidates",
    "read_diagnosis",
    "read_object",
]

#: The most characters of an answer that is read.
LONGEST = 40_000


class Reading:
    """Collects the problems of one answer, and counts its claims and citations.

    Attributes:
        problems: What is wrong with the answer, in words; empty if nothing is.
        claims: Number of statements about the evidence in the answer: claims and keys.
        grounded: Number of these statements that agree with the evidence.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.claims = 0
        self.grounded = 0

    def count(self, problem: str) -> bool:
        """Counts one claim or citation; returns True if it has no problem."""
        self.claims += 1
        self.grounded += not problem
        if problem:
            self.problems.append(problem)
        return not problem


def read_object(text: str) -> dict[str, Any]:
    """Reads the JSON object of an answer, without the words around the object.

    Args:
        text: The answer.

    Raises:
        ValueError: The answer has no JSON object, or is too long.
    """
    text = text.rpartition("</think>")[2]
    if len(text) > LONGEST:
        raise ValueError(f"the answer has {len(text)} characters; answer more briefly")
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise ValueError("the answer is not a JSON object")
    try:
        data = json.loads(text[begin : end + 1], parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"the answer is not valid JSON: {error}") from error
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("the answer is not a JSON object")
    return data


def read_diagnosis(
    data: dict[str, Any], evidence: Evidence, reading: Reading
) -> Diagnosis | None:
    """Reads a Critic's answer, without the claims that the evidence contradicts.

    Args:
        data: The answer.
        evidence: The evidence that the Critic was shown.
        reading: Collects the problems.

    Returns:
        The diagnosis; ``None`` where findings were named and none is left.

    Raises:
        ValidationError: The answer is no diagnosis.
    """
    data = {**data, "probes": _probes(data.get("probes"))}
    diagnosis = Diagnosis.model_validate(data)
    findings: list[Finding] = []
    for finding in diagnosis.findings:
        right = tuple(
            claim
            for claim in finding.claims
            if reading.count(contradiction(claim, evidence))
        )
        if right:
            findings.append(finding.model_copy(update={"claims": right}))
        elif not finding.claims:
            reading.problems.append(
                f"the finding {finding.failure} rests on no claim; cite the keys of "
                "the evidence that show it"
            )
    if diagnosis.findings and not findings:
        return None
    return diagnosis.model_copy(update={"findings": tuple(findings)})


def read_candidates(
    data: dict[str, Any], situation: Situation, k: int, reading: Reading
) -> list[Proposal]:
    """Reads the valid candidates of a Generator's answer.

    Args:
        data: The answer.
        situation: The situation that the Generator was asked about.
        k: The largest number of candidates.
        reading: Collects the problems.

    Returns:
        The valid candidates, each signal once.
    """
    items = data.get("candidates")
    if not isinstance(items, list) or not items:
        reading.problems.append("'candidates' must be a list of at least one candidate")
        return []
    valid: dict[str, Proposal] = {}
    for place, item in enumerate(items[:k], start=1):
        problems: list[str] = []
        try:
            proposal = _proposal(item, situation, problems)
        except (AlsoError, ValidationError, TypeError, ValueError) as error:
            problems.append(problem_of(error))
        reading.problems += [f"candidate {place}: {problem}" for problem in problems]
        if problems:
            continue
        if proposal.hypothesis is None:
            reading.problems.append(
                f"candidate {place}: 'hypothesis' must name a 'key' of the evidence "
                "and 'moves', up or down"
            )
        valid.setdefault(
            proposal.signal.id, _grounded(proposal, situation.evidence, reading)
        )
    return list(valid.values())


def problem_of(error: Exception) -> str:
    """Returns what is wrong with an answer, in words that a model can act on."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in detail['loc'])[:80]}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)[:4]
        )
    return str(error)


def _grounded(proposal: Proposal, evidence: Evidence, reading: Reading) -> Proposal:
    answers = tuple(
        key for key in proposal.answers if reading.count(unknown_key(key, evidence))
    )
    expected = proposal.hypothesis
    if expected is not None and not reading.count(unknown_key(expected.key, evidence)):
        expected = None
    return proposal.model_copy(update={"answers": answers, "hypothesis": expected})


def _probes(asked: Any) -> dict[str, str]:
    """Reads the probes of a diagnosis, as expressions by name."""
    probes = asked[:MOST_PROBES] if isinstance(asked, list) else []
    return {
        str(probe["name"])[:40]: str(probe["expression"])[:600]
        for probe in probes
        if isinstance(probe, dict) and {"name", "expression"} <= probe.keys()
    }


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that may be used")


def _proposal(item: Any, situation: Situation, problems: list[str]) -> Proposal:
    """Reads one candidate, and adds what is wrong with its rules to the problems."""
    if not isinstance(item, dict):
        raise TypeError("a candidate must be an object")
    answers = item.get("answers")
    return Proposal(
        signal=_signal(item, situation, problems),
        intent=item.get("intent", "new_term"),
        rationale=str(item.get("rationale", ""))[:1000],
        hypothesis=_expectation(item.get("hypothesis")),
        answers=tuple(answers[:4]) if isinstance(answers, list) else (),
    )


def _signal(item: dict[str, Any], situation: Situation, problems: list[str]) -> Signal:
    """Reads the signal of one candidate.

    Where experts can be tried, a part (terms or expert) that the candidate leaves empty
    stays as it is in the active signal, unless the intent is to remove.
    """
    fade = item.get("fade") or None
    if situation.actions is None:
        return Signal(terms=_terms(item.get("terms"), {}, situation), fade=fade)
    define = read_definitions(item.get("define") or [], situation)
    rules = item.get("expert") or []
    terms = _terms(item.get("terms") or [], define, situation)
    expert = read_expert(rules, define, situation, situation.actions, problems)
    own = Signal(terms=terms, fade=fade, define=define, expert=expert)
    intent = item.get("intent")
    if intent == "expert" and not rules:
        raise ValueError("the intent is 'expert', and 'expert' has no rule")
    if intent == "remove":
        return own
    if not terms and not rules:
        raise ValueError(
            "'terms' and 'expert' are both empty; say one of them, or the intent "
            "'remove' to go without a signal"
        )
    return combined(situation.signal, own, keep_terms=not terms, keep_expert=not rules)


def _terms(
    data: Any, define: Mapping[str, str], situation: Situation
) -> tuple[Term, ...]:
    if not isinstance(data, list) or len(data) > MAX_TERMS:
        raise TypeError(f"'terms' must be a list of at most {MAX_TERMS} terms")
    definitions = parse_definitions(define, situation.features)
    built = []
    for place, term in enumerate(data, start=1):
        if not isinstance(term, dict):
            raise TypeError("a term must be an object")
        built.append(
            Term(
                name=f"term_{place}",
                kind=term.get("kind", ""),
                expression=term.get("expression", ""),
                weight=term.get("weight", "missing"),
            )
        )
        parse_term(built[-1], situation.features, situation.agents, definitions)
    return tuple(built)


def _expectation(data: Any) -> Expectation | None:
    try:
        return Expectation.model_validate(data)
    except ValidationError:
        return None
