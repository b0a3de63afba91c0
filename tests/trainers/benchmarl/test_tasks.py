"""Tasks travel, and the example runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

pytest.importorskip("benchmarl")

from also_wrappers.run.run import Run
from also_wrappers.signal import Feature, FeatureMap
from also_wrappers.task import Task
from also_wrappers.testing import Corridor
from also_wrappers.trainers.benchmarl import ParallelTask, shaped_task
from also_wrappers.trainers.benchmarl.tasks import plain_task

ROOT = Path(__file__).parents[3]


def test_a_task_with_a_signal_is_pickled_whatever_it_is_made_of(tmp_path: Path) -> None:
    """BenchMARL writes the task of every experiment down."""
    features = FeatureMap(Feature("place", lambda view: view.observation[0]))
    run = Run(Task("Walk.", features), tmp_path / "run")
    length = 7
    task = ParallelTask(lambda: Corridor(length=length), max_steps=9, name="walk")
    shaped = pickle.loads(pickle.dumps(shaped_task(task, run.shape)))
    run.close()
    assert shaped.name == "WALK"
    env = shaped.get_env_fun(1, False, 0, "cpu")()
    assert shaped.max_steps(env) == 9
    transforms = shaped.get_reward_sum_transform(env)
    assert [type(t).__name__ for t in transforms] == [
        "ShapeRewardTransform",
        "RewardSum",
    ]
    plain = plain_task(shaped)
    assert type(plain.get_reward_sum_transform(env)).__name__ == "RewardSum"


def test_a_task_without_a_signal_stays_itself() -> None:
    task = ParallelTask(lambda: Corridor(), max_steps=9)
    assert plain_task(task) is task
    assert shaped_task(task, lambda env: env) is task
