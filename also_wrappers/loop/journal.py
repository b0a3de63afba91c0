"""Keeps a round's answers and plays in a file, so that each happens once."""

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
    """Does each piece of a round's work once, even if the process was killed.

    Each result is a line of a file. An interrupted round reads the results of its first
    pieces of work from the file, in the order in which they were done, and does the
    others.

    Args:
        path: The file.
        goes_on: Whether the round was begun by an earlier process; otherwise the file
            is of another attempt, and is removed.

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
        """Returns the result of a piece of work; does the work if no process has.

        Args:
            what: The kind of the work. Pieces of one kind follow each other.
            form: Reads and writes the result.
            work: Does the work; work that raises an error counts as not done.
        """
        if self._done[what]:
            return form.validate_python(self._done[what].popleft())
        result = work()
        piece = {"what": what, "result": form.dump_python(result, mode="json")}
        with self._path.open("a", encoding="utf-8") as file:
            append(file, f"{json.dumps(without_secrets(piece))}\n")
        return result
