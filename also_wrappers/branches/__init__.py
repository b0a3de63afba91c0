"""Branches: trained from one snapshot, here or in worker processes."""

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
