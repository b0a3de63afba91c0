"""Branches on Ray: what they share, what they cost, and what they leave."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor
from also_wrappers.branches.ray import RayExecutor
from also_wrappers.branches.tasks import roomiest
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Request
from also_wrappers.signal import Signal
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.clinging import Clings, orders_of, processes
from tests.support.processes import alive, hear_interrupts, marked_processes
from tests.support.workers import Leaves, Tells, orders, pids

ray: Any = pytest.importorskip("ray")

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import sys, time
    from pathlib import Path
    from also_wrappers import RayExecutor
    from tests.support.clinging import Clings, orders_of
    from tests.support.workers import orders
    executor = RayExecutor(in_flight=1)
    (result,) = executor.run(orders(1))
    print(result.error, flush=True)
    if sys.argv[1] == "ends":
        executor.close()
        Path("closed").touch()
        time.sleep(600)
    list(executor.run(orders_of(Clings(Path("numbers").absolute()), [777])))
"""


def wait_for(condition: Any, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())


# Before those that have Ray running in this process: two at once are slow.
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL", "ends"])
def test_nothing_of_a_ray_that_was_started_here_is_left(
    how: str, tmp_path: Path
) -> None:
    (tmp_path / "start").touch()
    (tmp_path / "numbers").mkdir()
    mark = str(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RAY_ADDRESS": "local",
            "ALSO_MARK": mark,
        },
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "drew" in process.stdout.readline()
    if how == "ends":
        assert wait_for(lambda: (tmp_path / "closed").exists())
        assert wait_for(lambda: marked_processes(tmp_path) == [process.pid])
        process.kill()
    else:
        assert wait_for(lambda: len(processes(tmp_path / "numbers")) == 2)
        # As the terminal does: to all that are in the foreground.
        os.killpg(process.pid, signal.Signals[how])
    process.wait(30)
    assert wait_for(lambda: marked_processes(tmp_path) == [])


@pytest.fixture
def executor(
    running_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RayExecutor]:
    """One with two branches in flight, in a directory that has ``start``."""
    executor = RayExecutor(in_flight=2)
    monkeypatch.chdir(tmp_path)
    Path("start").write_text("start")
    yield executor
    executor.close()


def make_venv(shape: Any) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor()), 4)


def test_branches_are_those_of_processes_bit_for_bit(
    executor: RayExecutor, tmp_path: Path
) -> None:
    model = PPO("MlpPolicy", make_venv(lambda env: env), n_steps=16, seed=3)
    model.learn(256)
    trainer = SB3Trainer(model, make_venv, 1280)
    trainer.snapshot(tmp_path / "model")
    found: list[list[BranchResult]] = []
    parameters: list[dict[str, torch.Tensor]] = []
    others: dict[str, Executor] = {
        "here": SerialExecutor(),
        "there": ProcessExecutor(2),
    }
    for name, where in {"ray": executor, **others}.items():
        wanted = [
            BranchOrder(
                Request(0, "screen", place),
                trainer.fork(),
                Task("walk to the end", corridor_features()),
                Posting(version=1, signal=Signal(), gamma=0.99),
                tmp_path / "model",
                seed,
                256,
                scored_from=128,
                end=tmp_path / f"{name}-{seed}",
            )
            for place, seed in enumerate((11, 12))
        ]
        results = sorted(where.run(wanted), key=lambda result: result.seed)
        where.close()
        for result in results:
            assert result.ok, result.error
            assert result.snapshot == tmp_path / f"{name}-{result.seed}"
        other = PPO("MlpPolicy", make_venv(lambda env: env), n_steps=16, seed=4)
        SB3Trainer(other, make_venv, 1280).adopt(tmp_path / f"{name}-11")
        parameters.append(other.policy.state_dict())
        found.append([replace(r, snapshot=None, seconds=0.0) for r in results])
    assert found[0] == found[1] == found[2]
    for tensors in parameters[1:]:
        assert tensors.keys() == parameters[0].keys()
        for key, tensor in tensors.items():
            assert torch.equal(tensor, parameters[0][key])


