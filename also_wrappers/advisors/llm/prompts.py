"""Writes the requests to a language model, from templates and a situation.

Task, names, descriptions and earlier answers were written by others. These texts are
shown as data: on one line each, in plain characters, cut to a length, between marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm.models.base import tokens_of
from also_wrappers.advisors.llm.samples import sample
from also_wrappers.evidence.episodes import telling_apart
from also_wrappers.evidence.meanings import explain
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.proposals.taxonomy import FAILURES, intents
from also_wrappers.rendering import render
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.kinds import KINDS, STATE_KINDS
from also_wrappers.signal.language.parser import GRAMMAR
from also_wrappers.signal.model import MAX_DEFINITIONS, MAX_RULES, Expert, Signal

__all__ = [
    "BUDGET",
    "EVIDENCE",
    "citable",
    "critic",
    "generator",
    "refine",
    "repair",
    "system",
]

#: The most tokens of a request, as estimated, before any repair.
BUDGET = 3500
#: The most tokens of evidence that the Critic is shown, as estimated.
EVIDENCE = 1500
#: Widths, which are factors of limits. A request takes the largest width that its
#: budget leaves room for.
_WIDTHS = (3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.35)
#: Tokens of evidence by which the Critic is shown less for 1 less of width.
_LESS = 200
#: Tokens of evidence that the Generator is shown at width 1.
_DIGEST = 270
#: Characters of the history and of conditions at width 1.
_HISTORY, _CONDITIONS = 550, 250
#: The most characters of recorded episodes where a request has room left, and the
#: characters of the text around the episodes.
_SAMPLES, _ABOUT_SAMPLES = 1000, 100
#: Tokens that are left to recorded episodes where a width is larger than 1.
_EPISODES = 550
#: The most characters of the signals that the Generator is to improve on.
_SIGNALS = 4500
#: The most rejected candidates that are shown, from the last answer.
_REJECTED = 3
_LONGEST_LINE = 200
_LONGEST_SIGNAL = 180


def system() -> str:
    """Writes the system text of every request."""
    return render("system.j2")


def critic(situation: Situation) -> str:
    """Writes the request to the Critic for a diagnosis."""
    evidence = situation.evidence

    def write(width: float, samples: int) -> str:
        room = EVIDENCE - round(_LESS * (_WIDTHS[0] - width))
        return render(
            "critic.j2",
            **_common(situation, width, samples),
            failures=FAILURES,
            evidence=evidence.text(room),
            meanings={
                pattern: meaning
                for pattern, meaning in explain(evidence.keys(room)).items()
                if "*" in pattern  # other keys have their meaning beside the number
            },
        )

    return _fitted(situation, write)


def generator(situation: Situation, k: int) -> str:
    """Writes the request to the Generator for ``k`` candidates."""
    return _fitted(
        situation,
        lambda width, samples: render(
            "generator.j2",
            **_common(situation, width, samples),
            **_diagnosed(situation, width),
            k=k,
        ),
    )


def refine(situation: Situation, k: int) -> str:
    """Writes the request to the Generator for ``k`` replacements, with results."""
    results = situation.results

    def write(width: float, samples: int) -> str:
        signals = _whole(situation, width)[1 : 1 + len(results)]
        return render(
            "refine.j2",
            **_common(situation, width, samples),
            **_diagnosed(situation, width),
            k=k,
            results=[
                (
                    signal,
                    plain(result.outcome, _least(600, width)),
                    plain(result.hypothesis, _least(200, width)),
                )
                for signal, result in zip(signals, results, strict=True)
            ],
        )

    return _fitted(situation, write)


def repair(problems: Sequence[str], answer: str) -> str:
    """Writes the request to mend an answer that could not be used."""
    return render(
        "repair.j2",
        problems=[plain(problem, 240) for problem in problems[:6]],
        answer=plain(answer, 70),
    )


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Makes text of others harmless: one printable line, cut to a length.

    The line has no marks that could end a block of data.
    """
    text = re.sub(r"[^\x20-\x7e]+", " ", text[: 4 * longest])
    text = text.replace("<", "(").replace(">", ")").replace("`", "'")
    text = re.sub(r"data (begins|ends)", r"data_\1", text, flags=re.IGNORECASE)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _fitted(situation: Situation, write: Callable[[float, int], str]) -> str:
    """Writes a request with the widest limits that its budget leaves room for.

    Recorded episodes take the room that is left; limits become wider than usual only
    where there is room for episodes, too.
    """
    room = BUDGET - tokens_of(f"{system()}\n")
    text = ""
    for width in _WIDTHS:
        text = write(width, 0)
        left = room - tokens_of(text)
        if left >= (_EPISODES if situation.episodes and width > 1.0 else 0):
            # Numbers take one token for every two characters.
            return write(width, min(2 * left - _ABOUT_SAMPLES, _SAMPLES))
    return text


