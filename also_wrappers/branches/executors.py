"""Runs branches in this process, or in worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.util import Finalize
from typing import Any, Literal, Protocol

import cloudpickle

from also_wrappers.branches.branch import (
    BranchOrder,
    BranchResult,
    describe_error,
    failed_branch,
    run_branch,
)
from also_wrappers.branches.randomness import randomness_restored
from also_wrappers.branches.scratch import sweep
from also_wrappers.exceptions import AlsoError, ConfigurationError, brief
from also_wrappers.task import Task
from also_wrappers.trainer import Fork

__all__ = [
    "Executor",
    "ProcessExecutor",
    "SerialExecutor",
    "available_processors",
    "check_sendable",
    "read_order",
    "start_method",
    "start_process",
]


class Executor(Protocol):
    """Runs branches; a branch that fails is a result with an error.

    An executor of another kind calls ``run_branch`` where the branch runs, and
    ``failed_branch`` where the process or the machine of a branch is lost.
    """

    @property
    def beside(self) -> bool:
        """True where branches run outside this process, beside the training.

        Where it is True, ``run`` is called from a thread, and never from two at a time.
        """

    def warm(self, fork: Fork) -> None:
        """Called before the first ``run``, so that workers can start and import early.

        Args:
            fork: The fork whose branches will be ordered.
        """

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields the results of branches in the order in which they end."""

    def close(self) -> None:
        """Frees processes and memory; a later ``run`` starts new processes."""


class SerialExecutor:
    """Runs one branch after the other in this process, and restores randomness."""

    beside = False

    def warm(self, fork: Fork) -> None:
        """Does nothing, as there is no worker to start."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields the results of branches, in the order of the orders."""
        for order in orders:
            with randomness_restored():
                result = run_branch(order)
            yield result

    def close(self) -> None:
        """Does nothing, as there is no worker to end."""


class ProcessExecutor:
    """Runs branches in worker processes, a few at a time.

    Workers stay for later branches and rounds, so that imports are paid for once. A
    worker that dies, or exceeds its time, costs the branch in training and is replaced.
    Every worker is replaced after ``recycle`` branches, which bounds what environments
    leak. The processes that a branch has started end with its worker.

    Args:
        workers: Branches at a time; the number of processors if not given.
        timeout: Seconds after which a branch is given up and its worker is killed.
        recycle: Branches after which a worker is replaced.
    """

    beside = True

    def __init__(
        self, workers: int | None = None, timeout: float = 3600.0, recycle: int = 50
    ) -> None:
        self.workers = workers or available_processors()
        self._timeout = timeout
        self._recycle = recycle
        self._pool: list[_Worker] = []

    def warm(self, fork: Fork) -> None:
        """Starts the workers, which import what the fork needs."""
        payload = cloudpickle.dumps(fork)
        while len(self._pool) < self.workers:
            self._pool.append(_Worker(fork.preload))
            self._pool[-1].warm(payload)

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields the results of branches in the order in which they end."""
        waiting = list(orders)
        try:
            while waiting or any(worker.order for worker in self._pool):
                self._assign(waiting)
                busy = [worker for worker in self._pool if worker.order]
                news = [part for worker in busy for part in worker.news]
                connection.wait(news, timeout=1.0)
                for worker in busy:
                    result = worker.collect(self._timeout)
                    if result is not None:
                        if not worker.alive or worker.branches >= self._recycle:
                            worker.stop()
                            self._pool.remove(worker)
                        yield result
        finally:
            # A caller that stops early does not want the other results.
            for worker in [worker for worker in self._pool if worker.order]:
                worker.stop()
                self._pool.remove(worker)

    def close(self) -> None:
        """Ends the workers; a later ``run`` starts new ones."""
        for worker in self._pool:
            worker.stop()
        self._pool.clear()
        sweep()

    def _assign(self, waiting: list[BranchOrder]) -> None:
        """Gives waiting orders to idle workers, and starts missing workers."""
        for worker in list(self._pool):
            if not worker.order and not worker.alive:
                worker.stop()
                self._pool.remove(worker)
            elif waiting and not worker.order:
                worker.give(waiting.pop(0))
        while waiting and len(self._pool) < self.workers:
            self._pool.append(_Worker(waiting[0].fork.preload))
            self._pool[-1].give(waiting.pop(0))


class _Worker:
    """Controls one worker process, from the side of the parent.

    Attributes:
        pipe: Pipe on which results arrive.
        order: The order of the branch in training; ``None`` while idle.
        branches: Number of orders that the worker was given.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self.order: BranchOrder | None = None
        self.branches = 0
        self.pipe, theirs = multiprocessing.Pipe()
        self._process = start_process(_work, (theirs,), preload)
        self._began = 0.0
        theirs.close()
        # Called when this process ends, before multiprocessing kills the worker without
        # the processes that the worker has started.
        self._end = Finalize(self, _end, (self._process,), exitpriority=10)
        self._messages: queue.SimpleQueue[tuple[str, bytes] | None]
        self._messages = queue.SimpleQueue()
        # A worker that hangs does not read, and a full pipe blocks the thread that
        # writes.
        threading.Thread(
            target=_deliver, args=(self._messages, self.pipe), daemon=True
        ).start()

    @property
    def alive(self) -> bool:
        """True while the worker process runs."""
        return bool(self._process.is_alive())

    @property
    def news(self) -> list[Any]:
        """The pipe and the end of the process, to wait for either.

        Processes that a branch has started may hold the other end of the pipe open.
        """
        return [self.pipe, self._process.sentinel]

    def warm(self, payload: bytes) -> None:
        """Sends a pickled fork to the worker, which warms the fork."""
        self._send("warm", payload)

    def give(self, order: BranchOrder) -> None:
        """Sends an order to the worker."""
        # The path is absolute, as the worker may have another working directory.
        end = None if order.end is None else order.end.absolute()
        sent = replace(order, snapshot=order.snapshot.absolute(), end=end)
        self._send("run", cloudpickle.dumps(sent))
        self.order, self._began = order, time.monotonic()
        self.branches += 1

    def collect(self, timeout: float) -> BranchResult | None:
        """Returns the result of the order; ``None`` while the branch is trained."""
        order = self.order
        assert order is not None
        ended = not self.alive  # asked before the pipe, which may hold a last result
        if self.pipe.poll():
            try:
                answer: BranchResult | str = self.pipe.recv()
            except (EOFError, OSError):
                answer = self._last_words()
        elif ended:
            answer = self._last_words()
        elif time.monotonic() - self._began > timeout:
            self.stop()
            answer = f"gave no result within {timeout:g} seconds"
        else:
            return None
        self.order = None
        return failed_branch(order, answer) if isinstance(answer, str) else answer

    def stop(self) -> None:
        """Kills the worker process, and all processes that it has started."""
        self._end()
        self._messages.put(None)
        self.pipe.close()
        sweep()

    def _last_words(self) -> str:
        self._process.join(1.0)
        code = self._process.exitcode
        self.stop()
        return f"its process died with exit code {code}"

    def _send(self, verb: Literal["warm", "run"], payload: bytes) -> None:
        self._messages.put((verb, payload))


