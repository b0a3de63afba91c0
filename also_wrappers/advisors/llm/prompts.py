"""Writes the requests to a language model, from templates and a situation.

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
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.proposals.taxonomy import FAILURES, intents
from also_wrappers.rendering import render
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.kinds import KINDS, STATE_KINDS
from also_wrappers.signal.language.parser import GRAMMAR
from also_wrappers.signal.model import MAX_DEFINITIONS, MAX_RULES, Signal

__all__ = ["EVIDENCE", "citable", "critic", "generator", "refine", "repair", "system"]

#: Tokens of the evidence, estimated, that the Critic and the Generator are shown.
EVIDENCE = 1000
_DIGEST = 270
#: Characters of the history.
_HISTORY = 550
#: Rejected candidates that are shown: those of the last answer.
_REJECTED = 3
_LONGEST_LINE = 200
_LONGEST_SIGNAL = 180


def system() -> str:
    """Writes the system text of every request."""
    return render("system.j2")


def critic(situation: Situation) -> str:
    """Writes the Critic's request."""
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


def generator(situation: Situation, k: int) -> str:
    """Writes the Generator's request for ``k`` candidates."""
    return render("generator.j2", **_common(situation), **_diagnosed(situation), k=k)


def refine(situation: Situation, k: int) -> str:
    """Writes the Generator's request for ``k`` replacements, with the results."""
    return render(
        "refine.j2",
        **_common(situation),
        **_diagnosed(situation),
        k=k,
        results=[
            (
                _signal(result.proposal.signal),
                plain(result.outcome),
                plain(result.hypothesis),
            )
            for result in situation.results
        ],
    )


def repair(problems: Sequence[str], answer: str) -> str:
    """Writes what follows a request whose answer could not be used: its problems."""
    return render(
        "repair.j2",
        problems=[plain(problem, 240) for problem in problems[:6]],
        answer=plain(answer, 70),
    )


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Makes text of others harmless: one printable line without marks that could end a
    block of data, cut to a length."""
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
    """Writes a line for every candidate so far, the latest first, within a length."""
    lines = []
    for outcome in reversed(history):
        lines.append(f"Round {outcome.round}: {plain(outcome.decision)}. Tried:")
        lines += [
            f"- {_signal(arm.proposal.signal)}: {plain(arm.outcome, 100)}"
            f"{'; swapped in' if arm.proposal.signal.id == outcome.winner else ''}"
            for arm in outcome.arms
        ]
        lines += [
            f"- {_signal(rejection.proposal.signal)}: rejected, "
            f"{plain(rejection.reason, 80)}"
            for rejection in outcome.rejected
        ]
    shown: list[str] = []
    for line in lines:
        if sum(map(len, shown)) + len(line) > _HISTORY:
            return [*shown, f"({len(lines) - len(shown)} earlier lines left out)"]
        shown.append(line)
    return shown


def _diagnosed(situation: Situation) -> dict[str, Any]:
    diagnosis = situation.diagnosis or Diagnosis()
    measured = situation.evidence.values
    actions = situation.actions
    return {
        "actions": actions,
        "moves": _moves(actions) if actions else [],
        "most_definitions": MAX_DEFINITIONS,
        "most_rules": MAX_RULES,
        "kinds": KINDS,
        "of_state": " and ".join(STATE_KINDS).capitalize(),
        "grammar": GRAMMAR,
        "intents": intents(experts=situation.actions is not None),
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
            (_signal(rejection.proposal.signal), plain(rejection.reason, 120))
            for rejection in situation.rejected[-_REJECTED:]
        ],
    }


def _moves(actions: Actions) -> list[str]:
    """Writes the step of every move along the axes, and where the move is open."""
    named = actions.compass.headings if actions.compass else {}
    names = named or [action.name for action in actions.actions if action.step]
    lines = []
    for name, move in zip(names, actions.moves, strict=True):
        step = ", ".join(f"{size:g}" for size in move.step or ())
        where = f", open where {move.open}" if move.open else ""
        lines.append(_formula(f"{name} ({step}){where}", 120))
    return lines


def citable(situation: Situation) -> list[str]:
    """Returns the keys that the Generator may cite: shown, or described in words."""
    evidence = situation.evidence
    described = [
        f"feature.{name}.{what}"
        for name in situation.features.names
        for what in ("change", "mean", "end")
    ]
    return [
        *dict.fromkeys(
            evidence.keys(_DIGEST) + [k for k in described if k in evidence.values]
        )
    ]


def _signal(signal: Signal) -> str:
    """Writes a signal in one line."""
    return _formula(signal.describe(), _LONGEST_SIGNAL)


def _formula(text: str, longest: int) -> str:
    """Makes a formula harmless, as ``plain`` does with text: comparisons keep their
    signs, and make no tags."""
    text = re.sub(r"[^\x20-\x7e]+", " ", text[: 4 * longest])
    text = re.sub(r"<(?=[^ =0-9])", "< ", text).replace("`", "'")
    text = re.sub(r"data (begins|ends)", r"data_\1", text, flags=re.IGNORECASE)
    return text if len(text) <= longest else f"{text[:longest]}..."
