"""Where branches run: in this process, or in worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import numpy as np

from also_wrappers.validation.branch import BranchOrder, BranchResult, run_branch
from also_wrappers.validation.gate import Request

__all__ = [
    "Executor",
    "ProcessExecutor",
    "SerialExecutor",
    "generators_restored",
    "start_process",
]


class Executor(Protocol):
    """Runs branches; a branch that fails is a result with an error."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results as they come."""


class SerialExecutor:
    """One branch after the other in this process, global generators restored."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results in the order of the orders."""
        for order in orders:
            with generators_restored():
                try:
                    result = run_branch(order)
                except Exception as error:
                    result = _failure(order, f"{type(error).__name__}: {error}")
            yield result


class ProcessExecutor:
    """Branches in processes of their own, a few at a time.

    Processes are forked from a server that has imported the heavy modules (spawned
    where the platform has no fork), so that starting one is cheap, and one that dies,
    hangs or leaks costs its own branch only.

    Args:
        workers: Branches at a time; the number of processors if not given.
        timeout: Seconds after which a branch is given up.
    """

    def __init__(self, workers: int | None = None, timeout: float = 3600.0) -> None:
        self.workers = workers or available_processors()
        self._timeout = timeout

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results as branches end."""
        waiting = list(orders)
        running: dict[connection.Connection, tuple[BranchOrder, Any, float]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    order = waiting.pop(0)
                    receiver, process = self._start(order)
                    running[receiver] = (order, process, time.monotonic())
                ready = connection.wait(list(running), timeout=1.0)
                for receiver in [one for one in running if one in ready]:
                    order, process, _ = running.pop(receiver)
                    yield self._receive(order, receiver, process)
                for receiver, (order, process, began) in list(running.items()):
                    if time.monotonic() - began > self._timeout:
                        del running[receiver]
                        process.kill()
                        yield _failure(
                            order, f"gave no result within {self._timeout:g} seconds"
                        )
        finally:
            for _, process, _ in running.values():
                process.kill()

    @staticmethod
    def _start(order: BranchOrder) -> tuple[connection.Connection, Any]:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = start_process(
            _work,
            (sender, cloudpickle.dumps(order), order.request, order.seed),
            order.fork.preload,
        )
        sender.close()
        return receiver, process

    @staticmethod
    def _receive(
        order: BranchOrder, receiver: connection.Connection, process: Any
    ) -> BranchResult:
        try:
            result = receiver.recv()
        except EOFError:
            process.join()
            return _failure(
                order, f"its process died with exit code {process.exitcode}"
            )
        finally:
            receiver.close()
        process.join()
        assert isinstance(result, BranchResult)
        return result


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_process(target: Any, args: tuple[Any, ...], preload: Sequence[str]) -> Any:
    """Starts a daemon process that does not import the user's main module.

    The user's script may well have no ``if __name__ == "__main__"`` guard, and what
    it defines travels by cloudpickle, so workers must not run it again.
    """
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context(
        "forkserver" if "forkserver" in methods else "spawn"
    )
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([__name__, *preload])
    process = context.Process(target=target, args=args, daemon=True)
    main = sys.modules["__main__"]
    names = vars(main)
    hidden = {name: names.pop(name, None) for name in ("__file__", "__spec__")}
    main.__spec__ = None
    try:
        process.start()
    finally:
        names |= {name: value for name, value in hidden.items() if value is not None}
    return process


def follow_parent() -> None:
    """Makes this worker ignore Ctrl-C, and end when its parent does, even by kill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _work(
    sender: connection.Connection, payload: bytes, request: Request, seed: int
) -> None:
    follow_parent()
    # The parent ends its daemons when it exits, which is wanted; that daemons may have
    # no children is not, since a branch's environments may run in processes.
    vars(multiprocessing.current_process())["_config"]["daemon"] = False
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)  # branches share the processors between them
    try:
        result = run_branch(cloudpickle.loads(payload))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error}"
        told += f" ({Path(where.filename).name}:{where.lineno})"
        result = BranchResult(request, seed, error=told)
    sender.send(result)
    sender.close()


def _failure(order: BranchOrder, error: str) -> BranchResult:
    return BranchResult(order.request, order.seed, error=error)


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Restores python's, numpy's and torch's global generators afterwards."""
    torch: Any = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state()
    on_cpu = torch.get_rng_state() if torch else None
    # A device that was not used yet has no generator that could be disturbed.
    used = torch is not None and torch.cuda.is_available()
    on_devices = torch.cuda.get_rng_state_all() if used else []
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if torch:
            torch.set_rng_state(on_cpu)
        if used:
            torch.cuda.set_rng_state_all(on_devices)
