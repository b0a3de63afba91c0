"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

__all__ = [
    "append",
    "before_write",
    "cut_half_line",
    "link",
    "redact",
    "remove",
    "replacing",
    "write_atomic",
    "write_json",
]

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


def before_write(path: Path, data: bytes = b"") -> None:
    """Does nothing; called before every change of a run's files.

    Tests put in its place what stops a run at a change of their choice.

    Args:
        path: The file that is written, replaced or removed.
        data: What is appended to the file, where the file grows.
    """


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of a file beside ``path``, which replaces ``path`` afterwards.

    An error inside the block leaves ``path`` as it was. Where the platform refuses to
    replace a file for a moment, it is tried again.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "numbers.txt"
        ...     with replacing(path) as beside:
        ...         _ = beside.write_text("1 2 3")
        ...         before = path.exists()
        ...     print(before, path.read_text())
        False 1 2 3
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    before_write(beside)
    try:
        yield beside
        before_write(path)
        for attempt in range(_TRIES):
            try:
                beside.replace(path)
                return
            except PermissionError:  # another process has the file open (Windows)
                if attempt == _TRIES - 1:
                    raise
                time.sleep(0.01 * (attempt + 1))
    except BaseException:
        remove(beside)
        raise


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces the content of a file at once."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_json(path: Path, data: Any) -> None:
    """Writes plain data as indented JSON, atomically."""
    write_atomic(path, (json.dumps(data, indent=2) + "\n").encode())


def append(file: TextIO, text: str) -> None:
    """Appends a text to an open file and flushes the file."""
    before_write(Path(file.name), text.encode())
    file.write(text)
    file.flush()


def cut_half_line(path: Path) -> None:
    """Cuts off the last line of a file if a crash has left it half written."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        before_write(path)
        with path.open("r+b") as file:
            file.truncate(whole)


def link(original: Path, path: Path) -> None:
    """Makes a file appear under a second path; copied where a link cannot be made."""
    before_write(path)
    try:
        os.link(original, path)
    except OSError:  # a file system without links
        shutil.copyfile(original, path)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that it holds, if it is there."""
    before_write(path)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
