"""Makes temporary folders that are removed even after a kill."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from also_wrappers.files import remove

__all__ = ["scratch", "sweep"]

_PREFIX = "also-branch"


@contextmanager
def scratch() -> Iterator[Path]:
    """Yields a temporary folder, which is removed afterwards.

    The folders of killed processes are removed first, as a process that is killed
    cannot remove its folder.

    Example:
        >>> with scratch() as folder:
        ...     folder.is_dir()
        True
        >>> folder.exists()
        False
    """
    sweep()
    prefix = f"{_PREFIX}-{platform.node()}-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)


def sweep() -> None:
    """Removes the temporary folders of processes on this machine that have ended."""
    if os.name == "nt":  # os.kill ends any process there, also with signal 0
        return
    prefix = f"{_PREFIX}-{platform.node()}-"
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        process = folder.name.removeprefix(prefix).partition("-")[0]
        if process.isdigit() and not _runs(int(process)):
            remove(folder)


def _runs(process: int) -> bool:
    """True while there is a process of that number, of any user.

    A process that has ended keeps its number until its parent waits for it, which in a
    container may never happen; such a process does not count.
    """
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # the process is another user's, or there is no /proc
        return True
    return state not in ("Z", "X")
