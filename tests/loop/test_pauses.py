"""When the loop pauses, how long its branches are, and what lies between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.checks.check import Checks
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Decision, Provisional, Request, Trial
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.settings import Settings
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.report.page import write_report
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from also_wrappers.signal.transitions import Payments
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, ScriptedModel, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import wrap
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    LENIENT,
    ROLLOUT,
    TOTAL,
    callback,
    events,
    make_model,
    make_task,
)


def test_the_signal_fades_out_at_the_end_of_training(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    advisor = RecordedAdvisor([[HELPFUL]] * 9)
    model = make_model(run)
    options = {"fade_out": 0.5, "candidates": 1, "refinements": 0}
    model.learn(TOTAL, callback=callback(run, advisor, **options))
    run.close()
    assert events(run.dir, "swap")
    strengths = {
        event["window"]["steps"]: event["strength"]
        for event in events(run.dir, "record")
    }
    assert max(strengths.values()) == 1.0
    for steps, strength in strengths.items():
        # The strength is posted when a rollout begins, after its record.
        expected = min(2.0 * (1.0 - (steps - ROLLOUT) / TOTAL), 1.0)
        assert strength == pytest.approx(expected, abs=0.08)
    assert 0.0 <= run.board.read().strength <= 0.08
    rounds = [event["trainer_steps"]["mainline"] for event in events(run.dir, "branch")]
    assert max(rounds) <= TOTAL // 2
    for wrong in (-0.1, 1.0):
        with pytest.raises(ConfigurationError, match="share of the training"):
            callback(run, advisor, fade_out=wrong)


def test_a_signal_may_fade_by_itself(tmp_path: Path) -> None:
    """From when it was swapped in, whatever was adopted with it, over its share."""
    run = Run(make_task(), tmp_path / "run")
    fading = Proposal(signal=HELPFUL.signal.model_copy(update={"fade": 0.5}))
    advisor = RecordedAdvisor([[fading]])
    model = make_model(run)
    options = {"fade_out": 0.0, "candidates": 1, "refinements": 0, "every": 100_000}
    model.learn(TOTAL, callback=callback(run, advisor, **options))
    run.close()
    (swap,) = events(run.dir, "swap")
    assert "fading out within 50%" in swap["describe"]
    posted = run.board.read()
    since = swap["trainer_steps"]["mainline"] - 1024  # of the branch, already faded
    assert posted.since == since
    for event in events(run.dir, "record"):
        steps = event["window"]["steps"]
        if steps > swap["trainer_steps"]["mainline"] + ROLLOUT:
            expected = max(1.0 - (steps - ROLLOUT - since) / (TOTAL / 2), 0.0)
            assert event["strength"] == pytest.approx(expected, abs=0.08)
    assert posted.strength == 0.0
    with pytest.raises(ConfigurationError, match="there is no run; leave its fade out"):
        wrap(Corridor(), corridor_features(), signal=fading.signal)


def test_the_report_counts_what_a_model_claims(tmp_path: Path) -> None:
    claims = [
        {"key": "team.base_return.mean", "reads": "positive"},
        {"key": "team.episodes", "reads": "negative"},
    ]
    said: dict[str, Any] = {
        "findings": [
            {"failure": "stagnation", "severity": "minor", "argument": "", "claims": c}
            for c in (claims, claims[:1])
        ],
        "advice": "",
        "keep": "",
        "probes": [],
        "insufficient": False,
    }
    right = said | {"findings": said["findings"][1:]}
    model = ScriptedModel([json.dumps(said), json.dumps(right)])
    run = Run(make_task(), tmp_path / "run")
    advisor = LLMAdvisor(model)
    make_model(run).learn(TOTAL, callback=callback(run, advisor, every=100_000))
    run.close()
    asked = events(run.dir, "exchange")
    assert [
        (e["exchange"]["claims"], e["exchange"]["grounded"]) for e in asked[:2]
    ] == [(3, 2), (1, 1)]
    page = write_report(run.dir).read_text()
    # Two answers of the Critic, and one request too many of the Generator.
    assert "scripted, asked 3 time(s)" in page
    assert "75 % of 4 claims agree with the evidence" in page


def test_endless_environments_take_a_swap_at_the_next_step(tmp_path: Path) -> None:
    """Episodes of a million steps: nothing would ever reach them at a reset."""
    task = Task("Go on.", corridor_features(), swap_at="step")
    run = Run(task, tmp_path / "run")
    env = run.shape(Corridor(length=1000, limit=10**6))
    posted = run.board.read().model_copy(update={"version": 1, "gamma": 0.99})
    run.board.post(posted)
    env.reset(seed=0)
    on = dict.fromkeys(env.agents, 2)
    assert set(env.step(on)[1].values()) == {0.0}
    update = {"version": 2, "signal": HELPFUL.signal}
    run.board.post(posted.model_copy(update=update))
    assert all(reward > 0.0 for reward in env.step(on)[1].values())
    run.close()


def test_a_horizon_shrinks_to_what_is_left_of_the_training() -> None:
    wanted = {}
    for longest in (9000, 2300, 1400):
        plan = Plan.make(
            Settings(),
            Provisional(),
            horizon=3000,
            shortest=3000,
            budget=90_000,
            longest=longest,
            total=10_000,
            rollout=200,
            copy_steps=4,
        )
        wanted[longest] = plan if isinstance(plan, str) else plan.horizon
    assert wanted[9000] == 3000
    assert wanted[2300] == 2200
    assert wanted[1400] == (
        "too little of the planned training is left: a branch may have 1,400 steps, "
        "and takes 3,000; for more rounds, plan more steps or give a shorter horizon"
    )


class Asks(RecordedAdvisor):
    """Asks for probes in its first diagnosis, one of which cannot be recorded."""

    def __init__(self) -> None:
        super().__init__([[HARMFUL]] * 9)
        self.situations: list[Situation] = []

    def diagnose(self, situation: Situation) -> Diagnosis:
        probes = {"near": "team_min(place) > 0.5", "far off": "place", "bad": "plaice"}
        self.situations.append(situation)
        return Diagnosis(probes={} if situation.history else probes)


def test_what_a_diagnosis_asks_for_is_recorded_from_then_on(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    advisor = Asks()
    options = {"candidates": 1, "refinements": 0}
    make_model(run).learn(TOTAL, callback=callback(run, advisor, **options))
    run.close()
    now, later, *_ = advisor.situations
    assert later.evidence.conditions["near"] == "team_min(place) > 0.5"
    assert now.gamma == make_model(run).gamma
    assert now.horizon * len(now.agents) == events(run.dir, "branch")[0]["steps"]
    assert {len(episode.alive[0]) for episode in now.episodes} == {len(now.agents)}
    first, second, *_ = [e["evidence"]["values"] for e in events(run.dir, "evidence")]
    assert "condition.far.rate" in first
    assert "condition.near.rate" not in first
    assert 0.0 < second["condition.near.rate"] <= 1.0
    asked = {key.split(".")[1] for key in second if key.startswith("condition.")}
    assert asked == {"far", "near"}
    # What the trainer tells of itself needs two looks.
    agents = Corridor().possible_agents
    for agent in agents:
        assert f"{agent}.policy_drift" not in first
        assert second[f"{agent}.policy_drift"] > 0.0
    assert second["trainer.reward_volatility"] > 0.0


def test_rounds_can_wait_until_the_run_is_stuck(tmp_path: Path) -> None:
    """The corridor is learned soon: after the first rounds nothing is stuck."""
    played = {}
    for pause_on in ("interval", "stage"):
        run = Run(make_task(), tmp_path / pause_on)
        advisor = RecordedAdvisor([[HELPFUL]] * 9)
        options = {"pause_on": pause_on, "candidates": 1, "refinements": 0}
        make_model(run).learn(TOTAL, callback=callback(run, advisor, **options))
        run.close()
        played[pause_on] = [e["stage"] for e in events(run.dir, "evidence")]
    assert set(played["stage"]) <= {"no_signal", "plateau", "regression"}
    assert len(played["interval"]) > len(played["stage"])
    with pytest.raises(ConfigurationError, match="'interval' or 'stage'"):
        callback(run, advisor, pause_on="never")


class Promotes:
    """A gate without a conscience: it promotes the first candidate."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = [Request(arm, "screen", 0) for arm in range(arms)]
        wanted += [Request(arm, "confirm", 1) for arm in (0, 1)]
        missing = [w for w in wanted if w not in {t.request for t in trials}]
        return missing or Decision(
            "provisional", "promoted regardless", 1, Request(1, "confirm", 1)
        )


