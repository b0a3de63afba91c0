"""The loop, end to end, on a tiny environment."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.exceptions import AdvisorError, ConfigurationError, FeatureError
from also_wrappers.gate import Gate
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.report.page import write_report
from also_wrappers.run.run import Run
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    ROLLOUT,
    TOTAL,
    callback,
    check_every_step_is_counted_once,
    events,
    make_model,
    make_task,
    make_venv,
)


def test_a_helpful_signal_is_swapped_in_and_every_step_is_counted(
    tmp_path: Path,
) -> None:
    run = Run(make_task(), tmp_path / "run")
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]])
    model = make_model(run)
    model.learn(TOTAL, callback=callback(run, advisor, every=100_000))
    run.close()
    (swap,) = events(run.dir, "swap")
    assert Signal.model_validate(swap["signal"]) == HELPFUL.signal
    posted = run.board.read()
    assert posted.signal == HELPFUL.signal
    assert posted.gamma == model.gamma
    assert set(run.board.acknowledged().values()) == {posted.version}
    # The lineage is as long as it was asked to be, adopted branch included.
    assert model.num_timesteps == TOTAL
    last = events(run.dir)[-1]
    assert last["event"] == "run_finished"
    branches = sum(event["steps"] for event in events(run.dir, "branch"))
    adopted = events(run.dir, "round_finished")[0]["adopted_steps"]
    assert adopted == 1024
    counts = last["trainer_steps"]
    assert counts["mainline"] == TOTAL
    # Branches began from the first checkpoint, as nothing had been learned until then.
    lost = events(run.dir, "round_finished")[0]["lost_steps"]
    assert lost == 1024
    assert counts["branches"] == branches - adopted + lost
    assert counts["evaluation"] == ROLLOUT  # of the rehearsal
    assert counts["total"] == TOTAL + branches - adopted + lost + ROLLOUT
    assert last["env_steps"]["total"] == counts["total"] // 2
    kinds = [event["event"] for event in events(run.dir)]
    first = [kinds.index(k) for k in ("evidence", "diagnosis", "proposal", "check")]
    assert first == sorted(first)
    for name in ("evidence.json", "candidates.json", "branches.jsonl", "decision.json"):
        assert (run.dir / "rounds" / "0001" / name).exists(), name
    schedule = json.loads((run.dir / "schedule.json").read_text())
    assert Signal.model_validate(schedule[0]["signal"]) == HELPFUL.signal
    drawn = EventAccumulator(str(run.dir / "tensorboard" / "mainline"))
    drawn.Reload()
    tags = drawn.Tags()
    wanted = {"base_return", "shaped_return", "env_steps_total", "env_steps_branches"}
    wanted |= {"env_steps_mainline", "env_steps_evaluation"}
    wanted |= {"decision/swapped", "decision/effect"}
    assert {f"also/{name}" for name in wanted} <= set(tags["scalars"])
    assert "also/signal/text_summary" in tags["tensors"]
    assert len(list((run.dir / "tensorboard" / "arms").iterdir())) == 3
    page = write_report(run.dir).read_text()
    assert "Swapped in as" in page
    # The returns twice, the courses and scores of the arms; and what was seen.
    assert page.count("<svg") >= 4


def test_an_impossible_gate_changes_nothing_but_adopts_controls_branch(
    tmp_path: Path,
) -> None:
    run = Run(make_task(), tmp_path / "run")
    gate = Gate(critical=1e9, max_pairs=2)
    model = make_model(run)
    options = {"gate": gate, "horizon": 2048}
    model.learn(6144, callback=callback(run, RecordedAdvisor([[HELPFUL]]), **options))
    assert events(run.dir, "swap") == []
    assert run.board.read().signal == Signal()
    first = events(run.dir, "round_finished")[0]
    assert first["adopted_steps"] == 2048
    assert model.num_timesteps == 6144
    # The recording has one round; the others are skipped, and training goes on.
    assert len(events(run.dir, "advisor_error")) == len(events(run.dir, "decision")) - 1


@pytest.mark.parametrize(
    ("advisor", "total"), [(RuleAdvisor(), 5120), (BlindAdvisor(3), 3072)]
)
def test_advisors_without_a_model_play_whole_rounds(
    tmp_path: Path, advisor: Any, total: int
) -> None:
    run = Run(make_task(), tmp_path / "run")
    pauses = {"first": 512, "every": 512, "horizon": 512}
    make_model(run).learn(total, callback=callback(run, advisor, **pauses))
    assert events(run.dir, "advisor_error") == []
    assert len(events(run.dir, "decision")) >= 2
    assert len(events(run.dir, "proposal")) >= 4


class Broken(RuleAdvisor):
    """Fails in one of its answers."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__()
        self._where = where
        self._error = error

    def _fail(self, where: str) -> None:
        if where == self._where:
            raise self._error

    def diagnose(self, situation: Any) -> Diagnosis:
        self._fail("diagnosis")
        return super().diagnose(situation)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        self._fail("refinement" if situation.results else "proposal")
        return super().propose(situation, k)