def _deliver(
    messages: queue.SimpleQueue[tuple[str, bytes] | None], pipe: connection.Connection
) -> None:
    """Sends messages through a pipe, one after the other, until the pipe closes."""
    with contextlib.suppress(OSError, TypeError):  # the pipe may be closed meanwhile
        while (message := messages.get()) is not None:
            pipe.send(message)


def _end(process: Any) -> None:
    """Kills a worker process, and all processes that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # all processes of the group have ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def check_sendable(fork: Fork, task: Task) -> None:
    """Checks that fork and task can be sent to a worker process.

    Args:
        fork: The fork of the trainer.
        task: The task.

    Raises:
        ConfigurationError: The fork or the task cannot be pickled or unpickled.
    """
    parts = {
        "make_venv": fork,
        "the task's features": task.features,
        "the task's actions": task.actions,
        "the task": task,
    }
    for name, part in parts.items():
        try:
            cloudpickle.loads(cloudpickle.dumps(part))
        except AlsoError:  # the error of a fork says itself what cannot be sent
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{name} cannot be sent to a worker process ({brief(error)}); let "
                "functions make what they need themselves, from plain values, and hold "
                "no locks, open files or connections"
            ) from error


def available_processors() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_method() -> str:
    """Returns the start method of worker processes on this platform."""
    methods = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in methods else "spawn"


def start_process(target: Any, args: tuple[Any, ...], preload: Sequence[str]) -> Any:
    """Starts a daemon process that does not import the user's main module.

    Workers must not run the user's script again, as it may have no ``if __name__ ==
    "__main__"`` guard. What the script defines travels by cloudpickle.
    """
    context: Any = multiprocessing.get_context(start_method())
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
    """Makes this worker ignore Ctrl-C, and end when its parent ends, even by kill.

    Processes that the worker has started end with the worker, where the platform has
    process groups. A thread of the worker waits for the parent's end. So a worker that
    hangs in a library which lets no other thread run outlives a parent that is killed;
    a living parent can still kill such a worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _work(pipe: connection.Connection) -> None:
    """Answers orders with results in a worker, until the pipe or the parent ends."""
    follow_parent()
    # Workers are daemons so that the parent ends them when it exits. But daemons may
    # have no children, and a branch's environments may run in processes of their own.
    vars(multiprocessing.current_process())["_config"]["daemon"] = False
    while True:
        try:
            verb, payload = pipe.recv()
        except EOFError:
            return
        if verb == "run":
            pipe.send(_run(payload))
        else:
            # The first branch raises the error again.
            with contextlib.suppress(Exception):
                cloudpickle.loads(payload).warm()


def _run(payload: bytes) -> BranchResult | str:
    """Returns the result of a pickled order, or why the order cannot be unpickled."""
    order = read_order(payload)
    return order if isinstance(order, str) else run_branch(order)


def read_order(payload: bytes) -> BranchOrder | str:
    """Returns an order from its pickle, or why the order cannot be unpickled.

    Torch gets a single thread, as branches share the processors.
    """
    try:
        order: BranchOrder = cloudpickle.loads(payload)
    except Exception as error:
        return describe_error(error)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return order
