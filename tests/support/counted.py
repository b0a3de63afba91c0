"""How many bytes of files are read, where they are opened by their path."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

__all__ = ["CountedBytes"]


class CountedBytes:
    """Counts the bytes that are read of files that ``Path.open`` opens from now on.

    Attributes:
        count: The number of bytes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        opened = Path.open

        def counting(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if mode not in ("rb", "r+b"):
                return opened(path, mode, *args, **kwargs)
            raw = _Counting(path, mode, self)
            return io.BufferedReader(raw) if mode == "rb" else io.BufferedRandom(raw)

        monkeypatch.setattr(Path, "open", counting)

    def take(self) -> int:
        """Returns the count, which begins anew."""
        count, self.count = self.count, 0
        return count


class _Counting(io.FileIO):
    def __init__(self, path: Path, mode: str, counted: CountedBytes) -> None:
        super().__init__(path, mode)
        self._counted = counted

    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        self._counted.count += size or 0
        return size

    def readall(self) -> bytes:
        data = super().readall()
        self._counted.count += len(data)
        return data
