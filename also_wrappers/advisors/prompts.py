"""What each role is told: the contexts that the prompt templates are rendered with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from also_wrappers.advisors.base import (
    FAILURES,
    INTENTS,
    ArmOutcome,
    Diagnosis,
    Situation,
)
from also_wrappers.evidence.meanings import explain
from also_wrappers.rendering import render
from also_wrappers.signal.language import GRAMMAR
from also_wrappers.signal.model import Signal

__all__ = ["critic", "generator", "refine", "repair"]

_LONGEST_LINE = 200


def critic(situation: Situation) -> str:
    """The Critic's request."""
    return render(
        "critic.j2",
        **_common(situation),
        failures=FAILURES,
        evidence=situation.evidence.text(),
        meanings=explain(list(situation.evidence.values)),
    )


def generator(situation: Situation, diagnosis: Diagnosis, k: int) -> str:
    """The Generator's request for ``k`` candidates."""
    return render(
        "generator.j2",
        **_common(situation),
        **_diagnosed(situation, diagnosis),
        k=k,
    )


def refine(
    situation: Situation, diagnosis: Diagnosis, results: Sequence[ArmOutcome], k: int
) -> str:
    """The Generator's request for ``k`` replacements."""
    return render(
        "refine.j2",
        **_common(situation),
        **_diagnosed(situation, diagnosis),
        k=k,
        results=[(_signal(result.signal), plain(result.outcome)) for result in results],
    )


def repair(problems: Sequence[str], answer: str) -> str:
    """What follows an answer that cannot be used."""
    return render(
        "repair.j2",
        problems=[plain(problem, 400) for problem in problems],
        answer=plain(answer, 1500),
    )


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Text that others wrote, made harmless: one printable line, quotes and braces
    that could end a block of data removed, cut to a length."""
    text = re.sub(r"[^\x20-\x7e]+", " ", text)
    text = text.replace("<", "(").replace(">", ")").replace("`", "'")
    return text if len(text) <= longest else f"{text[:longest]}..."


def _common(situation: Situation) -> dict[str, Any]:
    return {
        "task": plain(situation.task, 800),
        "features": [plain(line) for line in situation.features.describe()],
        "agents": [plain(agent, 40) for agent in situation.agents],
        "stage": situation.stage,
        "progress": f"{situation.progress:.0%}",
        "signal": _signal(situation.signal),
        "history": [
            {
                "round": outcome.round,
                "arms": [
                    (_signal(arm.signal), plain(arm.outcome)) for arm in outcome.arms
                ],
                "decision": plain(outcome.decision),
            }
            for outcome in list(situation.history)[-3:]
        ],
    }


def _diagnosed(situation: Situation, diagnosis: Diagnosis) -> dict[str, Any]:
    measured = situation.evidence.values
    return {
        "grammar": GRAMMAR,
        "intents": INTENTS,
        "findings": [
            {
                "failure": finding.failure,
                "severity": finding.severity,
                "argument": plain(finding.argument, 300),
                "numbers": [
                    f"{claim.key} = {measured[claim.key]:.3g}"
                    for claim in finding.claims
                    if claim.key in measured
                ],
            }
            for finding in diagnosis.findings
        ],
        "advice": plain(diagnosis.advice, 400),
        "keep": plain(diagnosis.keep, 200),
        "ranges": [
            f"{name}: {measured[f'feature.{name}.min']:.3g} to "
            f"{measured[f'feature.{name}.max']:.3g}, mean "
            f"{measured[f'feature.{name}.mean']:.3g}"
            for name in situation.features.names
            if f"feature.{name}.mean" in measured
        ],
        "best_return": measured.get("team.base_return.max", 0.0),
    }


def _signal(signal: Signal) -> str:
    return json.dumps(
        [
            term.model_dump(mode="json", include={"kind", "expression", "weight"})
            for term in signal.terms
        ]
    )
