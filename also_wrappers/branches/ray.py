"""Runs branches as Ray tasks, on this machine or on a cluster.

``pip install 'also-wrappers[ray]'``, and then

```python
callback = also.AdaptationCallback(run, make_venv, executor=also.RayExecutor())
```

Results are those of ``ProcessExecutor``, bit for bit. On one machine nothing is gained
by it: eight branches of 4,096 steps of the demo took 10 seconds on two busy processors
with either; Ray took .35 GB for itself, and 14 seconds until the first four branches
were there (9 with processes). It pays where there are more machines, and for trainers
that run on Ray anyway, whose branches would start a Ray each in processes.

## On a cluster

```sh
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=...  # the same on all machines
ray start --head --num-cpus=0                  # where the training runs
ray start --address=HEAD:6379                  # on every other machine
```

- Nothing is shared by files. A branch makes its board in a temporary folder of its
  node; its order and snapshot come, and its numbers and its end go, through Ray. The
  run directory is the driver's alone.
- Every machine has the same versions of Python, Ray, this package and what the
  environments need: an image, or ``runtime_env={"pip": [...]}``. Code of your own
  goes with ``runtime_env={"working_dir": "."}``. Folders that were added to the path
  are passed on, and matter where the other machine has them too.
- Every machine has the same token (``ray get-auth-token --generate`` makes one). With
  none, whoever can reach the cluster can run anything on it.
- Branches reserve nothing, so that an autoscaler sees no demand for them: start the
  machines first, or call ``ray.autoscaler.sdk.request_resources``.
- Branches are lost with their worker or node, not repeated: the round goes on without
  them. If the head or the driver is lost, the run is resumed from its directory.
- A hanging branch costs its round the whole ``timeout``. Set it to a few times what a
  branch takes.

## A thousand branches, on paper

Branches of 60 seconds on 8 nodes of 32 processors, a head that sends 10 Gbit/s, the
snapshot of the demo's PPO (160 kB), an order of 13 kB, every tenth end wanted:

| | how | how much |
|---|---|---|
| makespan | 1,000 / 256 = 4 waves of 60 s, and 10 s of imports | 250 s |
| driver | 1,000 x 10 ms to place, send and collect | 10 s of these |
| sent by the head | 8 x 160 kB + 1,000 x 13 kB | 14 MB |
| received by the head | 100 x 160 kB + 1,000 x .6 kB | 17 MB |
| memory of the head | .35 GB of Ray + 4 x 160 kB + 256 x 13 kB | .35 GB |
| memory of a node | 32 workers x .4 GB | 13 GB |
| lost to workers | 1,000 x .001 | 1 branch |
| lost to nodes | 8 nodes x .07 h x one death in 720 h x 32 branches | .02 branches |

With a replay buffer, of 400 MB say, the head sends 8 x .4 = 3.2 GB and receives 100 x
.4 = 40 GB (32 s at 10 Gbit/s, 320 s at 1); it holds two snapshots, the copy that is
being stored and the end that is being written (1.6 GB), however many are in flight. A
node holds the snapshot once for all, on its disk once for each branch (13 GB), and as
many buffers in memory.

``python tests/benchmarks/cluster.py`` plays that schedule event by event, 275 s with
branches whose times vary by a tenth. On 32 such nodes it is 96 s (one wave, and the
driver's 10 s weigh); with ``--snapshot 400e6 --network 125e6`` 373 s, and the network
is what limits; with ``--hangs .002`` 3,601 s, and 301 s with ``--timeout 300``.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from also_wrappers.branches.branch import BranchOrder, BranchResult, failed_branch
from also_wrappers.branches.node import Bytes, train, warm
from also_wrappers.branches.scratch import sweep
from also_wrappers.branches.tasks import cancel, roomiest, task_on
from also_wrappers.exceptions import ConfigurationError, StorageError, brief, one_line
from also_wrappers.files import remove, replacing
from also_wrappers.trainer import Fork

__all__ = ["RayExecutor"]

#: The most snapshots that stay in the object store for later orders: one of a round and
#: one of a claim that is confirmed at the same time.
_STORED = 2


@dataclass(frozen=True)
class _Flight:
    """Holds a branch that was sent to a node and has not ended.

    Attributes:
        order: The order of the branch.
        node: The node that the branch was sent to.
        began: Time at which the branch was sent, in seconds of the monotonic clock.
    """

    order: BranchOrder
    node: str
    began: float


class RayExecutor:
    """Runs branches as Ray tasks, on this machine or on a cluster.

    Where Ray runs already in this process, branches run there and ``close`` leaves Ray
    running. Otherwise the first branch starts Ray or joins the cluster, and ``close``
    leaves it. A worker or a node that dies, or exceeds its time, costs the branches in
    training there.

    Branches reserve no processors, as a paused training may have reserved all of them.
    The number of branches in flight is bounded instead, and each branch goes to the
    node with the fewest branches for its processors.

    Args:
        address: Address of a cluster, as ``ray.init`` takes it; ``"auto"`` for the one
            that this machine is part of, ``"local"`` for a Ray of its own. If not
            given, a cluster of this machine is joined, or else Ray is started here.
        in_flight: Branches at a time; the number of processors of the cluster if not
            given.
        timeout: Seconds after which a branch is given up and its worker is killed.
        runtime_env: Files and packages that workers on other machines need, as
            ``ray.init`` takes them, such as ``{"working_dir": "."}``.

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
        self._flying: dict[Any, _Flight] = {}
        self._lock = threading.Lock()

    def warm(self, fork: Fork) -> None:
        """Starts Ray and its workers, which import what the fork needs.

        Raises:
            ConfigurationError: There is no such cluster, or ``address`` or
                ``runtime_env`` is given and Ray runs already in this process.
        """
        self._join()
        payload = cloudpickle.dumps(fork)
        nodes: Counter[str] = Counter()
        for _ in range(self._most()):
            node = roomiest(nodes)
            nodes[node] += 1
            self._warming.append(task_on(warm, node).remote(payload))

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        """Yields the results of branches in the order in which they end.

        Raises:
            ConfigurationError: See ``warm``.
        """
        self._join()
        waiting = list(orders)
        flying: dict[Any, _Flight] = {}
        self._flying = flying
        try:
            while waiting or flying:
                with self._lock:
                    closed = self._flying is not flying
                    results = [] if closed else self._advance(waiting, flying)
                yield from results
                if closed:
                    for order in (*(f.order for f in flying.values()), *waiting):
                        yield failed_branch(order, "its executor was closed")
                    return
        finally:
            # A caller that stops early does not want the other results.
            with self._lock:
                if self._flying is flying:
                    cancel(flying)

    def close(self) -> None:
        """Ends the branches in flight, and leaves a Ray that was started here.

        Branches that are run afterwards start or join Ray again.
        """
        import ray

        flying, self._flying = self._flying, {}
        # The next call of another thread that waits in ``run`` would start Ray again.
        with self._lock:
            if ray.is_initialized():
                cancel((*self._warming, *flying))
            self._warming.clear()
            self._stored.clear()
            if self._joined:
                ray.shutdown()
                self._joined = False
        sweep()

    def _advance(
        self, waiting: list[BranchOrder], flying: dict[Any, _Flight]
    ) -> list[BranchResult]:
        """Sends orders while there is room, and returns results that are there.

        Args:
            waiting: Orders that were not sent yet; sent orders are taken out.
            flying: Branches in flight, by task; ended branches are taken out.

        Returns:
            The results of branches that have ended or were given up.
        """
        import ray

        results = []
        while waiting and len(flying) < self._most():
            order = waiting.pop(0)
            node = roomiest(Counter(flight.node for flight in flying.values()))
            try:
                task = self._send(order, node)
            except OSError as error:
                results.append(failed_branch(order, brief(error)))
            else:
                flying[task] = _Flight(order, node, time.monotonic())
        if not flying:  # no order could be sent
            return results
        # Results stay on their nodes until each is fetched and written here.
        done, _ = ray.wait(list(flying), timeout=1.0, fetch_local=False)
        results += [_collect(flying.pop(task).order, task) for task in done]
        now = time.monotonic()
        for task, flight in list(flying.items()):
            if now - flight.began > self._timeout:
                cancel([task])
                del flying[task]
                reason = f"gave no result within {self._timeout:g} seconds"
                results.append(failed_branch(flight.order, reason))
        return results

    def _join(self) -> None:
        """Starts Ray or joins a cluster, unless this process has done so."""
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
            # Ray raises SystemExit where the cluster does not answer.
            except (ConnectionError, ValueError, RuntimeError, SystemExit) as error:
                where = "here"
                if self._address is not None:
                    where = f"at {self._address!r}"
                raise ConfigurationError(
                    f"Ray cannot be used {where} ({one_line(brief(error))}); give the "
                    "address of a cluster that `ray start --head` has started, or "
                    "'local' to start one on this machine alone"
                ) from error
            self._joined = True
        elif not self._joined and (self._address or self._runtime_env):
            raise ConfigurationError(
                "Ray runs already in this process, so that RayExecutor can choose "
                "neither address nor runtime_env; give them to ray.init instead"
            )

    def _most(self) -> int:
        """Returns how many branches may run at a time on the present nodes."""
        import ray

        return self._in_flight or max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def _send(self, order: BranchOrder, node: str) -> Any:
        """Sends an order to a node as a Ray task."""
        start = self._put(order.snapshot)
        return task_on(train, node).remote(cloudpickle.dumps(order), start)

    def _put(self, snapshot: Path) -> Any:
        """Returns a snapshot's place in the object store, where it is put once."""
        import ray

        state = snapshot.stat()
        key = (snapshot.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)
        reference = self._stored.pop(key, None)
        if reference is None:
            reference = ray.put(np.fromfile(snapshot, np.uint8))
        self._stored[key] = reference
        while len(self._stored) > _STORED:
            # Ray keeps a snapshot that branches in flight refer to.
            del self._stored[next(iter(self._stored))]
        return reference


def _collect(order: BranchOrder, task: Any) -> BranchResult:
    """Returns the result of a task that has ended, and writes the branch's end."""
    import ray

    answer: tuple[BranchResult | str, Bytes | None]
    try:
        answer = ray.get(task)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        return failed_branch(order, one_line(brief(cause)))
    result, end = answer
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
