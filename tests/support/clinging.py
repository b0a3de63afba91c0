"""Branches that hang, and whose environments run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from also_wrappers.branches.branch import BranchOrder
from tests.support.workers import Tells, orders


class Clings(Tells):
    """A fork whose environments run in a process, which hears nothing.

    The process keeps all that it was given open, and its number goes into the folder
    under the number of its worker.

    Args:
        folder: Where the numbers of processes go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, start: Path, shape: Any, seed: int, *_: Any, **__: Any) -> Any:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], close_fds=False)
        beside = self._folder / f".{os.getpid()}"
        beside.write_text(str(child.pid))
        beside.rename(self._folder / str(os.getpid()))
        if seed == 666:
            os._exit(7)
        if seed == 777:
            time.sleep(600)
        raise ValueError("enough")


class Stuck(Tells):
    """A fork whose factory never returns, and that is large.

    Args:
        size: Bytes that it carries.
    """

    def __init__(self, size: int = 5_000_000) -> None:
        self._carried = bytes(size)

    def warm(self) -> None:
        time.sleep(600)

    def __call__(self, *_: Any, **__: Any) -> Any:
        time.sleep(600)


def orders_of(fork: Any, seeds: Sequence[int]) -> list[BranchOrder]:
    return [replace(order, fork=fork) for order in orders(*seeds)]


def processes(folder: Path) -> list[int]:
    """Workers that wrote into a folder, and the processes that they started."""
    files = [path for path in folder.iterdir() if path.name.isdigit()]
    return [int(text) for path in files for text in (path.name, path.read_text())]
