"""The ledger of a run of many rounds, without a run: what a page has to stand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.summary import summarise
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import (
    Diagnosed,
    Event,
    Observed,
    Proposed,
    RoundFinished,
    RoundStarted,
    RunFinished,
)
from also_wrappers.proposals.outcomes import ArmOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from tests.support.ledgers import (
    DIAGNOSIS,
    auditioned,
    branch,
    checked,
    decided,
    exchange,
    planned,
    recorded,
    settled,
    started,
    swapped,
)

__all__ = ["BRANCHES", "CANDIDATES", "events_of", "write_long_run"]

#: Candidates of a round, and branches of a round: two of each candidate and of control.
CANDIDATES = 4
BRANCHES = 2 * (CANDIDATES + 1)
#: Trainer steps between two rounds, records in them, and trainer steps of a branch.
_EVERY, _RECORDS, _HORIZON = 40_000, 40, 4000
#: Characters of a request to a model and of its answer.
_ASKED, _ANSWERED = 10_000, 1200


def write_long_run(run_dir: Path, rounds: int, *, finished: bool = True) -> Path:
    """Writes the ledger of a run of two agents, and returns the run's directory.

    Args:
        run_dir: The directory, which is made.
        rounds: Number of its rounds, of ``BRANCHES`` branches each.
        finished: Whether the run has finished.
    """
    run_dir.mkdir(parents=True)
    with (run_dir / "ledger.jsonl").open("w", encoding="utf-8") as file:
        for event in events_of(rounds):
            if finished or not isinstance(event, RunFinished):
                file.write(f"{event.model_dump_json()}\n")
    return run_dir


def events_of(rounds: int) -> Iterator[Event]:
    """Yields the events of a run, stamped as a ledger would."""
    spent = Accounting(agents_per_env=2)
    time = 1e9

    def stamped(event: Event) -> Event:
        nonlocal time
        time += 0.25
        steps = {
            "env_steps": spent.env_steps(),
            "trainer_steps": spent.trainer_steps(),
        }
        return event.model_copy(update={"time": time, **steps})

    source = random.Random(0)
    active = Signal()
    yield stamped(started(total=rounds * _EVERY, every=_EVERY, rounds=rounds))
    for number in range(1, rounds + 1):
        for _ in range(_RECORDS):
            spent.mainline += _EVERY // _RECORDS
            mean = spent.mainline / (rounds * _EVERY) + source.uniform(-0.1, 0.1)
            yield stamped(recorded(spent.mainline, mean))
        for event in _round(number, active, source):
            if event.event == "branch":
                spent.branches += _HORIZON
            elif event.event == "swap" or event.event == "settled":
                active = event.signal
            yield stamped(event.model_copy(update={"round": number}))
    yield stamped(RunFinished(rounds=rounds, signal=active))


def _round(number: int, active: Signal, source: random.Random) -> Iterator[Event]:
    """Yields the events of one round; every fourth swaps a signal in."""
    proposals = [
        Proposal(signal=Signal(terms=_terms(number, k)), rationale="it leads there")
        for k in range(1, CANDIDATES + 1)
    ]
    yield RoundStarted(signal=active.id, round=number)
    yield Observed(stage="improvement", evidence=_evidence(source), round=number)
    yield planned(candidates=CANDIDATES, horizon=_HORIZON)
    for role in ("critic", "generator", "generator", "generator"):
        yield exchange(
            role=role,
            prompt="what is <going> on here? " * (_ASKED // 25),
            answer="it is so & not else " * (_ANSWERED // 20),
        )
    yield Diagnosed(diagnosis=DIAGNOSIS, round=number)
    yield auditioned()
    for k, proposal in enumerate(proposals, start=1):
        yield Proposed(proposal=proposal, refined=False, round=number)
        about = {"signal": proposal.signal.id, "describe": proposal.signal.describe()}
        yield checked(name=f"candidate_{k}", **about)
        refused = {"passed": False, "name": None, "remark": "it was tried before"}
        yield checked(**about, **refused)
    for k in range(BRANCHES):
        arm = k % (CANDIDATES + 1)
        score = source.uniform(0.0, 0.2) + 0.1 * arm
        yield branch(
            name=f"candidate_{arm}" if arm else "control",
            signal=proposals[arm - 1].signal.id if arm else active.id,
            arm=arm,
            index=k // (CANDIDATES + 1),
            steps=_HORIZON,
            score=score,
            points=tuple(score * share / 8 for share in range(1, 9)),
            errors=(0.05,) * 8,
            done=k + 1,
            of=BRANCHES,
        )
    best = proposals[-1]
    arms = tuple(ArmOutcome(proposal=one, outcome="lost") for one in proposals)
    swaps = number % 4 == 0
    outcome = decided().outcome.model_copy(update={"round": number, "arms": arms})
    yield decided(
        winner=f"candidate_{CANDIDATES}" if swaps else None,
        kind="provisional" if swaps else "no_change",
        branches=BRANCHES,
        outcome=outcome,
    )
    if swaps:
        yield swapped(best.signal, old=active.id)
        yield settled(signal=best.signal)
    yield RoundFinished(round=number)


def _terms(number: int, k: int) -> tuple[Term, ...]:
    """Returns the two terms of a candidate, which no other one has."""
    weight = round(0.001 * number + 0.1 * k, 4)
    near, far = f"-food{k}_distance", "team_max(food0_distance) * 0.5"
    return (
        Term(name="near", kind="progress", expression=near, weight=weight),
        Term(name="far", kind="bonus", expression=far, weight=-weight, rationale="so"),
    )


def _layout() -> Layout:
    kinds = ("distance", "dx", "dy")
    named = [f"food{k}_{kind}" for k in range(6) for kind in kinds]
    features = FeatureMap(
        *(Feature(name, f"obs[{k}]", low=-1, high=1) for k, name in enumerate(named))
    )
    return Layout.declare(("agent_0", "agent_1"), features, ((6,), (6,)))


_LAYOUT = _layout()


def _evidence(source: random.Random) -> Evidence:
    """Returns evidence with as many numbers as that of a foraging task."""
    values = _LAYOUT.empty()
    random_values = np.random.default_rng(source.randrange(2**31))
    values[:] = random_values.random(len(values)) + 50.0
    return summarise(_LAYOUT, values, Signal())
