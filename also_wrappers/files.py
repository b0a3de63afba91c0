"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["write_atomic", "write_json"]

_TRIES = 20


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces a file at once, retrying where the platform refuses for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    for attempt in range(_TRIES):
        try:
            temporary.replace(path)
            return
        except PermissionError:  # another process has the file open (Windows)
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.01 * (attempt + 1))


def write_json(path: Path, data: Any) -> None:
    """Writes plain data as indented JSON, atomically."""
    write_atomic(path, (json.dumps(data, indent=2) + "\n").encode())
