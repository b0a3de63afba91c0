"""Trains branches on nodes of a cluster, from orders that come without files."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from dataclasses import replace

import cloudpickle
import numpy as np
import numpy.typing as npt

from also_wrappers.branches.branch import BranchResult, run_branch
from also_wrappers.branches.executors import read_order
from also_wrappers.branches.scratch import scratch

__all__ = ["Bytes", "train", "warm"]

#: The content of a file, shape ``(bytes,)``.
Bytes = npt.NDArray[np.uint8]

#: Program that kills the process group of a worker once the worker has ended.
_GUARD = """
import os, sys, time
worker = int(sys.argv[1])
while os.getppid() == worker:
    time.sleep(0.2)
os.killpg(worker, 9)
"""


def train(payload: bytes, start: Bytes) -> tuple[BranchResult | str, Bytes | None]:
    """Trains a branch in a temporary folder of this machine.

    Args:
        payload: The pickled order, whose paths are those of another machine.
        start: The snapshot that the branch begins from.

    Returns:
        The result, or why the order could not be unpickled; and the snapshot of the
        branch's end, ``None`` if the branch failed or its end is not wanted.
    """
    _end_with_worker()
    order = read_order(payload)
    if isinstance(order, str):
        return order, None
    with scratch() as folder:
        # The name is kept, as a format may be chosen by a file's name.
        snapshot = folder / f"start-{order.snapshot.name}"
        start.tofile(snapshot)
        end = None if order.end is None else folder / f"end-{order.end.name}"
        result = run_branch(replace(order, snapshot=snapshot, end=end))
        written = None
        if end is not None and result.ok:
            written = np.fromfile(end, np.uint8)
    return replace(result, snapshot=None), written


def warm(payload: bytes) -> None:
    """Imports and builds in a worker what takes long the first time.

    Args:
        payload: The pickled fork whose branches will be ordered.
    """
    _end_with_worker()
    with contextlib.suppress(Exception):  # the first branch raises the error again
        cloudpickle.loads(payload).warm()


@functools.cache
def _end_with_worker() -> None:
    """Ensures that processes which branches start end with their worker.

    Ray ends only direct children of a worker, and none where the worker is killed.
    """
    if hasattr(os, "setpgid"):
        with contextlib.suppress(PermissionError):  # the worker leads a group already
            os.setpgid(0, 0)
        # This interpreter runs the program above and nothing of a user's.
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-ISc", _GUARD, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
