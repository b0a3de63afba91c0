"""Ctrl-C in a user's script: a line that says how to go on, and no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO

from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.interrupt import Interrupt
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.processes import hear_interrupts, marked_processes

PROGRAM = """
import os, sys, time
from pathlib import Path
from stable_baselines3 import PPO
import also_wrappers as also
from also_wrappers.branches.executors import ProcessExecutor
from also_wrappers.testing import Corridor, corridor_features

place, folder = sys.argv[1], Path(sys.argv[2])
parent = os.getpid()
steps = 0

class Slow(Corridor):
    def step(self, actions):
        global steps
        steps += 1
        here = "steps" if os.getpid() == parent else "branches"
        # The rehearsal before the training makes some steps as well.
        if place == here and (here == "branches" or steps > 400):
            (folder / "slow").touch()
            time.sleep(0.05)
        return super().step(actions)

def make_venv(shape):
    return also.PettingZooVecEnv(lambda: shape(Slow(limit=8)), 2)

run = also.Run(also.Task("Walk.", corridor_features()), folder / "run")
model = PPO("MlpPolicy", make_venv(run.shape), n_steps=32, batch_size=32, n_epochs=1)
model.learn(102_400, also.AdaptationCallback(
    run, make_venv, also.BlindAdvisor(seed=0), budget=1.0 if place == "branches" else 0,
    executor=ProcessExecutor(1), candidates=1, refinements=0, first=256, horizon=1_024,
))
"""


@pytest.mark.parametrize("place", ["steps", "branches"])
def test_ctrl_c_says_how_to_go_on(place: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, place, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "MARK": str(tmp_path),
            "COLUMNS": "80",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    try:
        while not (tmp_path / "slow").exists() and process.poll() is None:
            time.sleep(0.1)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
        output, errors = process.communicate(timeout=60)
        last = output.splitlines()[-1]
        assert "interrupted at" in last
        assert "of 102,400 trainer steps" in last
        command = f'Run(task, "{tmp_path / "run"}", resume="auto") goes on from'
        assert command in last
        assert output.count("interrupted at") == 1
        assert errors.splitlines()[-1] == "KeyboardInterrupt"
        deadline = time.monotonic() + 60
        while marked_processes(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not marked_processes(tmp_path)
    finally:
        process.kill()
        for left in marked_processes(tmp_path):
            os.kill(left, signal.SIGKILL)


@pytest.fixture
def default_handler() -> Any:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Lesson:
    """Learns by calling a function."""

    def learn(self, function: Any) -> None:
        function()


@pytest.mark.usefixtures("default_handler")
def test_a_line_is_said_only_where_the_model_learns() -> None:
    lesson, lines = Lesson(), []
    interrupt = Interrupt(lesson, lambda: lines.append("line"))
    for where, expected in ((lesson, ["line"]), (Lesson(), ["line"])):
        interrupt.begin()
        assert signal.getsignal(signal.SIGINT) is interrupt
        with pytest.raises(KeyboardInterrupt):
            where.learn(lambda: signal.raise_signal(signal.SIGINT))
        assert lines == expected
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("default_handler")
def test_the_handler_of_a_program_stays() -> None:
    def of_the_program(*_: Any) -> None: ...

    signal.signal(signal.SIGINT, of_the_program)
    interrupt = Interrupt(Lesson(), lambda: None)
    interrupt.begin()
    assert signal.getsignal(signal.SIGINT) is of_the_program
    interrupt.end()
    assert signal.getsignal(signal.SIGINT) is of_the_program


@pytest.mark.usefixtures("default_handler")
def test_a_handler_of_a_training_that_failed_is_replaced() -> None:
    failed, next_one = (Interrupt(Lesson(), lambda: None) for _ in range(2))
    failed.begin()
    next_one.begin()
    failed.end()
    assert signal.getsignal(signal.SIGINT) is next_one


@pytest.mark.usefixtures("default_handler")
@pytest.mark.parametrize("verbose", [0, 1])
def test_a_training_leaves_ctrl_c_as_it_was(verbose: int, tmp_path: Path) -> None:
    def make_venv(shape: Any) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(Corridor(limit=8)), 2)

    handlers: list[Any] = []

    class Watched(AdaptationCallback):
        def _on_step(self) -> bool:
            handlers.append(signal.getsignal(signal.SIGINT))
            return super()._on_step()

    def train(number: int) -> None:
        run = Run(Task("Walk.", corridor_features()), tmp_path / str(number))
        model = PPO("MlpPolicy", make_venv(run.shape), n_steps=32, batch_size=32)
        model.learn(64, Watched(run, make_venv, budget=0, verbose=verbose))
        run.close()

    train(1)
    assert isinstance(handlers[-1], Interrupt) == bool(verbose)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    beside = threading.Thread(target=train, args=(2,))  # may set no handler
    beside.start()
    beside.join()
    assert handlers[-1] is signal.default_int_handler
