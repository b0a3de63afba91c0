"""Auditions: what an expert earns is known before any branch is trained with it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.provisional import Provisional
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.audition import Auditions, Verdict
from also_wrappers.loop.journal import Journal
from also_wrappers.loop.plan import Plan
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.meter import read_meter
from also_wrappers.run.run import Run
from also_wrappers.signal import Action, Actions, Expert, Feature, FeatureMap, Rule
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape
from tests.support.corridor import (
    HELPFUL,
    TOTAL,
    callback,
    check_every_step_is_counted_once,
    events,
    make_model,
)
from tests.support.trainers import ACTIONS, Masked
from tests.support.walker import ROLLOUT, Walker, Work


def expert(*rules: tuple[str, str]) -> Signal:
    said = tuple(Rule(when=when, do=do) for when, do in rules)
    return Signal(expert=Expert(rules=said))


ON, BACK, SILENT = expert(("1", "on")), expert(("1", "back")), expert(("0", "on"))


def task(**options: Any) -> Task:
    return Task("Walk.", corridor_features(), actions=ACTIONS, **options)


class Stage:
    """A run at rest, whose experts play in corridors of a length.

    Args:
        folder: Where to record.
        length: Cells of the corridor; ten cannot be walked within the limit of 8.
        total: Trainer steps that are planned.
        **options: Of the task.
    """

    def __init__(
        self, folder: Path, length: int = 6, total: int = 40_960, **options: Any
    ) -> None:
        self.run = Run(task(**options), folder)
        self._length = length
        model = PPO(
            "MlpPolicy",
            self.make_venv(self.run.shape),
            n_steps=16,
            batch_size=64,
            policy_kwargs={"net_arch": [8]},
            seed=1,
            device="cpu",
        )
        model.learn(128)
        self.trainer = SB3Trainer(model, self.make_venv, total)
        plan = Plan(1, 0, 10**6, 10**6, 10**6, 10**6, 8, 0)
        journal = Journal(self.run.dir / "journal.jsonl")
        self.auditions = Auditions(1, self.run, self.trainer, plan, journal)

    def make_venv(self, shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(self._length, limit=8)), 4)

    def play(self, signal: Signal) -> tuple[Verdict, dict[str, Any]]:
        verdict = self.auditions.play(signal)
        return verdict, events(self.run.dir, "audition")[-1]


def test_an_expert_that_earns_more_is_tried_with_what_it_promises(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    verdict, event = stage.play(ON)
    assert verdict.refusal == ""
    assert verdict.promised == 1.0
    assert verdict.alone
    assert event["passed"]
    assert event["earned"] == 1.0
    assert event["policy"] < 0.5
    assert event["noise"] == 0.0
    assert event["coverage"] == 1.0
    assert event["episodes"] == 12, "ten suffice, in whole rounds of four copies"
    steps = stage.run.accounting.evaluation
    assert steps == event["steps"]
    assert steps >= 3 * 12 * 2 * 3
    assert stage.run.accounting.branches == 0
    # The policy alone has been played for all experts of the round.
    _, again = stage.play(ON)
    assert again["policy"] == event["policy"]
    assert again["steps"] < steps
    assert stage.run.accounting.evaluation == steps + again["steps"]


def test_what_a_stopped_audition_played_is_counted_and_a_kill_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    steps, metered = 0, []
    walk = PettingZooVecEnv.step_wait

    def stopped(venv: PettingZooVecEnv) -> Any:
        nonlocal steps
        metered.append(read_meter(stage.run.dir / "steps")[1])
        if len(metered) == 6:
            raise KeyboardInterrupt
        steps += venv.num_envs
        return walk(venv)

    with monkeypatch.context() as patch:
        patch.setattr(PettingZooVecEnv, "step_wait", stopped)
        with pytest.raises(KeyboardInterrupt):
            stage.play(ON)
    # Whenever a kill comes, the meter says what was played until then.
    assert metered == [place * 8 for place in range(6)]
    assert stage.run.accounting.evaluation == steps == 40
    assert read_meter(stage.run.dir / "steps")[1] == 0


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (BACK, r"time ran out, mostly while rule 1 \(back\) held"),
        (SILENT, "no rule ever held"),
        (expert(("1", "back"), ("1", "on")), "no turn ever came to rule 2"),
    ],
    ids=["harmful", "silent", "in vain"],
)
def test_what_is_no_better_than_the_policy_is_refused_with_the_reason(
    tmp_path: Path, signal: Signal, said: str
) -> None:
    verdict, event = Stage(tmp_path).play(signal)
    assert not event["passed"]
    assert verdict.promised is None
    assert verdict.refusal.startswith(f"the expert earned {event['earned']:.3g} (error")
    assert f"the policy alone {event['policy']:.3g}" in verdict.refusal
    assert re.search(said, verdict.refusal)


def test_the_distance_is_how_seldom_the_policy_does_what_is_good(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    parts: Any = stage.trainer.model.policy.action_net
    with th.no_grad():
        parts.weight.zero_()
        parts.bias.copy_(th.log(th.tensor([0.2, 0.3, 0.5])))
    for signal, probability in ((BACK, 0.3), (ON, 0.5)):
        verdict, event = stage.play(signal)
        error = 4 * (probability * (1 - probability) / (event["episodes"] * 12)) ** 0.5
        assert event["distance"] == pytest.approx(1 - probability, abs=error)
        assert verdict.played is not None
        assert verdict.played.distance == event["distance"]
    assert stage.play(SILENT)[1]["distance"] is None


def test_where_it_is_silent_the_policy_acts(tmp_path: Path) -> None:
    _, event = Stage(tmp_path, length=4).play(expert(("place < 0.5", "on")))
    assert 0.3 < event["coverage"] < 0.9
    assert event["shares"] == [event["coverage"]]
    assert event["late"]
    assert event["late"][0] < event["coverage"] + 0.2
    assert event["policy"] < event["earned"]


def test_training_goes_on_as_if_nothing_had_been_played(tmp_path: Path) -> None:
    ends, draws = [], []
    for name in ("played", "not played"):
        stage = Stage(tmp_path / name)
        if name == "played":
            stage.play(ON)
        draws.append((random.random(), np.random.random(), float(th.rand(1))))
        stage.trainer.model.learn(256, reset_num_timesteps=False)
        ends.append(stage.trainer.model.policy.state_dict())
    assert draws[0] == draws[1]
    assert all(th.equal(a, b) for a, b in zip(*map(dict.values, ends), strict=True))


def test_where_nothing_is_earned_declared_conditions_speak(tmp_path: Path) -> None:
    conditions = {"far": "team_min(place) > 0.95"}
    stage = Stage(tmp_path / "run", length=20, conditions=conditions)
    verdict, event = stage.play(ON)
    assert event["earned"] == event["policy"] == 0.0
    assert not event["passed"], "nobody gets so far within the limit"
    conditions = {"far": "team_min(place) > 0.3"}
    stage = Stage(tmp_path / "other", length=20, conditions=conditions)
    verdict, event = stage.play(ON)
    assert event["passed"]
    assert verdict.refusal == ""
    assert verdict.promised is None, "its pull does not end by itself"
    assert not verdict.alone
    assert stage.play(BACK)[0].refusal
    without = Stage(tmp_path / "without", length=20)
    assert "earned 0 " in without.play(ON)[0].refusal


def test_forbidden_actions_are_not_played(tmp_path: Path) -> None:
    both = Actions((Action("left", 0), Action("right", 1)))
    features = FeatureMap(Feature("angle", "obs[2]"))

    def make_venv(shape: Callable[[Any], Any]) -> DummyVecEnv:
        return DummyVecEnv([lambda: shape(Masked()) for _ in range(2)])

    model = MaskablePPO("MlpPolicy", make_venv(lambda env: env), device="cpu")
    trainer = SB3Trainer(model, make_venv, 1000)
    left = expert(("1", "left"))
    posting = Posting(version=1, signal=left, gamma=0.99)
    board = Board.create(tmp_path / "board", posting)
    balance = Task("Stay up.", features, actions=both)
    for noise in (0.0, 0.5):
        # The environment refuses what its mask forbids.
        played = trainer.audition(
            Shape(balance, board), 6, 3, noise, lambda steps: None
        )
        assert len(played.returns) == 6
        assert played.steps >= sum(played.returns)


def candidates(*signals: Signal) -> list[Proposal]:
    return [Proposal(signal=signal, intent="expert") for signal in signals]


def test_of_many_experts_the_better_half_plays_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stay = expert(("1", "stay"))
    ranked = stage.auditions.rank(candidates(BACK, stay, SILENT, ON))
    assert ranked[0].proposal.signal == ON
    assert ranked[0].earned > 0.9
    assert ranked[0].coverage == 1.0
    assert {one.earned for one in ranked[1:]} == {ranked[0].policy} == {0.0}
    (event,) = events(stage.run.dir, "ranking")
    assert event["played"] == 4
    assert event["best"] == ON.model_dump(mode="json")
    assert event["steps"] == stage.run.accounting.evaluation
    # All play 12 episodes of at most 8 steps; the best one and the policy 40.
    assert event["steps"] <= 2 * 8 * (3 * 12 + 2 * 40)


def test_a_ranking_plays_a_tenth_of_the_plan_and_leaves_out_the_rest(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, length=20, total=4096)
    many = [expert((f"place < {k / 100}", "back")) for k in range(30)]
    ranked = stage.auditions.rank(candidates(*many))
    steps = stage.run.accounting.evaluation
    assert 4096 // 10 <= steps < 4096 // 10 + 2 * 8 * 12
    assert 0 < len(ranked) < 5
    assert stage.auditions.rank(candidates(ON)) == [], "nothing is left for others"


def test_a_ranking_goes_by_conditions_where_nothing_is_earned(tmp_path: Path) -> None:
    conditions = {"far": "team_min(place) > 0.3"}
    stage = Stage(tmp_path, length=20, conditions=conditions)
    best, other = stage.auditions.rank(candidates(BACK, ON))
    assert best.proposal.signal == ON
    assert best.earned == other.earned == 0.0
    assert best.rate > other.rate


def test_the_best_of_many_experts_is_used_and_the_others_count_as_tried(
    tmp_path: Path,
) -> None:
    class Many(RecordedAdvisor):
        def experts(self, situation: Situation) -> list[Proposal]:
            asked = situation.played or situation.history
            return [] if asked else candidates(BACK, ON)

    advisor = Many([[]])
    run = Run(task(), tmp_path / "run")
    learning = callback(
        run, advisor, gate=Provisional(), candidates=1, refinements=0, first=512
    )
    make_model(run).learn(TOTAL, learning)
    (swap,) = events(run.dir, "swap")
    assert swap["signal"]["expert"]["rules"][0]["do"] == "on"
    (first, *_) = learning.adaptation.history
    assert {one.proposal.signal for one in first.played} == {BACK, ON}
    assert [arm.proposal.signal for arm in first.arms] == [ON]
    check_every_step_is_counted_once(run.dir, TOTAL)
    run.close()


def test_experts_that_cannot_be_played_are_not_asked_for_again(tmp_path: Path) -> None:
    class Insisting(RecordedAdvisor):
        asked = 0

        def experts(self, situation: Situation) -> list[Proposal]:
            self.asked += 1
            if self.asked > 9:
                raise KeyboardInterrupt("it is asked for ever")
            played = {one.proposal.signal for one in situation.played}
            many = (expert((f"place < {k / 100}", "back")) for k in range(1, 40))
            return candidates(*(one for one in many if one not in played))

    advisor = Insisting([[]])
    run = Run(task(), tmp_path / "run")
    options = {"candidates": 1, "refinements": 0, "every": 100_000}
    make_model(run).learn(TOTAL, callback(run, advisor, **options))
    assert 1 < advisor.asked < 9
    (ranking, *_) = events(run.dir, "ranking")
    assert 0 < ranking["played"] < 39
    check_every_step_is_counted_once(run.dir, TOTAL)
    run.close()


class Mending(RecordedAdvisor):
    """Keeps what it was told of its rejected candidates."""

    def __init__(self, rounds: list[list[Proposal]]) -> None:
        super().__init__(rounds)
        self.reasons: list[str] = []

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        self.reasons = [rejection.reason for rejection in situation.rejected]
        return super().propose(situation, k)


@pytest.mark.parametrize("slow", [False, True])
def test_a_refused_expert_goes_back_and_a_mended_one_is_used(
    tmp_path: Path, slow: bool
) -> None:
    run = Run(task(success="base_return >= 1"), tmp_path / "run")
    advisor = Mending([[Proposal(signal=BACK), Proposal(signal=ON)]])
    advisor.slow = slow
    options = {"candidates": 1, "refinements": 0, "every": 100_000}
    model = make_model(run)
    model.learn(TOTAL, callback=callback(run, advisor, **options))
    run.close()
    assert len(advisor.reasons) == 1
    assert "rule 1 (back)" in advisor.reasons[0]
    first, second = events(run.dir, "audition")
    assert not first["passed"]
    assert second["passed"]
    checks = [(event["name"], event["remark"]) for event in events(run.dir, "check")]
    assert checks == [(None, advisor.reasons[0]), ("candidate_1", "")]
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == ON
    posted = run.board.read()
    assert posted.signal == ON
    assert posted.promised == second["earned"]
    (outcome,) = events(run.dir, "decision")[0]["outcome"]["arms"]
    assert outcome["promised"] == second["earned"]
    check_every_step_is_counted_once(run.dir, TOTAL)
    counts = events(run.dir)[-1]["trainer_steps"]
    played = first["steps"] + second["steps"]
    assert counts["evaluation"] == played + 256  # of the rehearsal


def test_an_expert_in_force_plays_again_at_every_round(tmp_path: Path) -> None:
    run = Run(task(), tmp_path / "run")
    learning = callback(
        run,
        RecordedAdvisor([[Proposal(signal=ON)], []]),
        gate=Provisional(),
        refinements=0,
        horizon=512,
    )
    make_model(run).learn(TOTAL // 2, learning)
    first, *others = events(run.dir, "audition")
    assert not first["active"]
    assert others
    assert all(event["active"] for event in others)
    assert all(event["signal"] == ON.id for event in others)
    promised = [e["promised"] for e in (first, *others) if e["promised"] is not None]
    assert run.board.read().promised == promised[-1], "the last that was clear"
    check_every_step_is_counted_once(run.dir, TOTAL // 2)
    run.close()


@pytest.mark.parametrize("signal", [ON, HELPFUL.signal], ids=["expert", "terms"])
def test_where_no_branch_can_be_paid_an_expert_may_need_none(
    tmp_path: Path, signal: Signal
) -> None:
    def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(16, limit=80)), 8)

    run = Run(task(), tmp_path / "run")
    model = PPO("MlpPolicy", make_venv(run.shape), n_steps=16, seed=0, device="cpu")
    learning = AdaptationCallback(
        run,
        make_venv,
        RecordedAdvisor([[Proposal(signal=signal)]]),
        first=2048,
        pause_on="interval",
        executor=SerialExecutor(),
        verbose=0,
    )
    model.learn(2 * TOTAL, learning)
    run.close()
    assert events(run.dir, "branch") == []
    swaps = [event["signal"] for event in events(run.dir, "swap")]
    assert swaps == ([ON.model_dump(mode="json")] if signal == ON else [])
    if signal != ON:
        assert "branch budget" in events(run.dir, "decision")[0]["reason"]
    check_every_step_is_counted_once(run.dir, 2 * TOTAL)


def test_a_trainer_that_does_not_imitate_says_why(tmp_path: Path) -> None:
    run = Run(task(), tmp_path / "run")
    walker = Walker(run.shape, 20 * ROLLOUT, Work())
    adaptation = Adaptation(
        run,
        RecordedAdvisor([[Proposal(signal=ON)]]),
        first=2 * ROLLOUT,
        horizon=2 * ROLLOUT,
        pause_on="interval",
        budget=9.0,
    )
    while walker.steps < 4 * ROLLOUT:
        adaptation.step(walker)
        walker.train()
    adaptation.finish(walker)
    run.close()
    (check,) = events(run.dir, "check")
    assert check["remark"] == "a walker imitates nobody; propose terms"
    assert events(run.dir, "audition") == []
    with pytest.raises(ConfigurationError, match="imitates nobody"):
        walker.audition()
