"""A trial of Tune makes an adapted training, whose branches run on Tune's Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)

from ray import tune

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.ray import RayExecutor
from also_wrappers.gate import Provisional
from also_wrappers.run.run import Run
from also_wrappers.testing import Corridor
from also_wrappers.trainers.rllib import AdaptationCallback, shaped_config
from tests.support.corridor import HELPFUL, events, make_task
from tests.support.rllib import make_shared


def make_env() -> Corridor:
    return Corridor(length=5, limit=12)


def trial(settings: dict[str, Any]) -> None:
    run = Run(make_task(), Path(settings["runs"]) / tune.get_context().get_trial_name())
    config = make_shared(batch=128).training(lr=settings["lr"])
    shaped_config(config, make_env, run.shape)
    callback = AdaptationCallback(
        run,
        768,
        RecordedAdvisor([[HELPFUL]]),
        first=256,
        horizon=256,
        budget=1.0,
        candidates=1,
        refinements=0,
        pause_on="interval",
        gate=Provisional(),
        executor=RayExecutor(in_flight=1),
        verbose=0,
    )
    algorithm = config.callbacks(callback).build_algo()
    while not callback.done:
        tune.report(algorithm.train())
    algorithm.stop()
    run.close()


def test_a_trial_of_tune_is_adapted(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (result,) = tune.Tuner(
        trial,
        param_space={"lr": 3e-3, "runs": str(runs)},
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert result.error is None
    (folder,) = runs.iterdir()
    branches = events(folder, "branch")
    assert branches
    assert all(event["error"] == "" for event in branches)
    (end,) = events(folder, "run_finished")
    sampled = result.metrics["env_runners"]["num_env_steps_sampled_lifetime"]
    assert sampled == end["trainer_steps"]["mainline"] >= 768
