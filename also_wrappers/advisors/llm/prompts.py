"""What each role is told: the contexts that the prompt templates are rendered with.

Task, names, descriptions and earlier answers were written by others. They are shown as
data: on one line each, in plain characters, cut to a length, between lines that say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from also_wrappers.advisors.base import Situation
from also_wrappers.evidence.meanings import explain
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import ArmOutcome, RoundOutcome
from also_wrappers.proposals.taxonomy import FAILURES, INTENTS
from also_wrappers.rendering import render
from also_wrappers.signal.kinds import KINDS, STATE_KINDS
from also_wrappers.signal.language.parser import GRAMMAR
from also_wrappers.signal.model import Signal

__all__ = ["citable", "critic", "generator", "refine", "repair", "system"]

#: Tokens of the evidence, estimated, for either role; characters of the history.
EVIDENCE = 1000
_DIGEST = 270
_HISTORY = 550
#: Rejected candidates that are shown: those of the last answer.
_REJECTED = 3
_LONGEST_LINE = 200
_LONGEST_SIGNAL = 180


def system() -> str:
    """What every request begins with."""
    return render("system.j2")


def critic(situation: Situation) -> str:
    """The Critic's request."""
    evidence = situation.evidence
    return render(
        "critic.j2",
        **_common(situation),
        failures=FAILURES,
        evidence=evidence.text(EVIDENCE),
        meanings={
            pattern: meaning
            for pattern, meaning in explain(evidence.keys(EVIDENCE)).items()
            if "*" in pattern  # the others stand beside their numbers
        },
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
        results=[
            (_signal(result.signal), plain(result.outcome), plain(result.hypothesis))
            for result in results
        ],
    )


def repair(problems: Sequence[str], answer: str) -> str:
    """What follows an answer that cannot be used."""
    return render(
        "repair.j2",
        problems=[plain(problem, 160) for problem in problems[:4]],
        answer=plain(answer, 70),
    )


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Text that others wrote, made harmless: one printable line, quotes and braces
    that could end a block of data removed, cut to a length."""
    text = re.sub(r"[^\x20-\x7e]+", " ", text[: 4 * longest])
    text = text.replace("<", "(").replace(">", ")").replace("`", "'")
    text = re.sub(r"data (begins|ends)", r"data_\1", text, flags=re.IGNORECASE)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _common(situation: Situation) -> dict[str, Any]:
    return {
        "task": plain(situation.task, 500),
        "features": [plain(line, 120) for line in situation.features.describe()],
        "agents": [plain(agent, 40) for agent in situation.agents],
        "stage": situation.stage,
        "progress": f"{situation.progress:.0%}",
        "signal": _signal(situation.signal),
        "history": _history(situation.history),
    }


def _history(history: Sequence[RoundOutcome]) -> list[str]:
    """A line for all that was tried, the latest first, within a length."""
    lines = []
    for outcome in reversed(history):
        lines.append(f"Round {outcome.round}: {plain(outcome.decision)}. Tried:")
        lines += [
            f"- {_signal(arm.signal)}: {plain(arm.outcome, 100)}"
            f"{'; swapped in' if arm.signal.id == outcome.winner else ''}"
            for arm in outcome.arms
        ]
        lines += [
            f"- {_signal(rejection.signal)}: rejected, {plain(rejection.reason, 80)}"
            for rejection in outcome.rejected
        ]
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > _HISTORY:
            return [*kept, f"({len(lines) - len(kept)} earlier lines left out)"]
        kept.append(line)
    return kept


def _diagnosed(situation: Situation, diagnosis: Diagnosis) -> dict[str, Any]:
    measured = situation.evidence.values
    return {
        "kinds": KINDS,
        "of_state": " and ".join(STATE_KINDS).capitalize(),
        "grammar": GRAMMAR,
        "intents": INTENTS,
        "findings": [
            {
                "failure": finding.failure,
                "severity": finding.severity,
                "argument": plain(finding.argument, 150),
                "numbers": [
                    f"{claim.key} = {measured[claim.key]:.3g}"
                    for claim in finding.claims
                    if claim.key in measured
                ],
            }
            for finding in diagnosis.findings
        ],
        "advice": plain(diagnosis.advice, 250),
        "keep": plain(diagnosis.keep),
        "ranges": [
            f"{name} {measured[f'feature.{name}.min']:.3g} to "
            f"{measured[f'feature.{name}.max']:.3g}"
            for name in situation.features.names
            if f"feature.{name}.max" in measured
        ],
        "evidence": situation.evidence.text(_DIGEST),
        "rejected": [
            (_signal(rejection.signal), plain(rejection.reason, 120))
            for rejection in situation.rejected[-_REJECTED:]
        ],
    }


def citable(situation: Situation) -> list[str]:
    """Keys that the Generator was shown or told of."""
    evidence = situation.evidence
    told = [
        f"feature.{name}.{what}"
        for name in situation.features.names
        for what in ("change", "mean", "end")
    ]
    return [
        *dict.fromkeys(
            evidence.keys(_DIGEST) + [k for k in told if k in evidence.values]
        )
    ]


def _signal(signal: Signal) -> str:
    """A signal in one line. Comparisons keep their signs, and make no tags."""
    text = re.sub(r"[^\x20-\x7e]+", " ", signal.describe()[: 4 * _LONGEST_SIGNAL])
    text = re.sub(r"<(?=[^ =0-9])", "< ", text).replace("`", "'")
    text = re.sub(r"data (begins|ends)", r"data_\1", text, flags=re.IGNORECASE)
    return text if len(text) <= _LONGEST_SIGNAL else f"{text[:_LONGEST_SIGNAL]}..."
