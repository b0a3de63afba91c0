"""Other pieces of Stable-Baselines3 beside ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecEnv,
    VecMonitor,
    VecNormalize,
)

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.run.run import Run
from also_wrappers.signal import Feature, FeatureMap, Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers import wrap
from tests.support.environments import Walk
from tests.support.processes import hear_interrupts, marked_processes
from tests.support.subprocesses import WALK, walks

CORRIDOR = Task("Walk.", corridor_features())


class Split(gym.ObservationWrapper[Any, Any, Any]):
    """A walk with Dict observations."""

    def __init__(self) -> None:
        super().__init__(Walk())
        self.observation_space = spaces.Dict(
            {"place": spaces.Box(0, 3, (1,)), "far": spaces.Box(0, 3, (1,))}
        )

    def observation(self, observation: Any) -> Any:
        return {"place": observation, "far": 3.0 - observation}


SPLIT = Task(
    "Walk.", FeatureMap(Feature("place", "obs.place[0]"), Feature("go", "action"))
)


def monitored(shape: Callable[[Any], Any]) -> VecEnv:
    return VecMonitor(PettingZooVecEnv(lambda: shape(Corridor(limit=8)), 2))


def normalized(shape: Callable[[Any], Any]) -> VecEnv:
    inner = VecMonitor(DummyVecEnv([lambda: shape(Split())] * 2))
    return VecNormalize(inner, norm_reward=False)


CASES: dict[str, tuple[Task, str, Callable[..., VecEnv]]] = {
    "VecMonitor": (CORRIDOR, "MlpPolicy", monitored),
    "Dict and VecNormalize": (SPLIT, "MultiInputPolicy", normalized),
    "SubprocVecEnv, fork": (WALK, "MlpPolicy", partial(walks, "fork")),
    "SubprocVecEnv, forkserver": (WALK, "MlpPolicy", partial(walks, "forkserver")),
    "SubprocVecEnv, spawn": (WALK, "MlpPolicy", partial(walks, "spawn")),
}


@pytest.mark.parametrize("name", [name for name in CASES if "spawn" not in name])
def test_it_is_trained_beside_sb3s_own_callbacks(name: str, tmp_path: Path) -> None:
    task, policy, make_venv = CASES[name]
    run = Run(task, tmp_path / "run")
    venv = make_venv(run.shape)
    evaluated = make_venv(lambda env: env)
    model = PPO(policy, venv, n_steps=32, n_epochs=1, batch_size=32, device="cpu")
    judge = EvalCallback(
        evaluated, eval_freq=64, n_eval_episodes=2, verbose=0, warn=False
    )
    callbacks = [
        AdaptationCallback(run, make_venv, budget=0, verbose=0),
        judge,
        CheckpointCallback(64, str(tmp_path / "checkpoints")),
    ]
    try:
        model.learn(256, callbacks)
    finally:
        run.close()
        venv.close()
        evaluated.close()
    assert run.board.new_episodes() is not None
    assert list((tmp_path / "checkpoints").glob("*.zip"))
    assert np.isfinite(judge.last_mean_reward)
    assert model.ep_info_buffer or name.startswith("Subproc")


def test_an_environment_that_is_handed_out_twice_is_noticed() -> None:
    """Also where it has a wrapper of its own each time."""
    env = Corridor()
    signal_of_none = partial(wrap, env, CORRIDOR.features, signal=Signal())
    for make_env in (lambda: env, signal_of_none):
        with pytest.raises(ConfigurationError, match="a new environment at every call"):
            PettingZooVecEnv(make_env, 2)


PROGRAM = """
if __name__ == "__main__":  # what the workers import as well costs each of them
    import sys
    from functools import partial
    from stable_baselines3 import PPO
    from also_wrappers.run.run import Run
    from also_wrappers.trainers.sb3.callback import AdaptationCallback
    from tests.support.subprocesses import WALK, walks

    # SB3's forked workers hold each other's pipes open; of others one is enough.
    copies = 2 if sys.argv[1] == "fork" else 1
    make_venv = partial(walks, sys.argv[1], copies=copies)
    run = Run(WALK, sys.argv[2])
    model = PPO("MlpPolicy", make_venv(run.shape), n_steps=32, n_epochs=1)
    model.learn(64, AdaptationCallback(run, make_venv, budget=0, verbose=0))
    print("trains", flush=True)
    model.learn(10**9)
"""


@pytest.mark.parametrize(
    ("start_method", "how"),
    [
        # Killed, SB3's forked workers hold each other's pipes open, with and without
        # our wrapper: that is what "forkserver", SB3's own default, is for.
        ("fork", signal.SIGINT),
        ("forkserver", signal.SIGINT),
        ("forkserver", signal.SIGKILL),
        ("spawn", signal.SIGKILL),
    ],
)
def test_no_process_is_left(
    start_method: str, how: signal.Signals, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), start_method, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            **os.environ,
            "MARK": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "trains\n"
        assert len(marked_processes(tmp_path)) >= 2
        if how == signal.SIGINT:  # a terminal sends it to all of them
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        process.wait(60)
        deadline = time.monotonic() + 60
        while marked_processes(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not marked_processes(tmp_path)
    finally:
        process.kill()
        for left in marked_processes(tmp_path):
            os.kill(left, signal.SIGKILL)
