"""Locks a run's directory with ``Lock``, so that one process at a time writes."""

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

#: Numbers of the errors that say that another process has the lock.
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
#: Position of the byte that Windows locks, behind all that is ever read of the file.
_FAR = 1 << 20
#: Seconds before a lock is tried again, as ``holder_of`` has a lock for less than that.
_A_LOOK = 0.05

_open: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """Locks a run's directory for this process.

    The directory is locked until it is released or the process ends, however it ends.

    The lock is the operating system's; the file says which process has the lock. Child
    processes do not have the lock, and do not keep it from being released.

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
            # The file is closed only once, as its number may soon be another file's.
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
        """Releases the lock; releasing it twice does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        """Releases the lock of a run that no variable refers to any more."""
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                self.release()

    def _say_who(self) -> None:
        """Writes into the file which process has the lock, for refused processes."""
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        # Where the disk is full, the next write to the ledger says so.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{json.dumps(holder)}\n".encode())


def holder_of(path: Path) -> str | None:
    """Returns in words which process has a lock, without taking the lock.

    Args:
        path: The file, which may be missing.

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
    """Takes the lock of an open file; tries twice, as a reader may have it."""
    try:
        _lock(file)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        time.sleep(_A_LOOK)
        _lock(file)


def _lock(file: int) -> None:
    """Takes the lock of an open file, or raises an error at once."""
    if sys.platform == "win32":
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _who(path: Path) -> str:
    """Returns in words which process has a lock that is taken."""
    try:
        holder = json.loads(path.read_bytes())
        pid, host, since = (holder[name] for name in ("pid", "host", "since"))
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
    return f"process {pid} on {host} since {since}"


def _taken(path: Path) -> str:
    """Returns a sentence that a lock is taken, and what to do."""
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
