"""What a run has found is made active again, at the same steps, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.advisors import RecordedAdvisor, RuleAdvisor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import read_json
from also_wrappers.run.run import Run
from also_wrappers.run.schedule import read_schedule
from also_wrappers.signal import Expert, Feature, FeatureMap, Rule, Signal
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    ROLLOUT,
    TOTAL,
    callback,
    events,
    make_model,
    make_task,
    make_venv,
)
from tests.support.schedules import plan


def replay(of: Path, folder: Path, task: Task | None = None, **options: Any) -> Run:
    """Trains a replay on another seed."""
    run = Run(task or make_task(), folder, resume="auto")
    model = make_model(run, seed=7)
    replayed = AdaptationCallback(run, make_venv, replay=of, verbose=0, **options)
    try:
        model.learn(TOTAL, callback=replayed)
    finally:
        run.close()
    return run


def test_the_signal_of_a_run_is_active_from_the_same_steps_on(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "found")
    advisor = RecordedAdvisor([[HARMFUL, HELPFUL]])
    make_model(run).learn(TOTAL, callback=callback(run, advisor, every=100_000))
    run.close()
    (found,) = read_schedule(run.dir)
    assert found.signal == HELPFUL.signal
    again = replay(run.dir, tmp_path / "replayed")
    (entry,) = read_schedule(again.dir)
    assert (entry.begin, entry.signal) == (found.begin, found.signal)
    counts = events(again.dir)[-1]["trainer_steps"]
    assert (counts["mainline"], counts["branches"]) == (TOTAL, 0)
    kinds = {event["event"] for event in events(again.dir)}
    assert not kinds & {"round_started", "diagnosis", "proposal", "branch", "rollback"}


def test_each_signal_is_active_until_the_next_one(tmp_path: Path) -> None:
    between = 5 * ROLLOUT + 1  # at the first pause after it
    of = plan(
        tmp_path / "found",
        (0, HELPFUL.signal),
        (between, HARMFUL.signal),
        (8 * ROLLOUT, Signal()),
    )
    run = replay(of, tmp_path / "replayed")
    swaps = events(run.dir, "swap")
    assert [swap["trainer_steps"]["mainline"] for swap in swaps] == [
        0,
        6 * ROLLOUT,
        8 * ROLLOUT,
    ]
    records = events(run.dir, "record")
    paid = [
        record["shaped"] - record["window"]["mean"]
        for record in records
        if record["window"]["steps"] > 9 * ROLLOUT
    ]
    assert paid
    assert max(map(abs, paid)) < 1e-9, "the empty signal pays"
    assert read_json(run.dir / "schedule.json")[-1]["signal"]["terms"] == []


def test_a_replay_that_was_stopped_goes_on(tmp_path: Path) -> None:
    of = plan(tmp_path / "found", (0, HELPFUL.signal), (3000, HARMFUL.signal))
    run = Run(make_task(), tmp_path / "replayed")
    model = make_model(run, seed=7)
    stopped = AdaptationCallback(
        run, make_venv, replay=of, verbose=0, checkpoint_every=ROLLOUT
    )

    def stop(event: Any) -> None:
        if event.trainer_steps.mainline >= 4000:
            raise KeyboardInterrupt

    run.ledger.listeners.append(stop)
    with pytest.raises(KeyboardInterrupt):
        model.learn(TOTAL, callback=stopped)
    run.close()
    again = replay(of, run.dir)
    assert len(events(again.dir, "swap")) == 2, "what is active is swapped in again"
    assert again.finished == TOTAL


def test_what_cannot_be_replayed_is_refused_before_training(tmp_path: Path) -> None:
    of = plan(tmp_path / "found", (0, HELPFUL.signal))
    other = Task("x", FeatureMap(Feature("elsewhere", "obs[0]")))
    with pytest.raises(ConfigurationError, match=r"do not fit this task: .*place"):
        replay(of, tmp_path / "other", other)
    expert = Signal(expert=Expert(rules=(Rule(when="place < 1", do="on"),)))
    with pytest.raises(ConfigurationError, match=r"replay it with its Task\(actions"):
        replay(plan(tmp_path / "expert", (0, expert)), tmp_path / "acting")
    late = plan(tmp_path / "late", (TOTAL, HELPFUL.signal))
    with pytest.raises(ConfigurationError, match="plan as many as it had"):
        replay(late, tmp_path / "short")
    run = Run(make_task(), tmp_path / "asked")
    with pytest.raises(ConfigurationError, match="a replay asks no advisor"):
        AdaptationCallback(run, make_venv, RuleAdvisor(), replay=of)
    run.close()