def test_a_snapshot_is_put_once_until_it_is_another(
    executor: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    put = ray.put

    def weigh(value: Any) -> Any:
        sizes.append(value.nbytes)
        return put(value)

    monkeypatch.setattr(ray, "put", weigh)
    data = np.random.default_rng(0).bytes(3_000_000)
    Path("start").write_bytes(data)
    wanted = [replace(order, fork=Leaves(), end=Path("end")) for order in orders(1, 2)]
    for order in wanted:
        (result,) = executor.run([order])
        assert result.ok, result.error
    assert Path("end").read_bytes() == data + b" and 2"
    assert sizes == [3_000_000]
    Path("beside").write_bytes(data[:5])
    Path("beside").replace("start")
    list(executor.run(wanted))
    assert Path("end").read_bytes()[:5] == data[:5]
    assert sizes == [3_000_000, 5]
    for name in ("a", "b", "c"):
        Path(name).write_text(name)
        list(executor.run([replace(wanted[0], snapshot=Path(name))]))
    assert len(executor._stored) == 2


class Overlaps(Tells):
    """A fork that tells from when to when it ran."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        began = time.time()
        time.sleep(0.3)
        raise ValueError(f"from {began} to {time.time()}")


def test_no_more_branches_than_allowed_are_in_flight(executor: RayExecutor) -> None:
    results = list(executor.run(orders_of(Overlaps(), range(8))))
    events = []
    for result in results:
        match = re.search(r"from (\S+) to ([\d.]+)", result.error)
        assert match, result.error
        events += [(float(match[1]), 1), (float(match[2]), -1)]
    flying = np.cumsum([change for _, change in sorted(events)])
    assert flying.max() == 2
    assert {result.seed for result in results} == set(range(8))


def test_branches_run_though_a_trainer_holds_every_processor(
    executor: RayExecutor,
) -> None:
    class Runner:
        def ready(self) -> int:
            return 1

    actors = [ray.remote(num_cpus=1)(Runner).remote() for _ in range(2)]
    ray.get([actor.ready.remote() for actor in actors])
    assert ray.available_resources().get("CPU", 0.0) == 0.0
    began = time.monotonic()
    assert pids(list(executor.run(orders(1, 2, 3))))
    assert time.monotonic() - began < 60.0
    for actor in actors:
        ray.kill(actor)


def test_workers_stay_and_what_they_hear_is_of_this_process(
    executor: RayExecutor,
) -> None:
    executor.warm(Tells())
    first = pids(list(executor.run(orders(*range(8)))))
    again = pids(list(executor.run(orders(*range(8)))))
    assert len(first | again) <= 4
    assert first & again
    (result,) = executor.run(orders_of(Environ(), [1]))
    assert "threads ('1', 1)" in result.error


class Environ(Tells):
    """A fork that tells of its threads."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        threads = os.environ["OMP_NUM_THREADS"], torch.get_num_threads()
        raise ValueError(f"threads {threads}")


@pytest.mark.parametrize(("seed", "error"), [(777, "within 30 sec"), (666, "died")])
def test_processes_of_environments_end_with_their_worker(
    seed: int, error: str, running_ray: None, tmp_path: Path
) -> None:
    (tmp_path / "start").touch()
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    executor = RayExecutor(in_flight=1, timeout=30.0)
    (order,) = orders_of(Clings(numbers), [seed])
    (result,) = executor.run([replace(order, snapshot=tmp_path / "start")])
    assert error in result.error
    started = processes(numbers)
    assert len(started) == 2
    assert wait_for(lambda: not any(alive(process) for process in started))
    executor.close()
    assert ray.is_initialized()


def test_close_ends_what_another_thread_waits_for(
    executor: RayExecutor, tmp_path: Path
) -> None:
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    results: list[BranchResult] = []
    wanted = orders_of(Clings(numbers), [777])
    thread = threading.Thread(target=lambda: results.extend(executor.run(wanted)))
    thread.start()
    assert wait_for(lambda: len(processes(numbers)) == 2)
    executor.close()
    thread.join(20.0)
    assert not thread.is_alive()
    assert [result.error for result in results] == ["its executor was closed"]
    assert wait_for(lambda: not any(map(alive, processes(numbers))))


def test_an_end_that_cannot_be_written_is_a_branch_that_failed(
    executor: RayExecutor, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "file").touch()
    wanted = [replace(order, fork=Leaves()) for order in orders(1, 2)]
    wanted[0] = replace(wanted[0], end=blocked)
    wanted[1] = replace(wanted[1], end=tmp_path / "end")
    results = {result.seed: result for result in executor.run(wanted)}
    assert "cannot be written" in results[1].error
    assert results[1].snapshot is None
    assert results[2].ok


def test_a_ray_that_runs_already_takes_no_address(running_ray: None) -> None:
    for refused in (RayExecutor("auto"), RayExecutor(runtime_env={"py_modules": []})):
        with pytest.raises(ConfigurationError, match="give them to"):
            refused.warm(Tells())
        refused.close()
    assert ray.is_initialized()


def test_a_cluster_that_does_not_answer_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise SystemExit(15)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", never)
    with pytest.raises(ConfigurationError, match=r"at 'head:6379' .*SystemExit: 15"):
        RayExecutor("head:6379").warm(Tells())


def test_a_branch_goes_where_most_processors_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [
        {"NodeID": "head", "Alive": True, "Resources": {"memory": 1.0}},
        {"NodeID": "small", "Alive": True, "Resources": {"CPU": 2.0}},
        {"NodeID": "large", "Alive": True, "Resources": {"CPU": 6.0}},
        {"NodeID": "gone", "Alive": False, "Resources": {}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    flying: Counter[str] = Counter()
    for _ in range(16):
        flying[roomiest(flying)] += 1
    assert flying == {"small": 4, "large": 12}
    del nodes[1:3]
    assert roomiest(flying) == "head"
