"""Reads snapshots that torch has written, without running code of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from also_wrappers.exceptions import ConfigurationError

__all__ = ["read_snapshot"]


def read_snapshot(path: Path, form: str, owner: str) -> dict[str, Any]:
    """Reads a snapshot with torch's reader for weights.

    Args:
        path: The file.
        form: The wanted value of the entry ``format``.
        owner: What the snapshot must be a snapshot of, for the error.

    Returns:
        The entries by name, with tensors on the CPU.

    Raises:
        ConfigurationError: The file is no such snapshot.
    """
    try:
        snapshot: dict[str, Any] = torch.load(path, "cpu", weights_only=True)
        if snapshot["format"] == form:
            return snapshot
        reason = "it is of another version of this package"
    except Exception as error:  # a damaged file may make torch raise any error
        reason = str(error).partition("\n")[0] or type(error).__name__
    raise ConfigurationError(
        f"{path} is no snapshot of {owner} that can be read: {reason}; bring back the "
        "file that the run wrote, or begin a new run"
    )
