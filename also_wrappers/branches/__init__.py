"""Trains branches from one snapshot, in this process or in worker processes.

``python tests/benchmarks/scaling.py`` measures branches of the demo's training (16,384
trainer steps) in worker processes: eight of them take 18.5 seconds one after the other
in one process, 17.4 with one worker and 8.8 with two (2.1 times as fast). Of a first
round of 20 branches of about a second in 23.3 seconds, .38 passed before a branch made
its first step and .02 between the last branch and resumed training; 4.7 % of the round
was spent outside training, most of it in the moments between batches of branches. With
branches as long as the demo's (``--horizon 30720``) it was 2.4 % of 39.3 seconds.
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
