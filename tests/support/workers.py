"""Branches that say which process they ran in, write their end, or end the process."""

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
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainer import ForkOutcome


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


class Leaves(Tells):
    """A fork that writes its end, and then ends as its seed says."""

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
        env = shape(Corridor(length=3, limit=6))
        played = 0
        while played < steps and seed != 4:
            env.reset(seed=seed)
            while env.agents:
                env.step(dict.fromkeys(env.agents, 2))
                played += 1
        if end is not None:
            end.write_bytes(start.read_bytes() + f" and {seed}".encode())
        if seed == 666:
            os._exit(7)
        if seed == 777:
            time.sleep(600)
        if seed == 3:
            raise ValueError("no such weather")
        return ForkOutcome(played, played)


class Unreadable:
    """Can be pickled, and not the other way round."""

    preload = ()

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise OSError("nobody can read this")


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
