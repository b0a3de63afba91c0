"""Functions as Ray tasks: with what they run, on which node, and how they are ended."""

from __future__ import annotations

import functools
import os
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["cancel", "roomiest", "task_on"]

#: Branches after which a worker is replaced, so that what environments leak stays
#: bounded.
_RECYCLE = 50


def task_on(function: Any, node: str) -> Any:
    """Returns a function as a task for a node, or for another one if that is gone."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Workers know the folder of the script, and not what was added to the path. Ray
    # would set threads to the processors that are reserved. Whoever goes through a set
    # of names, as RLlib through agents, does so in an order of the process's own.
    own = tuple({sys.prefix, sys.base_prefix})
    added = [path for path in sys.path if path and not path.startswith(own)]
    variables = {
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(added),
    }
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


def roomiest(flying: Counter[str]) -> str:
    """Returns the node that would have the fewest branches for its processors.

    Args:
        flying: Branches in flight, by node.
    """
    import ray

    # A head without processors is to be left alone.
    processors: dict[str, float] = {
        node["NodeID"]: node["Resources"].get("CPU", 0.0) or 1e-9
        for node in ray.nodes()
        if node["Alive"]
    }
    return min(processors, key=lambda node: (flying[node] + 1) / processors[node])


def cancel(tasks: Iterable[Any]) -> None:
    """Ends tasks and the workers that are at them."""
    import ray

    for task in tasks:
        ray.cancel(task, force=True)
