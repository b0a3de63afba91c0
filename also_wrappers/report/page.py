"""The report: one self-contained page, made from ledgers alone.

A section is a part of ``templates/report.html.j2`` and what it shows: of a whole run,
a function here; of a round, a method or an attribute of ``RoundRecord``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from also_wrappers.evidence.meanings import explain
from also_wrappers.files import write_atomic
from also_wrappers.ledger.events import (
    Event,
    Exchanged,
    RunFinished,
    RunStarted,
)
from also_wrappers.ledger.ledger import salvage_ledger
from also_wrappers.rendering import render
from also_wrappers.report.curves import draw_imitation, draw_returns
from also_wrappers.report.ending import ending_of
from also_wrappers.report.rounds import collect_rounds
from also_wrappers.report.standing import (
    ActiveSignal,
    env_steps_of,
    last_audition,
    standing_of,
)
from also_wrappers.report.words import outcome_of, signal_lines

__all__ = ["write_report"]


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
    page = render(
        "report.html.j2",
        name=run_dir.name,
        damage=damage,
        started=next((e for e in events if isinstance(e, RunStarted)), None),
        finished=isinstance(events[-1], RunFinished),
        last=events[-1],
        standing=ActiveSignal(events).standing,
        standing_of=standing_of,
        endings=endings,
        audition=last_audition(events),
        models=_models(events),
        curve=draw_returns(events, baseline_events),
        imitation=draw_imitation(events),
        lines_of=signal_lines,
        outcome_of=outcome_of,
        env_steps_of=env_steps_of,
        rounds=collect_rounds(events),
        meaning=lambda key: "".join(explain([key]).values()),
    )
    path = run_dir / "report.html"
    write_atomic(path, page.encode())
    return path


@dataclass
class _Model:
    """Counts what a language model was asked, and how much of its claims is so.

    Attributes:
        name: Name of the model.
        calls: Number of requests.
        unusable: Number of answers that could not be used.
        claims: Number of statements about the evidence.
        grounded: Number of these statements that the evidence bears out.
        seconds: Wall-clock time of all answers.
    """

    name: str
    calls: int = 0
    unusable: int = 0
    claims: int = 0
    grounded: int = 0
    seconds: float = 0.0


def _models(events: Sequence[Event]) -> list[_Model]:
    """Counts the requests to each language model."""
    models: dict[str, _Model] = {}
    for event in events:
        if not isinstance(event, Exchanged):
            continue
        exchange = event.exchange
        model = models.setdefault(exchange.model, _Model(exchange.model))
        model.calls += 1
        model.unusable += bool(exchange.problem)
        model.claims += exchange.claims
        model.grounded += exchange.grounded
        model.seconds += exchange.seconds
    return list(models.values())
