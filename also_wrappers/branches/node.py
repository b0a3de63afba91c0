"""What the worker of a node does with an order that came without files."""

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

#: Ends the process group of a worker once the worker is gone, however it went.
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
        # Formats may go by the names of files.
        snapshot = folder / f"start-{order.snapshot.name}"
        start.tofile(snapshot)
        end = None if order.end is None else folder / f"end-{order.end.name}"
        result = run_branch(replace(order, snapshot=snapshot, end=end))
        written = None
        if end is not None and result.ok:
            written = np.fromfile(end, np.uint8)
    return replace(result, snapshot=None), written


def warm(payload: bytes) -> None:
    """Does what takes long the first time in a process.

    Args:
        payload: The pickled fork whose branches will come.
    """
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
        # This interpreter runs a text of ours.
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-ISc", _GUARD, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
