"""The report: one self-contained page, made from ledgers alone.

A section is a part of ``templates/report.html.j2`` and what it shows: of a whole run,
a function here; of a round, a method or an attribute of ``RoundRecord``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from also_wrappers.files import write_atomic
from also_wrappers.ledger.events import Event, RunFinished, RunStarted
from also_wrappers.ledger.ledger import salvage_ledger
from also_wrappers.proposals.taxonomy import FAILURES
from also_wrappers.rendering import render
from also_wrappers.report.costs import models_of, spending_of
from also_wrappers.report.curves import draw_imitation, draw_own_returns, draw_returns
from also_wrappers.report.ending import ending_of
from also_wrappers.report.reuse import usage_of
from also_wrappers.report.rounds import collect_rounds
from also_wrappers.report.sights import (
    action_shares,
    draw_effects,
    draw_visits,
    meaning_of,
)
from also_wrappers.report.standing import ActiveSignal, env_steps_of, last_audition
from also_wrappers.report.verdict import verdict_of
from also_wrappers.report.words import (
    STANDINGS,
    amount,
    decision_in_words,
    number,
    outcome_of,
    settlement_in_words,
    term_in_words,
    with_error,
)

__all__ = ["write_report"]

#: Characters of a request or an answer that are shown; the ledger has all of it.
_LONGEST = 6000
#: Rounds whose evidence and dialogue are shown, the last ones: they take 90 % of what
#: a page has of a round, and a browser has to open all of it.
_DETAILED = 100


def write_report(run_dir: Path, baseline: Path | None = None) -> Path:
    """Writes ``report.html`` into a run's directory.

    Args:
        run_dir: The run's directory.
        baseline: Directory of a run on the base reward alone (``budget=0``), to be
            shown beside it.

    Returns:
        Path of the page.

    Raises:
        ConfigurationError: There is no run in a directory, or nothing of its ledger can
            be read; what is wrong with the rest of a ledger is said on the page.
        StorageError: The page cannot be written.
    """
    run_dir = Path(run_dir)
    events, damage = salvage_ledger(run_dir / "ledger.jsonl")
    baseline_events: list[Event] = []
    if baseline is not None:
        path = Path(baseline) / "ledger.jsonl"
        baseline_events, also = salvage_ledger(path)
        damage = "; ".join(filter(None, (damage, also)))
    endings = [("adapted", ending_of(events))]
    if baseline_events:
        endings.append(("base reward alone", ending_of(baseline_events)))
    started = next((e for e in events if isinstance(e, RunStarted)), None)
    actions = started.actions if started else {}
    active = ActiveSignal(events)
    rounds = collect_rounds(events)
    page = render(
        "report.html.j2",
        name=run_dir.name,
        damage=damage,
        verdict=verdict_of(events, rounds, baseline_events),
        started=started,
        finished=isinstance(events[-1], RunFinished),
        last=events[-1],
        signal=active.signal,
        standing=active.standing,
        standings=STANDINGS,
        usage="" if active.signal.empty else usage_of(active.signal, run_dir),
        endings=endings,
        audition=last_audition(events),
        spending=spending_of(events),
        models=models_of(events),
        returns=draw_returns(events, baseline_events),
        own_returns=draw_own_returns(events, baseline_events),
        imitation=draw_imitation(events),
        rounds=rounds,
        failures=FAILURES,
        amount=amount,
        number=number,
        with_error=with_error,
        term_in_words=term_in_words,
        decision_of=decision_in_words,
        settlement_of=settlement_in_words,
        outcome_of=outcome_of,
        env_steps_of=env_steps_of,
        shares_of=lambda evidence: action_shares(evidence, actions),
        draw_effects=draw_effects,
        draw_visits=draw_visits,
        meaning_of=cache(lambda key: meaning_of(key, actions)),
        detailed=_DETAILED,
        cut=_cut,
    )
    path = run_dir / "report.html"
    write_atomic(path, page.encode())
    return path


def _cut(text: str) -> str:
    """Returns the beginning of a text of a dialogue, and says how much is left out."""
    if len(text) <= _LONGEST:
        return text
    more = len(text) - _LONGEST
    return f"{text[:_LONGEST]}\n... {more:,} characters more, in the ledger"
