"""The journal of a round: what was answered and played, so that it happens once."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from also_wrappers.files import append, cut_half_line, remove, without_secrets

__all__ = ["Journal"]

T = TypeVar("T")


class Journal:
    """Does each piece of a round's work once, in however many processes it is played.

    What a piece came to is a line of a file. A round that was interrupted takes its
    first pieces from there, in the order in which they were done, and does the others.

    Args:
        path: The file.
        goes_on: Whether the round was begun by an earlier process; otherwise what is
            in the file is of another attempt, and is removed.

    Example:
        >>> import tempfile
        >>> number = TypeAdapter(int)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "journal.jsonl"
        ...     first = Journal(path)
        ...     print(first.once("answer", number, lambda: 6 * 7))
        ...     again = Journal(path, goes_on=True)
        ...     print(again.once("answer", number, lambda: 0))
        42
        42
    """

    def __init__(self, path: Path, *, goes_on: bool = False) -> None:
        self._path = path
        self._done: defaultdict[str, deque[Any]] = defaultdict(deque)
        if not goes_on:
            if path.exists():
                remove(path)
        elif path.exists():
            cut_half_line(path)
            for line in path.read_text(encoding="utf-8").splitlines():
                piece = json.loads(line)
                self._done[piece["what"]].append(piece["result"])

    def once(self, what: str, form: TypeAdapter[T], work: Callable[[], T]) -> T:
        """Returns what a piece of work came to; does it if nobody has.

        Args:
            what: The kind of the work. Pieces of one kind follow each other.
            form: Reads and writes its result.
            work: The work. Where it raises an error, it was not done.
        """
        if self._done[what]:
            return form.validate_python(self._done[what].popleft())
        result = work()
        piece = {"what": what, "result": form.dump_python(result, mode="json")}
        with self._path.open("a", encoding="utf-8") as file:
            append(file, f"{json.dumps(without_secrets(piece))}\n")
        return result
