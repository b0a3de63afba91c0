"""Trains branches from one snapshot, in this process or in worker processes.

``python tests/benchmarks/scaling.py`` measures branches of the demo's training (16,384
trainer steps) in worker processes: eight of them take 18.5 seconds one after the other
in one process, 18.6 with one worker and 9.5 with two (1.94 times as fast). Of a first
round of 14 branches in 23.5 seconds, 1.58 passed before a branch made its first step,
one of them for importing scipy, once in a run; .04 passed between the last branch and
resumed training. 9.8 % of the round was spent outside training.
"""

from also_wrappers.branches.branch import (
    BranchOrder,
    BranchResult,
    failed_branch,
    run_branch,
)
from also_wrappers.branches.executors import Executor, ProcessExecutor, SerialExecutor

__all__ = [
    "BranchOrder",
    "BranchResult",
    "Executor",
    "ProcessExecutor",
    "SerialExecutor",
    "failed_branch",
    "run_branch",
]
