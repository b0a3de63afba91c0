"""Writes files so that no reader, and no crash, ever sees half of one.

A change that the disk refuses is a ``StorageError`` and leaves the file as it was.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from also_wrappers.exceptions import ConfigurationError, StorageError

__all__ = [
    "allocate",
    "append",
    "before_write",
    "cut_half_line",
    "keep_secret",
    "link",
    "make_folder",
    "overwrite",
    "read_json",
    "redact",
    "redactions",
    "remove",
    "replacing",
    "without_secrets",
    "write_atomic",
    "write_json",
]

_TRIES = 20
#: Numbers of the errors of a full disk, a quota or a limit on the size of files.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Number of zeros that are written at a time.
_ZEROS = 1 << 20
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
#: The least length of a secret; shorter values would be found everywhere in a text.
_SHORTEST_SECRET = 8
#: Pattern of the user and password of an address, of bounded length. A password may
#: hold anything but spaces; text behind a port is no password.
_LOGIN = re.compile(
    r"(?<=://)(?:[^\s/?#]{0,300}|[^\s/@:]{0,100}:(?!\d+[/?#])\S{0,200})@"
)
#: Names of the environment variables that were given to ``keep_secret``.
_named: set[str] = set()


def redact(text: str) -> str:
    """Replaces the secrets in a text by ``[secret]``.

    Secrets are the passwords in addresses, and the values of environment variables
    whose name sounds like a secret's or was given to ``keep_secret``.

    Example:
        >>> redact("asked http://ann:open@server:11434")
        'asked http://[secret]@server:11434'
    """
    text = _LOGIN.sub("[secret]@", text)
    for name, value in os.environ.items():
        secret = _SECRET.search(name) or name in _named
        if secret and len(value) >= _SHORTEST_SECRET and value in text:
            text = re.sub(_pattern(value), "[secret]", text)
    return text


def keep_secret(variable: str) -> None:
    """Declares that an environment variable holds a secret, whatever its name says.

    Args:
        variable: Name of the variable, which need not be set yet.
    """
    _named.add(variable)


def redactions(data: Any) -> Iterator[tuple[Any, Any, str]]:
    """Yields the places in plain data at which a text holds secrets.

    Args:
        data: Lists and dictionaries of values that JSON can hold. Only strings are
            searched, as the digits of a secret may be part of a number.

    Yields:
        The list or dictionary, the index or key of a string in it, and that string
        without secrets.
    """
    if isinstance(data, (list, dict)):
        places = data.items() if isinstance(data, dict) else enumerate(data)
        for place, value in list(places):
            if isinstance(value, str):
                clean = redact(value)
                if clean != value:
                    yield data, place, clean
            else:
                yield from redactions(value)


def without_secrets(data: Any) -> Any:
    """Removes the secrets from the strings of plain data, in place."""
    for holder, place, clean in redactions(data):
        holder[place] = clean
    return data


def _pattern(secret: str) -> str:
    """Returns the pattern of a secret; digits must not be part of a longer number."""
    pattern = re.escape(secret)
    return rf"(?<![\d.]){pattern}(?!\d)" if secret.isdigit() else pattern


def before_write(path: Path, data: bytes = b"") -> None:
    """Does nothing; every change of a run's files calls this function first.

    Tests replace the function to stop a run at a change of their choice.

    Args:
        path: The file that is written, replaced or removed.
        data: What is appended to the file, where the file grows.
    """


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside a file, whose content replaces the file afterwards.

    An error inside the block leaves ``path`` as it was. Where the platform refuses for
    a moment to replace a file, replacing is tried again.

    Raises:
        StorageError: The disk is full, or ``path`` may not be replaced.

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
        with _refused(path, *_FULL):
            yield beside
        before_write(path)
        with _refused(path):
            _replace(beside, path)
    except BaseException:
        remove(beside)
        raise


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces the content of a file at once.

    Raises:
        StorageError: The file cannot be written.
    """
    with replacing(path) as beside, _refused(path):
        beside.write_bytes(data)