def test_a_swap_that_turns_out_to_be_hacked_is_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pay for standing still outweighs the base reward: return falls, pay rises."""
    refused: list[str] = []
    # The checks see this trap; one that they do not see has to be made by hand.
    effect = Checks._effect

    def blind(checks: Checks, pay: Payments) -> str:
        refused.append(effect(checks, pay))
        return ""

    monkeypatch.setattr(Checks, "_effect", blind)
    run = Run(make_task(), tmp_path / "run")
    stay = Term(name="stay", kind="bonus", expression="1 - place", weight=5.0)
    trap = Proposal(signal=Signal(terms=(stay,)))
    gate: Any = Promotes()
    model = make_model(run, batch_size=64)  # it has to have learned by then
    total = 24_576
    model.learn(
        total,
        callback=callback(
            run,
            RecordedAdvisor([[trap]]),
            first=6144,
            every=100_000,
            horizon=256,
            gate=gate,
        ),
    )
    assert "agents would stay" in refused[0]
    (swap,) = events(run.dir, "swap")
    (rollback,) = events(run.dir, "rollback")
    assert Signal.model_validate(swap["signal"]) == trap.signal
    assert rollback["fall"] > 0.0
    assert run.board.read().signal == Signal()
    counts = events(run.dir)[-1]["trainer_steps"]
    assert counts["mainline"] == model.num_timesteps == total
    assert counts["branches"] >= rollback["lost_steps"] > 0
    last = events(run.dir, "record")[-1]
    assert last["window"]["mean"] > 0.8, "the weights were rolled back as well"


def test_declared_events_decide_where_the_reward_is_out_of_reach(
    tmp_path: Path,
) -> None:
    def venv(shape: Any) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(length=60, limit=20)), 8)

    task = Task("Walk.", corridor_features(), {"far": "team_max(place) > 0.6"})
    run = Run(task, tmp_path / "run")
    model = PPO(
        "MlpPolicy",
        venv(run.shape),
        n_steps=64,
        batch_size=256,
        learning_rate=3e-3,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    adapting = AdaptationCallback(
        run,
        venv,
        RecordedAdvisor([[HELPFUL]]),
        first=1024,
        every=100_000,
        horizon=2048,
        candidates=1,
        budget=5.0,
        gate=LENIENT,
        executor=SerialExecutor(),
    )
    model.learn(10_240, adapting)
    run.close()
    (decision,) = events(run.dir, "decision")
    assert decision["exploratory"]
    assert decision["winner"] == "candidate_1"
    assert "how early far held, it stands out" in decision["reason"]
    assert {b["score"] for b in events(run.dir, "branch")} == {0.0}
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    assert swap["exploratory"]
    assert "how early far held" in write_report(run.dir).read_text()
    # It led to no base reward, which is out of reach.
    (settled,) = events(run.dir, "settled")
    assert settled["kind"] == "given_up"
    assert run.board.read().signal == Signal()
