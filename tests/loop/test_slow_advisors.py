"""Training goes on while a slow advisor answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.callbacks import CallbackList, ConvertCallback

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.corridor import (
    HARMFUL,
    HELPFUL,
    callback,
    events,
    make_model,
    make_task,
)
from tests.support.trainers import ACTIONS

TOTAL, FIRST = 5120, 2048


class Slow(RecordedAdvisor):
    """Takes its time for every answer."""

    slow = True

    def __init__(self, seconds: float) -> None:
        super().__init__([[HELPFUL]], [[HARMFUL]])
        self._seconds = seconds

    def diagnose(self, situation: Situation) -> Diagnosis:
        time.sleep(self._seconds)
        return super().diagnose(situation)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        time.sleep(self._seconds)
        return super().propose(situation, k)


def play(folder: Path, advisor: Any) -> tuple[Run, Any]:
    run = Run(make_task(), folder)
    model = make_model(run)
    options = {"first": FIRST, "every": 10**6, "candidates": 1, "refinements": 1}
    model.learn(TOTAL, callback=callback(run, advisor, **options))
    run.close()
    return run, model


def told(run: Run) -> dict[str, list[Any]]:
    """What a run records, without what is of the clock."""
    names = ("record", "branch", "decision", "swap", "check")
    return {
        name: [
            {k: v for k, v in event.items() if k not in ("time", "seconds")}
            for event in events(run.dir, name)
        ]
        for name in names
    }


class Late(Slow):
    """Answers only when training waits for it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(0.0)
        self._folder = folder

    def diagnose(self, situation: Situation) -> Diagnosis:
        deadline = time.monotonic() + 60.0
        while not events(self._folder, "waited") and time.monotonic() < deadline:
            time.sleep(0.02)
        return super().diagnose(situation)


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_is_tried_at_a_pause_that_steps_fix(
    tmp_path: Path, late: bool
) -> None:
    advisor = Late(tmp_path / "run") if late else Slow(0.0)
    run, model = play(tmp_path / "run", advisor)
    assert model.num_timesteps == TOTAL
    (begun,) = events(run.dir, "round_started")
    assert begun["trainer_steps"]["mainline"] == FIRST // 2
    first = events(run.dir, "branch")[0]
    assert first["trainer_steps"]["mainline"] == FIRST
    assert len(events(run.dir, "check")) == 2
    kinds = [event["event"] for event in events(run.dir)]
    between = kinds[kinds.index("round_started") : kinds.index("branch")]
    assert "record" in between, "no episode of the mainline ended meanwhile"
    if late:
        begins, ends = events(run.dir, "waited")
        assert begins["seconds"] is None
        assert ends["seconds"] >= 0.0


def test_how_long_an_answer_takes_changes_nothing(tmp_path: Path) -> None:
    quick, slow = (
        told(play(tmp_path / str(seconds), Slow(seconds))[0]) for seconds in (0.0, 0.4)
    )
    for event in [*quick["check"], *slow["check"]]:
        del event["trainer_steps"], event["env_steps"]  # when an answer came
    assert quick == slow


def test_a_round_that_was_asked_for_too_late_is_dropped(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run)
    options = {"first": 2 * TOTAL - 512, "fade_out": 0.0}
    model.learn(TOTAL, callback=callback(run, Slow(0.0), **options))
    run.close()
    (finished,) = events(run.dir, "round_finished")
    assert finished["skipped"].startswith("too little of the planned training is left")
    assert model.num_timesteps == TOTAL
    assert events(run.dir)[-1]["event"] == "run_finished"


class Mending(Slow):
    """Proposes an expert that is refused, and another one when it is asked again."""

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        time.sleep(self._seconds)
        do = "on" if situation.rejected else "back"
        rules = (Rule(when="1", do=do),)
        return [Proposal(signal=Signal(expert=Expert(rules=rules)))]


def test_training_waits_visibly_for_another_expert(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features(), actions=ACTIONS), tmp_path / "run")
    options = {"first": FIRST, "every": 10**6, "candidates": 1, "refinements": 0}
    model = make_model(run)
    model.learn(TOTAL, callback=callback(run, Mending(0.2), **options))
    run.close()
    kinds = [event["event"] for event in events(run.dir)]
    refused = kinds.index("audition")
    again = kinds.index("audition", refused + 1)
    assert kinds[refused:again].count("waited") == 2
    ended = [event["seconds"] for event in events(run.dir, "waited")]
    assert ended[-2] is None
    assert ended[-1] > 0.05
    assert [event["passed"] for event in events(run.dir, "audition")] == [False, True]


def test_a_training_that_ends_before_the_branches_says_when(tmp_path: Path) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run)

    def goes_on(values: dict[str, Any], _: Any) -> bool:
        return bool(values["self"].num_timesteps < 1600)

    asked = callback(run, Slow(0.0), first=2048)
    model.learn(TOTAL, CallbackList([asked, ConvertCallback(goes_on)]))
    run.close()
    (finished,) = events(run.dir, "round_finished")
    assert finished["skipped"] == (
        "the training has ended at 1,600 trainer steps; its branches were to begin at "
        "2,048"
    )
