"""``Lock``: one process at a time writes into a run's directory."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import sys
import time
import warnings
import weakref
from pathlib import Path

from also_wrappers import files
from also_wrappers.exceptions import ConfigurationError, StorageError

__all__ = ["Lock", "holder_of"]

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Errors that say that somebody else has the lock.
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
#: Where Windows locks a byte: behind all that is ever read of the file.
_FAR = 1 << 20
#: Seconds before a lock is tried again: whoever looks has it for less.
_A_LOOK = 0.05

_open: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """Locks a run's directory for this process.

    The directory is locked until it is released or the process ends, however it ends.

    The lock is the operating system's; the file says who has it. Processes that this
    one starts do not have it, and do not keep it.

    Args:
        path: The file; made if it is not there, and never removed.

    Raises:
        ConfigurationError: A process has the lock already.
        StorageError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        files.before_write(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StorageError(
                f"the run directory {path.parent} cannot be written: {error.strerror}; "
                "give another one, or see to it that this process may write there"
            ) from error
        try:
            _lock_patiently(self._file)
        except OSError as error:
            # Once: the number may be another file's by the time of a second close.
            self.release()
            if error.errno in _TAKEN:
                raise ConfigurationError(_taken(path)) from None
            warnings.warn(
                f"{path.parent} is on a disk that cannot be locked ({error.strerror}); "
                "see to it that no other process records there",
                RuntimeWarning,
                stacklevel=3,
            )
            return
        _open.add(self)
        self._say_who()

    def release(self) -> None:
        """Gives the directory back; more than once does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        """A run that nobody has any more records nothing."""
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                self.release()

    def _say_who(self) -> None:
        """Writes who has the lock, for whoever is refused."""
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        with contextlib.suppress(OSError):  # a full disk is told by what matters
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{json.dumps(holder)}\n".encode())


def holder_of(path: Path) -> str | None:
    """Says who has a lock, in words, and leaves the lock as it is.

    Args:
        path: The file; it may not be there.

    Returns:
        Process, host and time; ``None`` where nobody has the lock, or where the file
        cannot be opened or locked.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        _lock(file)
    except OSError as error:
        return _who(path) if error.errno in _TAKEN else None
    finally:
        os.close(file)
    return None


def _lock_patiently(file: int) -> None:
    """Takes the lock of an open file, also where somebody looks who has it."""
    try:
        _lock(file)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        time.sleep(_A_LOOK)
        _lock(file)


def _lock(file: int) -> None:
    """Takes the lock of an open file, or raises at once."""
    if sys.platform == "win32":
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _who(path: Path) -> str:
    """Says who has a lock that is taken."""
    try:
        holder = json.loads(path.read_bytes())
        pid, host, since = (holder[name] for name in ("pid", "host", "since"))
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
    return f"process {pid} on {host} since {since}"


def _taken(path: Path) -> str:
    """Says that a lock is taken, and what to do."""
    return (
        f"{path.parent} is written by {_who(path)}; wait for its end, or give another "
        "directory"
    )


def _leave_to_the_parent() -> None:
    """Closes the files of locks in a process that was forked.

    While the file of a lock is open in any process, the lock is not free.
    """
    for lock in list(_open):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
