"""The recipe of SuperSuit's users: wrappers around ours, and vectors of it for SB3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from also_wrappers.advisors import BlindAdvisor
from also_wrappers.ledger.events import RunFinished
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.ledger.rounds import BranchEnded
from also_wrappers.run.run import Run
from also_wrappers.signal import Feature, FeatureMap
from also_wrappers.task import Task
from also_wrappers.testing import Corridor
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.seeding import seedable

#: The newest frame is in the second half.
FEATURES = FeatureMap(
    Feature("place", "obs[2]"), Feature("mate_place", "obs[3]"), Feature("go", "action")
)


class Recipe:
    """Makes four copies, in as many processes as it is told."""

    def __init__(self, processes: int) -> None:
        self._processes = processes

    def __call__(self, shape: Callable[[Any], Any]) -> VecEnv:
        env: Any = Corridor(length=4, limit=8, mortal=True)
        env = supersuit.frame_stack_v1(supersuit.dtype_v0(env, np.float32), 2)
        env = supersuit.black_death_v3(shape(env))
        env = supersuit.pettingzoo_env_to_vec_env_v1(env)
        venv: VecEnv = supersuit.concat_vec_envs_v1(
            env, 4, num_cpus=self._processes, base_class="stable_baselines3"
        )
        return venv


def first_observations(processes: int, seed: int) -> Any:
    venv = seedable(Recipe(processes)(lambda env: env))
    try:
        venv.seed(seed)
        seeded = np.array(venv.reset())
        venv.reset()  # a seed is for one reset
        return seeded
    finally:
        venv.close()


@pytest.mark.parametrize("processes", [0, 2])
def test_every_copy_is_seeded(processes: int) -> None:
    one, again = (first_observations(processes, 3) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    seeded = [first_observations(processes, seed) for seed in range(4, 7)]
    assert any(not np.array_equal(one, other) for other in seeded)
    copies = np.stack([one, *seeded]).reshape(4, 4, -1)
    for k in range(1, 4):  # no copy is another one's twin
        assert not np.array_equal(copies[:, 0], copies[:, k])


@pytest.mark.parametrize("processes", [0, 2])
def test_the_whole_recipe_is_trained(processes: int, tmp_path: Path) -> None:
    run = Run(Task("Walk on together.", FEATURES), tmp_path / "run")
    make_venv = Recipe(processes)
    venv = make_venv(run.shape)
    model = PPO("MlpPolicy", venv, n_steps=16, n_epochs=1, batch_size=64, device="cpu")
    callback = AdaptationCallback(
        run,
        make_venv,
        advisor=BlindAdvisor(seed=0),
        first=256,
        horizon=256,
        budget=1.0,
        candidates=1,
        refinements=0,
        verbose=0,
    )
    try:
        model.learn(768, callback)
    finally:
        run.close()
        venv.close()
    events = list(read_ledger(tmp_path / "run" / "ledger.jsonl"))
    branches = [event for event in events if isinstance(event, BranchEnded)]
    assert len(branches) >= 3
    assert not [event.error for event in branches if event.error]
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert end.trainer_steps.mainline == 768
    assert end.env_steps.mainline == 768 // 2, "both agents make an environment step"
