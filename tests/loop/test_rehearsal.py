"""What cannot work is found in a first rollout, before any training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.rehearsal import rehearse
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

COPIES, STEPS = 8, 32
Shape = Callable[[Any], Any]


class Broken(Corridor):
    """Pays nothing that is a number."""

    def step(self, actions: Any) -> Any:
        found = super().step(actions)
        return (found[0], dict.fromkeys(found[1], float("nan")), *found[2:])


def venv(make: Callable[[], Any], copies: int = COPIES) -> PettingZooVecEnv:
    return PettingZooVecEnv(make, copies)


def corridor() -> Corridor:
    return Corridor(length=4, limit=8)


def make_trainer(
    run: Run, make_venv: Callable[[Shape], PettingZooVecEnv]
) -> SB3Trainer:
    model = PPO(
        "MlpPolicy",
        venv(lambda: run.shape(corridor())),
        n_steps=STEPS,
        batch_size=64,
        policy_kwargs={"net_arch": [8]},
        seed=0,
        device="cpu",
    )
    cast(VecEnv, model.get_env()).reset()  # as SB3 does when learning starts
    return SB3Trainer(model, make_venv, 40_000)


def make_run(folder: Path, success: str | None = None) -> Run:
    return Run(Task("Walk.", corridor_features(), success=success), folder / "run")


def test_a_factory_that_works_leaves_everything_as_it_was(tmp_path: Path) -> None:
    run = make_run(tmp_path, success="base_return >= 1")
    trainer = make_trainer(run, lambda shape: venv(lambda: shape(corridor())))
    before = {k: v.clone() for k, v in trainer.model.policy.state_dict().items()}
    state = np.random.get_state()[1].tolist()  # type: ignore[index]
    rehearsal = rehearse(run, trainer)
    assert rehearsal.steps == trainer.rollout == 2 * COPIES * STEPS
    after = trainer.model.policy.state_dict()
    assert all(before[name].equal(after[name]) for name in before)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]
    assert trainer.steps == 0
    run.close()


def test_a_training_that_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    trainer = make_trainer(run, lambda shape: venv(lambda: shape(corridor())))
    vars(trainer.model)["door"] = threading.Lock()
    with pytest.raises(
        ConfigurationError, match=r"sent to a branch .*lock.* locks, op"
    ):
        rehearse(run, trainer)
    run.close()


def raising(shape: Shape) -> PettingZooVecEnv:
    raise FileNotFoundError("map.txt")


@pytest.mark.parametrize(
    ("make_venv", "message"),
    [
        (lambda shape: venv(corridor), "does not use the shape"),
        (
            lambda shape: venv(lambda: shape(corridor()), 4),
            "makes 4 environments and the training has 8",
        ),
        (lambda shape: venv(lambda: shape(Broken())), "is not finite|ValueError"),
        (raising, "FileNotFoundError: map.txt"),
    ],
    ids=["ignores the shape", "other number", "not finite", "raises"],
)
def test_factories_that_cannot_work(
    tmp_path: Path, make_venv: Any, message: str
) -> None:
    run = make_run(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        rehearse(run, make_trainer(run, make_venv))
    run.close()


def test_a_factory_that_always_puts_the_runs_wrapper_on(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    trainer = make_trainer(run, lambda shape: venv(lambda: run.shape(corridor())))
    with pytest.raises(ConfigurationError, match="the run's own wrapper on"):
        rehearse(run, trainer)
    run.close()


@pytest.mark.parametrize(
    ("success", "tells"),
    [
        ("base_return >= 0", False),
        ("place >= 0", False),
        ("base_return >= 1", True),
        ("episode_length < 8", True),
        ("place > 0.9", True),
    ],
)
def test_success_must_tell_something(tmp_path: Path, success: str, tells: bool) -> None:
    run = make_run(tmp_path, success)
    trainer = make_trainer(run, lambda shape: venv(lambda: shape(corridor())))
    if tells:
        assert rehearse(run, trainer)
    else:
        with pytest.raises(ConfigurationError, match="it tells nothing"):
            rehearse(run, trainer)
    run.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 100}, "shorter than one rollout of 512"),
        ({"budget": 0.01}, "pays for 400 steps of branches, and the smallest"),
        (
            {"horizon": 8192, "budget": 0.4},
            "use budget=0.41 or more, plan 40,960 steps or more, or use",
        ),
    ],
)
def test_numbers_that_leave_no_room(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    run = make_run(tmp_path)
    trainer = make_trainer(run, lambda shape: venv(lambda: shape(corridor())))
    adaptation = Adaptation(run, every=1000, **options)
    with pytest.raises(ConfigurationError, match=message):
        adaptation.step(trainer)
    run.close()