def _least(limit: int, width: float) -> int:
    """Returns a limit, or less of it where the width is below 1."""
    return round(limit * min(width, 1.0))


def _common(situation: Situation, width: float, samples: int) -> dict[str, Any]:
    evidence = situation.evidence
    length = evidence.values.get("team.episode_length", 0.0)
    conditions = [
        f"- {plain(name, 40)}: {_formula(text, _LONGEST_SIGNAL)}"
        for name, text in evidence.conditions.items()
    ]
    return {
        "task": plain(situation.task, _least(500, width)),
        "features": [plain(line, 120) for line in situation.features.describe()],
        "agents": [plain(agent, 40) for agent in situation.agents],
        "stage": situation.stage,
        "progress": f"{situation.progress:.0%}",
        "gamma": situation.gamma,
        "horizon": situation.horizon,
        "branch_episodes": round(situation.horizon / length) if length > 0.0 else 0,
        "conditions": _cut(conditions, round(_CONDITIONS * width)),
        "samples": sample(situation.episodes, samples),
        "signal": _whole(situation, width)[0],
        "history": _history(situation.history, round(_HISTORY * width)),
    }


def _history(history: Sequence[RoundOutcome], room: int) -> list[str]:
    """Writes a line for each earlier candidate, latest first, within ``room``."""
    lines = []
    for outcome in reversed(history):
        lines.append(f"Round {outcome.round}: {plain(outcome.decision)}. Tried:")
        lines += [
            f"- {_cut_signal(arm.proposal.signal)}: {plain(arm.outcome, 140)}"
            f"{'; swapped in' if arm.proposal.signal.id == outcome.winner else ''}"
            for arm in outcome.arms
        ]
        lines += [
            f"- {_cut_signal(rejection.proposal.signal)}: rejected, "
            f"{plain(rejection.reason, 140)}"
            for rejection in outcome.rejected
        ]
    return _cut(lines, room)


def _cut(lines: Sequence[str], room: int) -> list[str]:
    """Returns as many first lines as ``room`` holds, and says how many are left out."""
    shown: list[str] = []
    for line in lines:
        if sum(map(len, shown)) + len(line) > room:
            return [*shown, f"({len(lines) - len(shown)} more left out)"]
        shown.append(line)
    return shown