@pytest.mark.parametrize("where", ["diagnosis", "proposal", "refinement"])
def test_an_advisor_that_fails_costs_a_step_and_not_the_run(
    tmp_path: Path, where: str
) -> None:
    run = Run(make_task(), tmp_path / "run")
    error = AdvisorError("gone") if where == "proposal" else KeyError("a bug")
    model = make_model(run)
    options = {"first": 3072, "every": 100_000}  # by then it has learned something
    model.learn(6144, callback=callback(run, Broken(where, error), **options))
    (recorded,) = events(run.dir, "advisor_error")
    assert recorded["asked_for"] == where
    assert model.num_timesteps == 6144
    assert events(run.dir)[-1]["event"] == "run_finished"


def test_the_budget_is_kept_and_what_it_prevents_is_said(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    proposals = RecordedAdvisor([[HELPFUL, HARMFUL]] * 3)
    gate = Gate(critical=1e9, max_pairs=50)
    make_model(run).learn(
        TOTAL, callback=callback(run, proposals, gate=gate, budget=0.25)
    )
    assert 0 < events(run.dir)[-1]["trainer_steps"]["branches"] <= 0.25 * TOTAL
    reasons = [event["reason"] for event in events(run.dir, "decision")]
    assert "steps of the branch budget are left, and what is asked next" in reasons[0]
    skipped = [e["skipped"] for e in events(run.dir, "round_finished") if e["skipped"]]
    assert any("budget are left" in reason for reason in skipped)


class Crash(BaseCallback):
    """Ends a run as a crash would, at a given number of steps."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._at:
            raise RuntimeError("the lights went out")
        return True


def test_a_run_that_crashed_goes_on(tmp_path: Path) -> None:
    at = 2600
    run = Run(make_task(), tmp_path / "run")
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]] * 5)
    crashing = [callback(run, advisor), Crash(at)]
    with pytest.raises(RuntimeError, match="lights"):
        make_model(run).learn(TOTAL, callback=crashing)
    run.close()
    before = events(run.dir)
    with (run.dir / "ledger.jsonl").open("a") as file:
        file.write('{"event": "bran')  # a line that was cut
    with pytest.raises(ConfigurationError, match="already holds a run"):
        Run(make_task(), run.dir)
    again = Run(make_task(), run.dir, resume=True)
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]] * 5)
    model = make_model(again)
    model.learn(TOTAL, callback=callback(again, advisor))
    after = events(run.dir)
    assert after[: len(before)] == before
    assert after[len(before)]["event"] == "run_resumed"
    assert model.num_timesteps == TOTAL
    rounds = [event["round"] for event in events(run.dir, "decision")]
    assert rounds == sorted(rounds)
    assert check_every_step_is_counted_once(run.dir, TOTAL) <= at


def test_bad_input_is_found_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="success: there is no feature"):
        Task("x", corridor_features(), success="base_retrun >= 1")
    with pytest.raises(ConfigurationError, match=r"cannot be a condition.s name"):
        Task("x", corridor_features(), conditions={"both near": "place > 1"})
    with pytest.raises(ConfigurationError, match="condition 'e'"):
        Task("x", corridor_features(), conditions={"e": "plaice > 1"})
    with pytest.raises(ConfigurationError, match="no run to resume"):
        Run(make_task(), tmp_path / "none", resume=True)
    run = Run(make_task(), tmp_path / "a")
    with pytest.raises(ConfigurationError, match="every must be at least 1"):
        callback(run, None, every=0)
    with pytest.raises(ConfigurationError, match=r"a rule such as Provisional\(\)"):
        callback(run, None, gate="race")
    with pytest.raises(ConfigurationError, match="shorter than one rollout"):
        make_model(run).learn(TOTAL, callback=callback(run, None, horizon=10))
    run = Run(make_task(), tmp_path / "b")
    model = make_model(run)
    model.set_env(make_venv(lambda env: env))
    with pytest.raises(ConfigurationError, match=r"make_venv\(run.shape\)"):
        model.learn(TOTAL, callback=callback(run, None))
    assert model.num_timesteps == 0


@pytest.mark.parametrize(
    ("run", "advisor", "message"),
    [
        ("runs/forage", None, r"run must be a Run\(task, run_dir\), not 'runs/forage'"),
        (None, "rules", "'rules'"),
        (None, Ollama("qwen3:8b"), "LLMAdvisor"),
    ],
)
def test_what_is_no_run_or_advisor_is_refused_at_once(
    tmp_path: Path, run: Any, advisor: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        callback(run or Run(make_task(), tmp_path / "run"), advisor)


def test_features_that_do_not_fit_are_found_before_training(tmp_path: Path) -> None:
    run = Run(Task("x", FeatureMap(Feature("far", "obs[7]"))), tmp_path / "run")
    model = make_model(run)
    with pytest.raises(FeatureError, match=r"'far' \(obs\[7\]\).*shape \(2,\)"):
        model.learn(TOTAL, callback=callback(run, None))
    assert model.num_timesteps == 0


def test_a_factory_that_cannot_travel_is_refused(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    lock = threading.Lock()

    def with_a_lock(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        with lock:
            return make_venv(shape)

    adapted = AdaptationCallback(run, with_a_lock, every=1024, horizon=1024)
    model = make_model(run)
    with pytest.raises(ConfigurationError, match="cannot be sent to a worker"):
        model.learn(TOTAL, callback=adapted)
    assert model.num_timesteps == 0


@pytest.mark.slow
@pytest.mark.parametrize("vectoriser", [DummyVecEnv, SubprocVecEnv])
def test_a_gymnasium_environment_under_sb3s_own_vectorisers(
    tmp_path: Path, vectoriser: Any
) -> None:
    """Branches run in processes, and so may their environments."""
    features = FeatureMap(Feature("angle", "obs[2]"), Feature("place", "obs[0]"))
    run = Run(Task("Keep the pole upright.", features), tmp_path / "run")

    def make_cart(shape: Callable[[Any], Any]) -> Any:
        return make_vec_env(
            lambda: shape(gym.make("CartPole-v1")), 2, vec_env_cls=vectoriser
        )

    upright = Term(name="up", kind="potential", expression="-abs(angle)", weight=1.0)
    advisor = RecordedAdvisor([[Proposal(signal=Signal(terms=(upright,)))]])
    venv = make_cart(run.shape)
    model = PPO("MlpPolicy", venv, n_steps=64, seed=0, device="cpu")
    adapted = AdaptationCallback(
        run,
        make_cart,
        advisor,
        first=1024,
        every=100_000,
        horizon=512,
        budget=0.4,  # enough for a branch of each
        executor=ProcessExecutor(2),
    )
    model.learn(3072, callback=adapted)
    branches = events(run.dir, "branch")
    assert {branch["name"] for branch in branches} == {"control", "candidate_1"}
    assert [branch["error"] for branch in branches] == [""] * len(branches)
    assert all(branch["episodes"] > 1 for branch in branches)
    assert len(events(run.dir, "decision")) == 1
    assert run.board.read().bootstraps_truncation
    venv.close()
