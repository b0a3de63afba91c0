"""Ledgers made by hand: what a run would have written, without a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.stage import Window
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import (
    AdvisorFailed,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Exchanged,
    Observed,
    Planned,
    Proposed,
    Recorded,
    Refined,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunStarted,
    Swapped,
)
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import ArmOutcome, RoundOutcome
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal import Signal, Term

SIGNAL = Signal(
    terms=(Term(name="near", kind="progress", expression="-distance", weight=1.0),)
)
TOTAL = 10_000

#: An event, and the steps that the run has spent on the mainline and on branches.
Line = tuple[Event, int, int]
Changes = dict[str, Any]


def write_ledger(run_dir: Path, lines: Sequence[Line]) -> Path:
    """Writes a ledger of two agents, and returns the run's directory."""
    run_dir.mkdir(parents=True, exist_ok=True)
    accounting = Accounting(agents_per_env=2)
    ledger = Ledger(run_dir / "ledger.jsonl", accounting)
    for event, accounting.mainline, accounting.branches in lines:
        ledger.write(event)
    ledger.close()
    return run_dir


def started(**changes: Any) -> RunStarted:
    fields: dict[str, Any] = {
        "task": "Meet <each other>.",
        "features": ("distance",),
        "advisor": "rules",
        "total": TOTAL,
        "every": 4000,
        "budget": 2.0,
        "seed": 0,
    }
    return RunStarted(**(fields | changes))


def recorded(steps: int, mean: float, episodes: int = 100) -> Recorded:
    window = Window(steps, episodes, mean, std=0.4, rewarded=mean)
    return Recorded(window=window, shaped=mean + 0.5, strength=1.0, length=20.0)


def planned(**changes: Any) -> Planned:
    fields = {"wanted": 3, "candidates": 3, "refinements": 2, "horizon": 1000}
    return Planned(round=1, **(fields | {"budget": 20_000} | changes))


def checked(**changes: Any) -> Checked:
    fields: dict[str, Any] = {
        "signal": SIGNAL.id,
        "passed": True,
        "remark": "",
        "name": "candidate_1",
        "describe": SIGNAL.describe(),
    }
    return Checked(round=1, **(fields | changes))


def branch(**changes: Any) -> BranchEnded:
    fields: dict[str, Any] = {
        "name": "control",
        "signal": Signal().id,
        "arm": 0,
        "phase": "screen",
        "index": 0,
        "stretch": 1.0,
        "seed": 7,
        "steps": 1000,
        "evaluation_steps": 0,
        "score": 0.25,
        "standard_error": 0.05,
        "points": (0.2, 0.25),
        "episodes": 40,
        "shaped": 0.25,
        "observed": {},
        "seconds": 2.0,
        "error": "",
        "done": 1,
        "of": 3,
    }
    return BranchEnded(round=1, **(fields | changes))


def decided(**changes: Any) -> Decided:
    outcome = RoundOutcome(
        round=1,
        stage="no_signal",
        control_score=0.25,
        arms=(ArmOutcome(proposal=PROPOSAL, outcome="won", hypothesis="it moved"),),
        decision="it stood out",
        winner=SIGNAL.id,
    )
    fields: dict[str, Any] = {
        "kind": "confirmed",
        "winner": "candidate_1",
        "reason": "it stood out",
        "effect": 0.5,
        "z": 3.0,
        "pairs": 2,
        "critical": 2.83,
        "exploratory": False,
        "branches": 4,
        "adopted": "",
        "outcome": outcome,
    }
    return Decided(round=1, **(fields | changes))


CLAIM = Claim(key="team.reward_rate", reads="zero")
DIAGNOSIS = Diagnosis(
    findings=(Finding(failure="stagnation", severity="severe", claims=(CLAIM,)),),
    advice="bring them <closer>",
)
PROPOSAL = Proposal(
    signal=SIGNAL, hypothesis=Expectation(key="team.reward_rate", moves="up")
)
EVIDENCE = Evidence(
    values={
        "team.episodes": 100.0,
        "team.reward_rate": 0.0,
        "feature.distance.late": -1.5,
        "term.near.paid": 0.3,
    },
    unavailable={"feature.distance.better": "all returns are equal"},
    features=("distance",),
    agents=("agent_0", "agent_1"),
)


def exchange(**changes: Any) -> Exchanged:
    fields: dict[str, Any] = {
        "role": "critic",
        "prompt": "?",
        "answer": "!",
        "model": "tiny",
        "seconds": 1.5,
        "claims": 3,
        "grounded": 2,
    }
    return Exchanged(round=1, exchange=Exchange(**(fields | changes)))


def whole_run() -> list[Line]:
    """A run whose only played round swaps a signal in; a second round is skipped."""
    control: Changes = {}
    candidate: Changes = {"name": "candidate_1", "arm": 1, "signal": SIGNAL.id}
    rejected: Changes = {
        "passed": False,
        "name": None,
        "remark": "pays for standing still",
    }
    return [
        (started(), 0, 0),
        (recorded(1000, 0.0), 1000, 0),
        (recorded(2000, 0.1), 2000, 0),
        (RoundStarted(round=1, signal=Signal().id), 2000, 0),
        (Observed(round=1, stage="no_signal", evidence=EVIDENCE), 2000, 0),
        (planned(), 2000, 0),
        (exchange(), 2000, 0),
        (exchange(problem="no JSON", claims=1, grounded=1), 2000, 0),
        (Diagnosed(round=1, diagnosis=DIAGNOSIS), 2000, 0),
        (Proposed(round=1, proposal=PROPOSAL, refined=False), 2000, 0),
        (checked(), 2000, 0),
        (checked(describe="standing", **rejected), 2000, 0),
        (branch(**candidate, score=0.75), 2000, 1000),
        (branch(**control), 2000, 2000),
        (AdvisorFailed(round=1, asked_for="refinement", error="too slow"), 2000, 2000),
        (Refined(round=1, added=(), hypotheses=()), 2000, 2000),
        (branch(**candidate, phase="confirm", error="it died"), 2000, 3000),
        (branch(**control, phase="confirm", score=0.35), 2000, 4000),
        (decided(), 2000, 4000),
        (
            Swapped(
                round=1,
                old=Signal().id,
                signal=SIGNAL,
                describe=SIGNAL.describe(),
            ),
            3000,
            3000,
        ),
        (RoundFinished(round=1, adopted_steps=1000), 3000, 3000),
        (recorded(4000, 0.92, episodes=200), 4000, 3000),
        (RoundStarted(round=2, signal=SIGNAL.id), 4000, 3000),
        (RoundFinished(round=2, skipped="too little is left"), 4000, 3000),
        (recorded(TOTAL, 0.98, episodes=200), TOTAL, 3000),
        (RunFinished(rounds=2, signal=SIGNAL), TOTAL, 3000),
    ]


def base_only_run() -> list[Line]:
    """A run that only recorded, up to the steps that ``whole_run`` has spent."""
    return [
        (started(budget=0.0), 0, 0),
        (recorded(6000, 0.3), 6000, 0),
        (RoundStarted(round=1, signal=Signal().id), 6000, 0),
        (RoundFinished(round=1, skipped="no budget"), 6000, 0),
        (recorded(12_000, 0.95), 12_000, 0),
        (recorded(13_000, 0.9, episodes=300), 13_000, 0),
        (RunFinished(rounds=1, signal=Signal()), 13_000, 0),
    ]
