"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

__all__ = ["redact", "write_atomic", "write_json"]

_TRIES = 20
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
#: Shorter values of such variables are no secrets, and would be found everywhere.
_SHORTEST_SECRET = 8


def redact(text: str) -> str:
    """JSON without secrets: values of environment variables whose name says that they
    are one, and passwords in addresses.

    Example:
        >>> redact('{"host": "http://ann:open@server:11434"}')
        '{"host": "http://[secret]@server:11434"}'
    """
    text = re.sub(r"(?<=://)[^/@\s\"]+@", "[secret]@", text)
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(json.dumps(value)[1:-1], "[secret]")
    return text


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
