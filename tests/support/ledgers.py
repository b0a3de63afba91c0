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
    Auditioned,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Exchanged,
    Observed,
    Planned,
    Proposed,
    Ranked,
    Recorded,
    Refined,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunStarted,
    Settled,
    Swapped,
)
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import ArmOutcome, Played, RoundOutcome
from also_wrappers.proposals.proposal import Expectation, Proposal
from also_wrappers.signal import Expert, Rule, Signal, Term

SIGNAL = Signal(
    terms=(Term(name="near", kind="progress", expression="-distance", weight=1.0),)
)
OTHER = Signal(
    terms=(Term(name="apart", kind="bonus", expression="distance", weight=0.5),)
)
EXPERT = Signal(
    define={"near": "distance < 1"},
    expert=Expert(
        rules=(
            Rule(when="near", do="load", agents=("agent_0",)),
            Rule(when="1", do="toward food"),
        )
    ),
)
WORSE = Signal(expert=Expert(rules=(Rule(when="distance > 2", do="stay"),)))
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
        "horizon": 1000,
        "rounds": 3,
        "search": 12_000,
        "auditions": 0,
        "seed": 0,
    }
    return RunStarted(**(fields | changes))


def recorded(steps: int, mean: float, episodes: int = 100) -> Recorded:
    window = Window(steps, episodes, mean, std=0.4, rewarded=mean)
    return Recorded(window=window, shaped=mean + 0.5, strength=1.0, length=20.0)


def auditioned(signal: Signal = EXPERT, **changes: Any) -> Auditioned:
    fields: dict[str, Any] = {
        "signal": signal.id,
        "expert": signal,
        "passed": True,
        "refusal": "",
        "promised": 0.8,
        "earned": 0.8,
        "error": 0.05,
        "noise": 0.1,
        "policy": 0.02,
        "episodes": 100,
        "steps": 2000,
        "coverage": 0.75,
        "distance": 0.375,
        "shares": (0.25, 0.5),
        "late": (0.125, 0.875),
    }
    return Auditioned(round=1, **(fields | changes))


def played(proposal: Proposal, earned: float) -> Played:
    return Played(
        proposal=proposal,
        earned=earned,
        error=0.1,
        rate=0.0,
        policy=0.01,
        coverage=0.5,
        distance=0.25,
    )


def ranked() -> Ranked:
    return Ranked(
        round=1, played=7, best=EXPERT, earned=0.75, error=0.1, policy=0.01, steps=3000
    )


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
        "trained": 0,
        "steps": 1000,
        "evaluation_steps": 0,
        "score": 0.25,
        "standard_error": 0.05,
        "largest": 1.0,
        "points": (0.2, 0.25),
        "errors": (0.1, 0.05),
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
        "kind": "provisional",
        "winner": "candidate_1",
        "reason": "it stood out",
        "effect": 0.5,
        "z": 1.6,
        "pairs": 0,
        "critical": 1.0,
        "exploratory": False,
        "branches": 4,
        "adopted": "",
        "outcome": outcome,
    }
    return Decided(round=1, **(fields | changes))


def swapped(signal: Signal = SIGNAL, **changes: Any) -> Swapped:
    fields: dict[str, Any] = {
        "old": Signal().id,
        "signal": signal,
        "describe": signal.describe(),
        "since": 0,
        "provisional": True,
    }
    return Swapped(round=1, **(fields | changes))


def settled(**changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "kind": "confirmed",
        "reason": "it beats control",
        "effect": 0.4,
        "z": 3.0,
        "pairs": 2,
        "critical": 2.75,
        "branches": 2,
        "signal": SIGNAL,
    }
    return Settled(round=1, **(fields | changes))


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


def whole_run(settlement: Settled | None = None) -> list[Line]:
    """A run whose first round swaps a provisional signal in, which is settled while
    training goes on; a second round is skipped.

    Args:
        settlement: What becomes of the signal; by default it is confirmed.
    """
    settlement = settlement or settled()
    control: Changes = {}
    candidate: Changes = {"name": "candidate_1", "arm": 1, "signal": SIGNAL.id}
    longer: Changes = {"stretch": 2.0, "trained": 1000}
    fresh: Changes = {"phase": "confirm", "index": 1, "done": 1, "of": 1}
    rejected: Changes = {
        "passed": False,
        "name": None,
        "remark": "pays for standing still",
    }
    at_last = settlement.signal
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
        (branch(**candidate, **longer, error="it died"), 2000, 3000),
        (branch(**control, **longer, score=0.35), 2000, 4000),
        (decided(), 2000, 4000),
        (swapped(), 3000, 3000),
        (RoundFinished(round=1, adopted_steps=1000), 3000, 3000),
        (recorded(4000, 0.92, episodes=200), 4000, 3000),
        (branch(**candidate, **fresh, score=0.75), 4000, 4000),
        (branch(**control, **fresh, score=0.3), 5000, 5000),
        (settlement, 5000, 5000),
        (RoundStarted(round=2, signal=at_last.id), 6000, 5000),
        (RoundFinished(round=2, skipped="too little is left"), 6000, 5000),
        (recorded(TOTAL, 0.98, episodes=200), TOTAL, 5000),
        (RunFinished(rounds=2, signal=at_last), TOTAL, 5000),
    ]


