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

    # Algorithms that are not stopped yet hold processors.
    ray.init(num_cpus=64, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
