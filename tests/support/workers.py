"""Branches that say which process they ran in, or end it."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from also_wrappers.board.posting import Posting
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.gate import Request
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features


class Tells:
    """A fork that ends in an error that tells of its process; seeds say what to do."""

    #: The fork server is started once in a session, by whoever needs a worker first:
    #: all later workers, also those of other tests, find what these have imported.
    preload = ("also_wrappers.trainers.sb3", "torch._dynamo", __name__)

    def warm(self) -> None:
        """Has nothing to do."""

    def __call__(
        self,
        start: Path,
        shape: Any,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> Any:
        if seed == 666:
            os._exit(7)
        if seed == 777:
            time.sleep(600)
        drawn = random.random(), np.random.random(), torch.rand(1).item()
        raise ValueError(f"pid {os.getpid()} drew {drawn}")


def orders(*seeds: int) -> list[BranchOrder]:
    return [
        BranchOrder(
            Request(0, "screen", place),
            Tells(),
            Task("x", corridor_features()),
            Posting(gamma=0.9),
            Path("start"),
            seed,
            10,
            scored_from=5,
        )
        for place, seed in enumerate(seeds)
    ]


def pids(results: list[BranchResult]) -> set[int]:
    found = [re.search(r"pid (\d+)", result.error) for result in results]
    return {int(match[1]) for match in found if match}
