"""Branches as Ray tasks, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from also_wrappers.branches.branch import (
    BranchOrder,
    BranchResult,
    failed_branch,
    run_branch,
)
from also_wrappers.branches.executors import read_order
from also_wrappers.branches.scratch import scratch, sweep
from also_wrappers.exceptions import ConfigurationError, StorageError, brief, one_line
from also_wrappers.files import remove, replacing
from also_wrappers.trainer import Fork

__all__ = ["RayExecutor"]

Bytes = npt.NDArray[np.uint8]

#: Branches after which a worker is replaced, so that what environments leak stays
#: bounded.
_RECYCLE = 50
#: Snapshots that stay in the object store for later orders: that of a round and that
#: of a claim which is confirmed beside it.
_STORED = 2
#: Ends the process group of a worker once the worker is gone, however it went.
_GUARD = """
import os, sys, time
worker = int(sys.argv[1])
while os.getppid() == worker:
    time.sleep(0.2)
os.killpg(worker, 9)
"""


@dataclass(frozen=True)
class _Flight:
    """A branch that was sent off.

    Attributes:
        order: Its order.
        node: The node that it was sent to.
        began: When it was sent, in seconds of the monotonic clock.
    """

    order: BranchOrder
    node: str
    began: float


class RayExecutor:
    """Runs branches as Ray tasks, on this machine or on a cluster.

    Where Ray runs already in this process, branches run there and Ray is left as it
    is. Where it does not, Ray is started, or the cluster joined, with the first branch,
    and left with ``close``. A worker or a node that dies, or exceeds its time, costs
    the branches that it was at.

    Branches reserve no processors: a paused training may hold all of them. The number
    of branches in flight is bounded instead, and each goes to the node with the fewest
    branches for its processors.

    Args:
        address: Address of a cluster, as ``ray.init`` takes it; ``"auto"`` for the one
            that this machine is part of. If not given, such a cluster is looked for,
            and else Ray is started on this machine.
        in_flight: Branches at a time; the number of processors of the cluster if not
            given.
        timeout: Seconds after which a branch is given up, whatever its worker is at.
        runtime_env: What workers on other machines need of this one, as ``ray.init``
            takes it, such as ``{"working_dir": "."}``.

    Raises:
        ConfigurationError: Ray is not installed, or ``in_flight`` is less than 1.

    Example:
        >>> from also_wrappers import AdaptationCallback, RayExecutor
        >>> executor = RayExecutor("auto", in_flight=64)  # doctest: +SKIP
        >>> AdaptationCallback(run, make_venv, executor=executor)  # doctest: +SKIP
    """

    beside = True

    def __init__(
        self,
        address: str | None = None,
        in_flight: int | None = None,
        timeout: float = 3600.0,
        runtime_env: Mapping[str, Any] | None = None,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigurationError(
                "ray is not installed; run: pip install 'also-wrappers[ray]'"
            )
        if in_flight is not None and in_flight < 1:
            raise ConfigurationError(
                f"in_flight is {in_flight}, and at least 1 branch has to be in flight; "
                "leave it out for as many as the cluster has processors"
            )
        self._address = address
        self._in_flight = in_flight
        self._timeout = timeout
        self._runtime_env = runtime_env
        self._joined = False
        self._stored: dict[tuple[Path, int, int, int], Any] = {}
        self._warming: list[Any] = []

    def warm(self, fork: Fork) -> None:
        """Starts Ray and its workers, which import what the fork needs meanwhile.

        Raises:
            ConfigurationError: There is no such cluster, or Ray runs already in this
                process and is told of an address or an environment.
        """
        self._join()
        payload = cloudpickle.dumps(fork)
        nodes: Counter[str] = Counter()
        for _ in range(self._most()):
            node = _roomiest(nodes)
            nodes[node] += 1
            self._warming.append(_task(_warm, node).remote(payload))

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields results as branches end.

        Raises:
            ConfigurationError: See ``warm``.
        """
        self._join()
        import ray

        waiting = list(orders)
        flying: dict[Any, _Flight] = {}
        try:
            while waiting or flying:
                while waiting and len(flying) < self._most():
                    order = waiting.pop(0)
                    node = _roomiest(Counter(f.node for f in flying.values()))
                    try:
                        task = self._send(order, node)
                    except OSError as error:
                        yield failed_branch(order, brief(error))
                    else:
                        flying[task] = _Flight(order, node, time.monotonic())
                # Ends stay on their nodes until it is their turn to be written here.
                done, _ = ray.wait(list(flying), timeout=1.0, fetch_local=False)
                for task in done:
                    yield _collect(flying.pop(task).order, task)
                now = time.monotonic()
                for task, flight in list(flying.items()):
                    if now - flight.began > self._timeout:
                        ray.cancel(task, force=True)
                        del flying[task]
                        error = f"gave no result within {self._timeout:g} seconds"
                        yield failed_branch(flight.order, error)
        finally:
            # Whoever asked does not want the rest any more.
            for task in flying:
                ray.cancel(task, force=True)

    def close(self) -> None:
        """Gives back what is stored, and leaves Ray if it was started or joined here;
        more branches would start or join it again."""
        import ray

        if ray.is_initialized():
            for task in self._warming:
                ray.cancel(task, force=True)
        self._warming.clear()
        self._stored.clear()
        if self._joined:
            ray.shutdown()
            self._joined = False
        sweep()

    def _join(self) -> None:
        """Starts Ray or joins a cluster, where this process has not done so."""
        import ray

        if not ray.is_initialized():
            try:
                ray.init(
                    self._address,
                    runtime_env=self._runtime_env and dict(self._runtime_env),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
            # Ray ends a process whose cluster does not answer.
            except (ConnectionError, ValueError, RuntimeError, SystemExit) as error:
                where = "on this machine"
                if self._address is not None:
                    where = f"at {self._address!r}"
                raise ConfigurationError(
                    f"Ray cannot be used {where} ({one_line(brief(error))}); start a "
                    "cluster with `ray start --head`, or leave out the address"
                ) from error
            self._joined = True
        elif not self._joined and (self._address or self._runtime_env):
            raise ConfigurationError(
                "Ray runs already in this process, so that RayExecutor can choose "
                "neither address nor runtime_env; give them to ray.init instead"
            )

    def _most(self) -> int:
        """Branches at a time; nodes may have come and gone."""
        import ray

        return self._in_flight or max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def _send(self, order: BranchOrder, node: str) -> Any:
        """Sends an order to a node; its snapshot goes to every node only once."""
        start = self._put(order.snapshot)
        return _task(_branch, node).remote(cloudpickle.dumps(order), start)

    def _put(self, snapshot: Path) -> Any:
        """Puts a snapshot into the object store, where it is not there yet."""
        import ray

        state = snapshot.stat()
        key = (snapshot.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)
        reference = self._stored.pop(key, None)
        if reference is None:
            reference = ray.put(np.fromfile(snapshot, np.uint8))
        self._stored[key] = reference
        while len(self._stored) > _STORED:
            # Branches in flight keep what they begin from.
            del self._stored[next(iter(self._stored))]
        return reference


def _task(function: Any, node: str) -> Any:
    """Returns a function as a task for a node, or for another one if that is gone."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Workers know the folder of the script, and not what was added to the path. Ray
    # would set threads to the processors that are reserved.
    own = tuple({sys.prefix, sys.base_prefix})
    added = [path for path in sys.path if path and not path.startswith(own)]
    variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(added)}
    chosen = ray.get_runtime_context().runtime_env.get("env_vars", {})
    return _remote(function).options(
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
        runtime_env={"env_vars": {**variables, **chosen}},
    )


@functools.cache
def _remote(function: Any) -> Any:
    """Returns a function as Ray's; each one is sent to the cluster once."""
    import ray

    return ray.remote(num_cpus=0, max_retries=0, max_calls=_RECYCLE)(function)


def _roomiest(flying: Counter[str]) -> str:
    """Returns the node that would have the fewest branches for its processors.

    Args:
        flying: Branches in flight, by node.
    """
    import ray

    # A head without processors is to be left alone.
    processors = {
        node["NodeID"]: node["Resources"].get("CPU", 0.0) or 1e-9
        for node in ray.nodes()
        if node["Alive"]
    }
    return min(processors, key=lambda node: (flying[node] + 1) / processors[node])


def _collect(order: BranchOrder, task: Any) -> BranchResult:
    """Returns the result of a task that has ended, and writes the branch's end."""
    import ray

    try:
        result, end = ray.get(task)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        return failed_branch(order, one_line(brief(cause)))
    if isinstance(result, str):
        return failed_branch(order, result)
    if order.end is None:
        return result
    if end is None:
        remove(order.end)
        return result
    try:
        with replacing(order.end) as beside:
            end.tofile(beside)
    except StorageError as error:
        return failed_branch(order, str(error))
    return replace(result, snapshot=order.end)


def _branch(payload: bytes, start: Bytes) -> tuple[BranchResult | str, Bytes | None]:
    """Trains a branch on a node; returns its result and the bytes of its end."""
    _end_with_worker()
    order = read_order(payload)
    if isinstance(order, str):
        return order, None
    with scratch() as folder:
        # Formats may go by the names of files.
        snapshot = folder / f"start-{order.snapshot.name}"
        start.tofile(snapshot)
        end = None if order.end is None else folder / f"end-{order.end.name}"
        result = run_branch(replace(order, snapshot=snapshot, end=end))
        written = None
        if end is not None and result.ok:
            written = np.fromfile(end, np.uint8)
    return replace(result, snapshot=None), written


def _warm(payload: bytes) -> None:
    """Does in a worker what takes long the first time."""
    _end_with_worker()
    with contextlib.suppress(Exception):  # the first branch will say it
        cloudpickle.loads(payload).warm()


@functools.cache
def _end_with_worker() -> None:
    """Sees to it that processes which branches start end with their worker.

    Ray ends the worker's own children at most, and none where the worker is killed.
    """
    if hasattr(os, "setpgid"):
        with contextlib.suppress(PermissionError):  # it leads a group already
            os.setpgid(0, 0)
        subprocess.Popen(
            [sys.executable, "-ISc", _GUARD, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
