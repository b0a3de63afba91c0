"""Where branches run: in this process, or in worker processes."""

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
        """Whether branches run outside this process, so that training goes on beside.

        ``run`` is then called from a thread, never from two at a time.
        """

    def warm(self, fork: Fork) -> None:
        """Called before the first ``run``, so that workers can start and import early.

        Args:
            fork: The fork whose branches will come.
        """

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields the results of branches in the order in which they end."""

    def close(self) -> None:
        """Gives back processes and memory; another ``run`` would start new ones."""


class SerialExecutor:
    """Runs one branch after the other in this process, and restores its randomness."""

    beside = False

    def warm(self, fork: Fork) -> None:
        """Does nothing: this process has what it needs."""

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results in the order of the orders."""
        for order in orders:
            with randomness_restored():
                result = run_branch(order)
            yield result

    def close(self) -> None:
        """Does nothing: there is nothing to give back."""


class ProcessExecutor:
    """Runs branches in worker processes, a few at a time.

    Workers stay for the next branches and rounds, so that imports are paid for once.
    One that dies, or exceeds its time, costs the branch that it was at and is
    replaced; after so many branches each is replaced anyway, so that what environments
    leak stays bounded. The processes that a branch has started end with its worker.

    Args:
        workers: Branches at a time; the number of processors if not given.
        timeout: Seconds after which a branch is given up, whatever its worker is at.
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
        """Starts the workers, which import what the fork needs meanwhile."""
        payload = cloudpickle.dumps(fork)
        while len(self._pool) < self.workers:
            self._pool.append(_Worker(fork.preload))
            self._pool[-1].warm(payload)

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results as branches end."""
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
            # Whoever asked does not want the rest any more.
            for worker in [worker for worker in self._pool if worker.order]:
                worker.stop()
                self._pool.remove(worker)

    def close(self) -> None:
        """Ends the workers; more branches would start new ones."""
        for worker in self._pool:
            worker.stop()
        self._pool.clear()
        sweep()

    def _assign(self, waiting: list[BranchOrder]) -> None:
        """Gives waiting orders to idle workers, and starts more where there are few."""
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
    """The parent's end of a worker process.

    Attributes:
        pipe: Where results come from.
        order: What it is at.
        branches: How many it has been given.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self.order: BranchOrder | None = None
        self.branches = 0
        self.pipe, theirs = multiprocessing.Pipe()
        self._process = start_process(_work, (theirs,), preload)
        self._began = 0.0
        theirs.close()
        # Called when this process ends, before multiprocessing ends the worker alone.
        self._end = Finalize(self, _end, (self._process,), exitpriority=10)
        self._messages: queue.SimpleQueue[tuple[str, bytes] | None]
        self._messages = queue.SimpleQueue()
        # A worker that hangs does not read, and a full pipe keeps whoever writes.
        threading.Thread(
            target=_deliver, args=(self._messages, self.pipe), daemon=True
        ).start()

    @property
    def alive(self) -> bool:
        """True while the worker process runs."""
        return bool(self._process.is_alive())

    @property
    def news(self) -> list[Any]:
        """What to wait for: the pipe, and the end of the process.

        Processes that a branch has started may hold the other end of the pipe open.
        """
        return [self.pipe, self._process.sentinel]

    def warm(self, payload: bytes) -> None:
        """Sends a pickled fork that is to be warmed."""
        self._send("warm", payload)

    def give(self, order: BranchOrder) -> None:
        """Sends an order."""
        # The worker may have another working directory.
        end = None if order.end is None else order.end.absolute()
        sent = replace(order, snapshot=order.snapshot.absolute(), end=end)
        self._send("run", cloudpickle.dumps(sent))
        self.order, self._began = order, time.monotonic()
        self.branches += 1

    def collect(self, timeout: float) -> BranchResult | None:
        """Returns the result of the order; ``None`` while the branch is trained."""
        order = self.order
        assert order is not None
        ended = not self.alive  # before the pipe: its last words may be in there
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
        """Ends the process, whatever it is at, and all that it has started."""
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
    """Sends messages one after the other, while somebody reads them."""
    with contextlib.suppress(OSError, TypeError):  # the pipe may be closed meanwhile
        while (message := messages.get()) is not None:
            pipe.send(message)


def _end(process: Any) -> None:
    """Ends a worker and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # all of them are gone
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def check_sendable(fork: Fork, task: Task) -> None:
    """Checks that what a branch needs can be sent to a worker process.

    Args:
        fork: The fork of the trainer.
        task: The task.

    Raises:
        ConfigurationError: A part cannot be pickled, or not be unpickled.
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
        except AlsoError:  # what it cannot send, it says itself
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{name} cannot be sent to a worker process ({brief(error)}); let "
                "functions make what they need themselves, from plain values, and hold "
                "no locks, open files or connections"
            ) from error


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_method() -> str:
    """How worker processes start on this platform, as ``multiprocessing`` calls it."""
    methods = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in methods else "spawn"


def start_process(target: Any, args: tuple[Any, ...], preload: Sequence[str]) -> Any:
    """Starts a daemon process that does not import the user's main module.

    The user's script may well have no ``if __name__ == "__main__"`` guard, and what
    it defines travels by cloudpickle, so workers must not run it again.
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
    """Makes this worker ignore Ctrl-C, and end when its parent does, even by kill.

    What the worker has started ends with it, where the platform has process groups.
    Ending takes a thread: a worker that hangs inside a library which never lets other
    threads run outlives a parent that is killed; its parent can end it all the same.
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
    """A worker's life: orders in, results out, until the pipe or the parent ends."""
    follow_parent()
    # The parent ends its daemons when it exits, which is wanted; that daemons may have
    # no children is not, since a branch's environments may run in processes.
    vars(multiprocessing.current_process())["_config"]["daemon"] = False
    while True:
        try:
            verb, payload = pipe.recv()
        except EOFError:
            return
        if verb == "run":
            pipe.send(_run(payload))
        else:
            with contextlib.suppress(Exception):  # the first branch will say it
                cloudpickle.loads(payload).warm()


def _run(payload: bytes) -> BranchResult | str:
    """Returns the result of a pickled order, or why it could not be unpickled."""
    order = read_order(payload)
    return order if isinstance(order, str) else run_branch(order)


def read_order(payload: bytes) -> BranchOrder | str:
    """Returns a pickled order, or why it could not be unpickled.

    Torch gets a single thread: branches share the processors between them.
    """
    try:
        order: BranchOrder = cloudpickle.loads(payload)
    except Exception as error:
        return describe_error(error)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return order
