"""Makes Ray tasks of functions, places the tasks on nodes, and ends them."""

from __future__ import annotations

import functools
import os
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["cancel", "roomiest", "task_on"]

#: Branches after which a worker is replaced, which bounds what environments leak.
_RECYCLE = 50


def task_on(function: Any, node: str) -> Any:
    """Returns a function as a Ray task for a node, or any node if that one is gone."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Workers know the folder of the script, but not folders that were added to the
    # path. Ray would set the number of threads to the reserved processors. The hash
    # seed is fixed, as libraries go through sets of names (RLlib through agents) in an
    # order that depends on that seed.
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
    """Returns a function as a Ray task, which is sent to the cluster once."""
    import ray

    return ray.remote(num_cpus=0, max_retries=0, max_calls=_RECYCLE)(function)


def roomiest(flying: Counter[str]) -> str:
    """Returns the node with the fewest branches for each of its processors.

    Args:
        flying: Branches in flight, by node.
    """
    import ray

    # A head that was started without processors runs no branches.
    processors: dict[str, float] = {
        node["NodeID"]: node["Resources"].get("CPU", 0.0) or 1e-9
        for node in ray.nodes()
        if node["Alive"]
    }
    return min(processors, key=lambda node: (flying[node] + 1) / processors[node])


def cancel(tasks: Iterable[Any]) -> None:
    """Ends tasks, and the workers that run them."""
    import ray

    for task in tasks:
        ray.cancel(task, force=True)