def watched_run() -> list[Line]:
    """A run whose advisor is asked while training goes on, and whose exploratory
    signal leads nowhere; the next candidate gets its turn, and is left open."""
    first: Changes = {"name": "candidate_1", "arm": 1, "signal": SIGNAL.id}
    second: Changes = {"name": "candidate_2", "arm": 2, "signal": OTHER.id}
    nothing: Changes = {"effect": None, "z": None, "pairs": 0, "critical": None}
    nothing |= {"branches": 0}
    found = decided(exploratory=True, **(nothing | {"branches": 3}))
    in_vain = settled(kind="given_up", reason="in vain", lost_steps=2000, **nothing)
    seen = settled(kind="open", reason="reward is seen", signal=OTHER, **nothing)
    following = swapped(OTHER, old=SIGNAL.id, exploratory=True)
    return [
        (started(), 0, 0),
        (recorded(2000, 0.0), 2000, 0),
        (RoundStarted(round=1, signal=Signal().id), 2000, 0),
        (Observed(round=1, stage="no_signal", evidence=EVIDENCE), 2000, 0),
        (planned(), 2000, 0),
        (recorded(3000, 0.0), 3000, 0),
        (Diagnosed(round=1, diagnosis=DIAGNOSIS), 3000, 0),
        (checked(), 3000, 0),
        (checked(name="candidate_2", describe=OTHER.describe()), 3000, 0),
        (branch(score=0.0, largest=0.0), 3000, 1000),
        (branch(**first, score=0.0, largest=0.0), 3000, 2000),
        (branch(**second, score=0.0, largest=0.0), 3000, 3000),
        (found, 3000, 3000),
        (swapped(exploratory=True), 4000, 2000),
        (RoundFinished(round=1, adopted_steps=1000), 4000, 2000),
        (recorded(6000, 0.0), 6000, 2000),
        (in_vain, 4000, 4000),
        (following, 4000, 4000),
        (recorded(5000, 0.3), 5000, 4000),
        (seen, 5000, 4000),
        (recorded(TOTAL, 0.8), TOTAL, 4000),
        (RunFinished(rounds=1, signal=OTHER), TOTAL, 4000),
    ]


def expert_run() -> list[Line]:
    """A run that uses an expert at sight, and tries another one that is refused."""
    refused = auditioned(
        WORSE,
        passed=False,
        refusal="it earned nothing",
        promised=None,
        earned=0.0,
        error=0.0,
        noise=0.0,
        shares=(0.0,),
        late=(),
    )
    rejected: Changes = {"passed": False, "name": None, "remark": "it earned nothing"}
    nothing: Changes = {"effect": None, "z": None, "pairs": 0, "critical": None}
    worse, better = Proposal(signal=WORSE), Proposal(signal=EXPERT)
    outcome = decided().outcome.model_copy(
        update={"played": (played(worse, 0.0), played(better, 0.75))}
    )
    pulled = recorded(5000, 0.4).model_copy(update={"pull": 0.5, "agreement": 0.625})
    ended = recorded(TOTAL, 0.9).model_copy(update={"pull": 0.0})
    return [
        (started(), 0, 0),
        (recorded(2000, 0.0), 2000, 0),
        (RoundStarted(round=1, signal=Signal().id), 2000, 0),
        (Observed(round=1, stage="no_signal", evidence=EVIDENCE), 2000, 0),
        (Proposed(round=1, proposal=worse, refined=False), 2000, 0),
        (Proposed(round=1, proposal=better, refined=False), 2000, 0),
        (refused, 2000, 0),
        (checked(signal=WORSE.id, describe=WORSE.describe(), **rejected), 2000, 0),
        (auditioned(), 2000, 0),
        (checked(signal=EXPERT.id, describe=EXPERT.describe()), 2000, 0),
        (decided(exploratory=True, outcome=outcome, **nothing), 2000, 0),
        (swapped(EXPERT, exploratory=True), 2000, 0),
        (RoundFinished(round=1), 2000, 0),
        (pulled, 5000, 0),
        (ended, TOTAL, 0),
        (RunFinished(rounds=1, signal=EXPERT), TOTAL, 0),
    ]


def base_only_run() -> list[Line]:
    """A run that only recorded, up to the steps that ``whole_run`` has spent."""
    return [
        (started(budget=0.0), 0, 0),
        (recorded(6000, 0.3), 6000, 0),
        (RoundStarted(round=1, signal=Signal().id), 6000, 0),
        (RoundFinished(round=1, skipped="no budget"), 6000, 0),
        (recorded(12_000, 0.95), 12_000, 0),
        (recorded(15_000, 0.9, episodes=300), 15_000, 0),
        (RunFinished(rounds=1, signal=Signal()), 15_000, 0),
    ]
