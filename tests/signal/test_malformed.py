"""Whatever a model writes as an expert is refused with a reason, or advises something.

First each step by itself, ten thousand times; then inside a run.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from also_wrappers.advisors import Advisor, RecordedAdvisor, Situation
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.exceptions import AlsoError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Actions, Signal
from also_wrappers.signal.advice import Advice
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.advice import DRIVE, FEATURES, TEAM, WALK
from tests.support.corridor import TOTAL, callback, events, make_model, make_task
from tests.support.malformed import malformed
from tests.support.trainers import ACTIONS


def episode() -> EpisodeRows:
    rows = np.random.default_rng(0).normal(size=(6, len(TEAM), len(FEATURES.names)))
    there = np.ones((6, len(TEAM)), dtype=bool)
    return EpisodeRows(rows, np.zeros((5, len(TEAM))), there, 0.0, True, True)


def compiled(signal: Signal, actions: Actions) -> Advice | None:
    try:
        return Advice(signal, FEATURES, actions, TEAM)
    except AlsoError:
        return None


def test_ten_thousand_malformed_experts_raise_nothing_but_our_own() -> None:
    chance = random.Random(0)
    numbers = [0.0, 1.0, -2.0, 0.3, float("nan"), float("inf")]
    rows = np.array(chance.choices(numbers, k=4 * 3 * 8)).reshape(4, 3, 8)
    alive = np.array([[True, False, True]] * 4)
    built = valid = spoken = 0
    for number in range(10_000):
        actions = (WALK, DRIVE)[number % 2]
        made = malformed(chance, actions.says, FEATURES.names)
        try:
            proposal = Proposal.model_validate({"signal": made})
        except ValidationError:
            continue
        built += 1
        checks = Checks(FEATURES, TEAM, [episode()], 1.0, 0.9, actions=actions)
        admitted, remark = checks.check(proposal, [])
        assert (admitted is None) == bool(remark), "it is refused with a reason"
        if proposal.signal.expert is None:
            continue
        advice = compiled(proposal.signal, actions)
        if advice is None:
            assert admitted is None
            continue
        valid += 1
        scalar = [advice(state, [0, 2]) for state in rows.tolist()]
        assert advice.batch(rows, alive).tolist() == scalar
        assert all(state[1] == 0 for state in scalar)
        assert all(0 <= bits < 1 << 63 for state in scalar for bits in state)
        spoken += any(any(state) for state in scalar)
    assert 3000 < built < 5000
    assert 600 < valid < 1200
    assert 600 < spoken < valid


def buildable(count: int) -> list[Proposal]:
    """Experts for the corridor that can be built, and are wrong all the same."""
    chance = random.Random(1)
    features = corridor_features()
    proposals: list[Proposal] = []
    while len(proposals) < count:
        made = malformed(chance, ACTIONS.says, features.names[:2])
        try:
            proposal = Proposal.model_validate({"signal": made})
        except ValidationError:
            continue
        signal = proposal.signal
        if signal.expert is None or signal.terms:
            continue
        try:
            Advice(signal, features, ACTIONS, ["agent_0", "agent_1"])
        except AlsoError:
            proposals.append(proposal)
    return proposals


def with_actions() -> Task:
    task = make_task()
    return Task(task.description, task.features, task.conditions, actions=ACTIONS)


def test_a_run_goes_on_whatever_experts_it_is_offered(tmp_path: Path) -> None:
    run = Run(with_actions(), tmp_path / "run")
    model = make_model(run)
    advisor = RecordedAdvisor([buildable(40) for _ in range(3)])
    model.learn(TOTAL, callback=callback(run, advisor, candidates=20, verbose=0))
    run.close()
    assert model.num_timesteps == TOTAL
    checks = events(run.dir, "check")
    assert len(checks) >= 60
    for check in checks:
        assert not check["passed"]
        assert 10 < len(check["remark"]) < 2000
    assert not events(run.dir, "branch")
    assert not events(run.dir, "advisor_error")
    assert run.board.read().signal == Signal()


class Careless(Advisor):
    """Proposes what cannot be built, or has not built it."""

    name = "careless"

    def __init__(self, build: bool) -> None:
        super().__init__()
        self._build = build

    def diagnose(self, situation: Situation) -> Diagnosis:
        return Diagnosis(advice="go on")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        rules: Any = [{"when": 3, "do": None}]
        made: Any = {"signal": {"expert": {"rules": rules}}}
        return [Proposal.model_validate(made) if self._build else made]


@pytest.mark.parametrize("build", [True, False])
def test_an_advisor_that_cannot_build_its_experts_costs_its_answer_or_the_round(
    tmp_path: Path, build: bool
) -> None:
    run = Run(with_actions(), tmp_path / "run")
    model = make_model(run)
    model.learn(2048, callback=callback(run, Careless(build), verbose=0))
    run.close()
    assert model.num_timesteps == 2048
    reasons = [error["error"] for error in events(run.dir, "advisor_error")]
    if not build:  # it costs the round
        reasons = [event["skipped"] for event in events(run.dir, "round_finished")]
    assert reasons
    assert all("expert.rules.0.when" in reason for reason in reasons)
