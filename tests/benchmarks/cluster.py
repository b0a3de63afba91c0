"""What many branches would take on a cluster, played event by event.

    python tests/benchmarks/cluster.py [--branches 1000] [--nodes 8] [--processors 32]

Plays the schedule of ``RayExecutor`` without Ray: branches in flight are bounded, each
goes to the node with the fewest branches for its processors, a snapshot goes to each
node once, the driver sends and collects one branch at a time, ends come back one after
the other through its network, and workers, nodes and branches fail. Prints the
makespan, the bytes moved, the memory of the head node, and what failed.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Literal

from rich.console import Console
from rich.table import Table

#: Measured on the demo's training: bytes of a pickled order and of a result.
ORDER, RESULT = 13_000, 600
#: Measured: bytes of Ray's own processes on the head node.
RAY = 350_000_000
#: Snapshots that ``RayExecutor`` keeps in the object store, and the copy that is read.
COPIES = 2 + 1
#: Branches after which ``RayExecutor`` replaces a worker.
RECYCLE = 50

Cause = Literal["worker died", "node died", "timed out"]


@dataclass(frozen=True)
class Plan:
    """A cluster and what it has to do.

    Attributes:
        branches: Branches of one ``run``.
        seconds: Mean time that a branch trains.
        spread: Standard deviation of that time, as a share of it.
        nodes: Number of nodes that train.
        processors: Processors of each node.
        in_flight: Branches at a time; 0 for the number of processors.
        snapshot: Bytes of a snapshot, at the start or at the end of a branch.
        kept: Share of branches whose ends are wanted.
        network: Bytes per second that the head node sends or receives.
        start: Seconds until a new worker has imported what it needs.
        overhead: Seconds of the driver for each branch.
        deaths: Chance that the worker of a branch dies.
        hangs: Chance that a branch never ends.
        node_deaths: Deaths of a node, per hour.
        timeout: Seconds after which a branch is given up.
        seed: Of all chances.
    """

    branches: int = 1000
    seconds: float = 60.0
    spread: float = 0.1
    nodes: int = 8
    processors: int = 32
    in_flight: int = 0
    snapshot: float = 160e3
    kept: float = 0.1
    network: float = 1.25e9
    start: float = 10.0
    overhead: float = 0.01
    deaths: float = 0.001
    hangs: float = 0.0
    node_deaths: float = 1.0 / 720.0
    timeout: float = 3600.0
    seed: int = 0

    @property
    def most(self) -> int:
        """Branches in flight at most."""
        return self.in_flight or self.nodes * self.processors


@dataclass
class Outcome:
    """The measurements of a schedule.

    Attributes:
        makespan: Seconds until the last branch has ended.
        useful: Seconds that branches which succeeded have trained, summed.
        driver: Seconds that the driver was busy.
        sent: Bytes that the head node sent.
        received: Bytes that the head node received.
        memory: Bytes that the head node needs at most.
        failed: Branches that failed, by cause.
        flying: Branches that were in flight at most.
    """

    makespan: float = 0.0
    useful: float = 0.0
    driver: float = 0.0
    sent: float = 0.0
    received: float = 0.0
    memory: float = 0.0
    failed: Counter[Cause] = field(default_factory=Counter)
    flying: int = 0


@dataclass
class _Node:
    """A node that trains.

    Attributes:
        dies: When it dies.
        ready: When the snapshot is there; ``None`` where it was not asked for.
        flying: Branches that it is at.
        idle: Branches that each of its idle workers has trained.
    """

    dies: float
    ready: float | None = None
    flying: int = 0
    idle: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Ending:
    """How a branch ends.

    Attributes:
        node: Where it runs.
        trained: Branches that its worker has trained by then.
        seconds: How long it trained.
        cause: Why it failed; ``None`` if it did not.
    """

    node: _Node
    trained: int
    seconds: float
    cause: Cause | None


def simulate(plan: Plan) -> Outcome:
    """Plays the schedule of all branches of a plan."""
    chance, out = random.Random(plan.seed), Outcome()
    nodes = [_Node(_lifetime(chance, plan)) for _ in range(plan.nodes)]
    endings: list[tuple[float, int, _Ending]] = []
    order = itertools.count()
    waiting, now, network = plan.branches, 0.0, 0.0
    while waiting or endings:
        alive = [node for node in nodes if node.dies > now]
        most = min(plan.most, plan.in_flight or len(alive) * plan.processors)
        while waiting and alive and len(endings) < most:
            waiting -= 1
            now += plan.overhead
            out.driver += plan.overhead
            out.sent += ORDER
            node = min(alive, key=lambda node: node.flying)
            if node.ready is None:
                network = max(network, now) + plan.snapshot / plan.network
                node.ready = network
                out.sent += plan.snapshot
            ending, until = _train(chance, plan, node, max(now, node.ready))
            heapq.heappush(endings, (max(until, now), next(order), ending))
            node.flying += 1
        out.flying = max(out.flying, len(endings))
        if not endings:
            raise RuntimeError(f"all nodes died, and {waiting} branches are left")
        until, _, ending = heapq.heappop(endings)
        now = max(now, until)
        ending.node.flying -= 1
        out.received += RESULT
        if ending.cause is not None:
            out.failed[ending.cause] += 1
            continue
        out.useful += ending.seconds
        if ending.trained < RECYCLE:
            ending.node.idle.append(ending.trained)
        if chance.random() < plan.kept:
            now += plan.snapshot / plan.network
            out.driver += plan.snapshot / plan.network
            out.received += plan.snapshot
    out.makespan = now
    out.memory = RAY + COPIES * plan.snapshot + plan.snapshot + out.flying * ORDER
    return out


def _train(
    chance: random.Random, plan: Plan, node: _Node, now: float
) -> tuple[_Ending, float]:
    """Returns how a branch that is sent to a node ends, and when."""
    trained = node.idle.pop() if node.idle else None
    began = now + (plan.start if trained is None else 0.0)
    seconds = max(chance.gauss(1.0, plan.spread), 0.1) * plan.seconds
    hangs, dies = chance.random() < plan.hangs, chance.random() < plan.deaths
    until, cause = began + seconds, None
    ends: list[tuple[float, Cause]] = [
        (node.dies, "node died"),
        (now + plan.timeout, "timed out"),
    ]
    if hangs:
        until = math.inf
    if dies:
        ends.append((began + chance.random() * seconds, "worker died"))
    first, reason = min(ends)
    if first < until:
        until, cause = first, reason
    return _Ending(node, (trained or 0) + 1, until - began, cause), until


def _lifetime(chance: random.Random, plan: Plan) -> float:
    """Returns when a node dies, in seconds."""
    rate = plan.node_deaths / 3600.0
    return chance.expovariate(rate) if rate else math.inf


def describe(plan: Plan, out: Outcome) -> Table:
    """Returns what came out, in words."""
    table = Table("what", "how much", title=f"{plan.branches:,} branches")
    best = plan.branches * plan.seconds / min(plan.most, plan.nodes * plan.processors)
    rows = {
        "makespan": f"{out.makespan:,.0f} s",
        "with every processor busy all the time": f"{best:,.0f} s",
        "trained for branches that succeeded": f"{out.useful / 3600.0:,.1f} hours",
        "driver busy": f"{out.driver:,.1f} s",
        "head sends": _amount(out.sent),
        "head receives": _amount(out.received),
        "memory of the head": _amount(out.memory),
        "in flight at most": f"{out.flying:,}",
        "failed": f"{out.failed.total():,} {dict(out.failed) or ''}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _amount(count: float) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def main() -> None:
    """Plays the plan of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in fields(Plan):
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, type=type(option.default), default=option.default)
    plan = Plan(**vars(parser.parse_args()))
    Console().print(describe(plan, simulate(plan)))


if __name__ == "__main__":
    main()
