"""One Ray for all tests of RLlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def _ray() -> Iterator[None]:
    if importlib.util.find_spec("ray") is None:
        yield
        return
    import ray

    with pytest.MonkeyPatch.context() as patch:
        # RLlib has agents in sets, whose order is another in each process else.
        patch.setenv("PYTHONHASHSEED", "0")
        # Ray starts a worker for each processor at once.
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