def write_json(path: Path, data: Any) -> None:
    """Writes plain data as indented JSON, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    write_atomic(path, (json.dumps(data, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads the JSON of a file.

    Raises:
        ConfigurationError: The file cannot be read, or does not hold JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror
    except (ValueError, RecursionError):
        reason = "it is no JSON that a run wrote"
    raise ConfigurationError(
        f"{path} cannot be read: {reason}; bring back the file that the run wrote, or "
        "begin a new run"
    )


def append(file: TextIO, text: str) -> None:
    """Appends a text to an open file, whole or not at all.

    Args:
        file: The file, into which nothing else writes.
        text: The text.

    Raises:
        StorageError: The file cannot grow, and is as long as before.
    """
    path, data = Path(file.name), text.encode()
    before_write(path, data)
    descriptor = file.fileno()
    with _refused(path):
        size = os.fstat(descriptor).st_size
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except BaseException:
            with contextlib.suppress(OSError):  # readers skip a half-written line
                os.ftruncate(descriptor, size)
            raise


def overwrite(file: FileIO, data: bytes) -> None:
    """Writes a few bytes over the beginning of an open file.

    Args:
        file: The file, unbuffered.
        data: The bytes, the same number at each call.

    Raises:
        StorageError: The bytes cannot be written.
    """
    path = Path(str(file.name))
    before_write(path)
    with _refused(path):
        file.seek(0)
        file.write(data)


def allocate(path: Path, size: int) -> None:
    """Makes a file of zeros that has its room on the disk, to be mapped into memory.

    A write into a mapped file that has no room would kill the process (SIGBUS).

    Args:
        path: The file.
        size: Number of bytes.

    Raises:
        StorageError: There is not enough room.
    """
    try:
        with _refused(path), path.open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except (AttributeError, OSError) as error:
                if getattr(error, "errno", None) in _FULL:
                    raise
                # The platform or the disk cannot allocate without writing.
                for start in range(0, size, _ZEROS):
                    file.write(bytes(min(_ZEROS, size - start)))
    except StorageError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def make_folder(path: Path) -> None:
    """Makes a folder and its missing parents.

    Raises:
        StorageError: The folder cannot be made.
    """
    with _refused(path):
        path.mkdir(parents=True, exist_ok=True)


def cut_half_line(path: Path) -> None:
    """Cuts off the last line of a file if a crash has left it half written."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        before_write(path)
        with path.open("r+b") as file:
            file.truncate(whole)


def link(original: Path, path: Path) -> None:
    """Makes a file appear under a second path, by a link or else by a copy.

    Raises:
        StorageError: The file can be neither linked nor copied.
    """
    before_write(path)
    try:
        os.link(original, path)
    except OSError:  # the file system has no links
        try:
            with _refused(path):
                shutil.copyfile(original, path)
        except StorageError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


def remove(path: Path) -> None:
    """Removes a file, or a folder with all of its files, if it exists.

    Raises:
        StorageError: ``path`` is a file that cannot be removed.
    """
    before_write(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with _refused(path):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _refused(path: Path, *numbers: int) -> Iterator[None]:
    """Turns an error of the operating system about a file into a ``StorageError``.

    Args:
        path: The file.
        *numbers: Numbers of the errors to turn; all errors with a number if not given.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno is None or (numbers and error.errno not in numbers):
            raise
        remedy = "see to it that this process may write there"
        if error.errno in _FULL:
            remedy = "make room on the disk"
        raise StorageError(
            f"{path} cannot be written: {error.strerror}; {remedy}, and resume the run "
            "from what was recorded before"
        ) from error


def _replace(beside: Path, path: Path) -> None:
    """Replaces a file; tries again while another process has the file open."""
    for attempt in range(_TRIES):
        try:
            beside.replace(path)
            return
        except PermissionError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.01 * (attempt + 1))
