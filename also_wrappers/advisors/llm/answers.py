"""From the text of an answer to a diagnosis and candidates, or to what is wrong."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm.grounding import contradiction, unknown_key
from also_wrappers.advisors.llm.schemas import MOST_PROBES
from also_wrappers.evidence.document import Evidence
from also_wrappers.exceptions import AlsoError
from also_wrappers.proposals.diagnosis import Diagnosis, Finding
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal.model import MAX_TERMS, Signal, Term
from also_wrappers.signal.shaper import parse_term

__all__ = ["LONGEST", "Reading", "read_candidates", "read_diagnosis", "read_object"]

#: Characters of an answer that is read.
LONGEST = 20_000


class Reading:
    """What was found in an answer.

    Attributes:
        problems: What is wrong with it, in words; empty if nothing is.
        claims: What it says of the evidence.
        grounded: How much of that is so.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.claims = 0
        self.grounded = 0

    def count(self, problem: str) -> bool:
        """Counts something that is said of the evidence; whether it is so."""
        self.claims += 1
        self.grounded += not problem
        if problem:
            self.problems.append(problem)
        return not problem


def read_object(text: str) -> dict[str, Any]:
    """The JSON object of an answer; models like to put words or fences around it.

    Raises:
        ValueError: There is none.
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
    """A Critic's answer, without the claims that the evidence contradicts.

    Args:
        data: The answer.
        evidence: What it is about.
        reading: Takes what is wrong.

    Returns:
        What is left; ``None`` if that is nothing.

    Raises:
        ValidationError: It is no diagnosis.
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
    """A Generator's answer: the candidates that are valid, without citations that are
    not."""
    found = data.get("candidates")
    if not isinstance(found, list) or not found:
        reading.problems.append("'candidates' must be a list of at least one candidate")
        return []
    kept: dict[str, Proposal] = {}
    for place, item in enumerate(found[:k], start=1):
        try:
            proposal = _proposal(item, situation)
        except (AlsoError, ValidationError, TypeError, ValueError) as error:
            reading.problems.append(f"candidate {place}: {reason(error)}")
            continue
        if proposal.hypothesis is None:
            reading.problems.append(
                f"candidate {place}: 'hypothesis' must name a 'key' of the evidence "
                "and 'moves', up or down"
            )
        kept.setdefault(
            proposal.signal.id, _grounded(proposal, situation.evidence, reading)
        )
    return list(kept.values())


def reason(error: Exception) -> str:
    """What is wrong, in words that a model can act on."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])[:80]}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:4]
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
    """Probes by name. What cannot be recorded is left out later, by the run."""
    probes = asked[:MOST_PROBES] if isinstance(asked, list) else []
    return {
        str(probe["name"])[:40]: str(probe["expression"])[:600]
        for probe in probes
        if isinstance(probe, dict) and {"name", "expression"} <= probe.keys()
    }


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that may be used")


def _proposal(item: Any, situation: Situation) -> Proposal:
    if not isinstance(item, dict):
        raise TypeError("a candidate must be an object")
    terms = item.get("terms")
    if not isinstance(terms, list) or len(terms) > MAX_TERMS:
        raise TypeError(f"'terms' must be a list of at most {MAX_TERMS} terms")
    built = []
    for place, term in enumerate(terms, start=1):
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
        parse_term(built[-1], situation.features, situation.agents)
    answers = item.get("answers")
    return Proposal(
        signal=Signal(terms=tuple(built), fade=item.get("fade") or None),
        intent=item.get("intent", "new_term"),
        rationale=str(item.get("rationale", ""))[:1000],
        hypothesis=_expectation(item.get("hypothesis")),
        answers=tuple(answers[:4]) if isinstance(answers, list) else (),
    )


def _expectation(said: Any) -> Expectation | None:
    try:
        return Expectation.model_validate(said)
    except ValidationError:
        return None