def _diagnosed(situation: Situation, width: float) -> dict[str, Any]:
    diagnosis = situation.diagnosis or Diagnosis()
    measured = situation.evidence.values
    actions = situation.actions
    says, places = (actions.says, actions.places) if actions else ((), {})
    rejected = situation.rejected[-_least(_REJECTED, width) :]
    signals = _whole(situation, width)[1 + len(situation.results) :]
    of_state = [
        name
        for name in situation.features.names
        if name not in situation.features.action_names
    ]
    apart = telling_apart(situation.episodes, situation.features.names)
    return {
        "actions": actions,
        "says": [text for text in says if text.partition(" ")[2] not in places],
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
                "argument": plain(finding.argument, _least(150, width)),
                "numbers": [
                    f"{claim.key} = {measured[claim.key]:.3g}"
                    for claim in finding.claims[: _least(6, width)]
                    if claim.key in measured
                ],
            }
            for finding in diagnosis.findings[: _least(5, width)]
        ],
        "advice": plain(diagnosis.advice, _least(250, width)),
        "keep": plain(diagnosis.keep, _least(200, width)),
        "ranges": [
            f"{name} {measured[f'feature.{name}.min']:.3g} to "
            f"{measured[f'feature.{name}.max']:.3g}"
            for name in situation.features.names
            if f"feature.{name}.max" in measured
        ],
        "evidence": situation.evidence.text(
            round(_DIGEST * width), first=_rates(situation)
        ),
        "rejected": [
            (signal, plain(rejection.reason, _least(280, width)))
            for signal, rejection in zip(signals, rejected, strict=True)
        ],
        "recorded": bool(situation.episodes),
        "apart": [name for name in apart if name in of_state],
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
    """Returns the keys that the Generator may cite: keys shown or described to it."""
    evidence = situation.evidence
    diagnosis = situation.diagnosis or Diagnosis()
    claims = [claim for finding in diagnosis.findings for claim in finding.claims]
    cited = [key for claim in claims for key in (claim.key, claim.than)]
    described = [key for key in evidence.values if key.startswith("condition.")] + [
        f"feature.{name}.{what}"
        for name in situation.features.names
        for what in ("change", "mean", "end")
    ]
    shown = evidence.keys(round(_DIGEST * _WIDTHS[0]), first=_rates(situation))
    keys = dict.fromkeys([*shown, *cited, *described])
    return [key for key in keys if key in evidence.values]


def _rates(situation: Situation) -> list[str]:
    """Returns the keys of the rates at which conditions held."""
    return [f"condition.{name}.rate" for name in situation.evidence.conditions]


def _whole(situation: Situation, width: float) -> list[str]:
    """Writes the signals that the Generator is to improve on.

    The active signal comes first, then the signals of the round's results, then the
    rejected signals that are shown. Where there is no room for all of them, the longest
    signals are cut.
    """
    proposals = [result.proposal for result in situation.results]
    proposals += [
        entry.proposal for entry in situation.rejected[-_least(_REJECTED, width) :]
    ]
    signals = [situation.signal, *[proposal.signal for proposal in proposals]]
    texts = [_numbered(signals[0])]
    texts += [_numbered(signal, signals[0].expert) for signal in signals[1:]]
    room = longest = _least(_SIGNALS, width)
    for count, size in enumerate(sorted(map(len, texts))):
        longest = room // (len(texts) - count)
        if size > longest:
            break
        room -= size
    return [_formula(text, longest) for text in texts]


def _numbered(signal: Signal, active: Expert | None = None) -> str:
    """Writes a signal in one line, with numbers before its rules."""
    text = signal.describe()
    if signal.expert is None:
        return text
    rules = [
        f"({number}) {rule.describe()}"
        for number, rule in enumerate(signal.expert.rules, start=1)
    ]
    listing = "; ".join(rules) if signal.expert != active else "the active one"
    return text.replace(signal.expert.describe(), listing)


def _cut_signal(signal: Signal) -> str:
    return _formula(signal.describe(), _LONGEST_SIGNAL)


def _formula(text: str, longest: int) -> str:
    """Makes a formula of others harmless, as ``plain`` makes text.

    Signs of comparison stay, without making tags.
    """
    text = re.sub(r"[^\x20-\x7e]+", " ", text[: 4 * longest])
    text = re.sub(r"<(?=[^ =0-9])", "< ", text).replace("`", "'")
    text = re.sub(r"data (begins|ends)", r"data_\1", text, flags=re.IGNORECASE)
    return text if len(text) <= longest else f"{text[:longest]}..."
