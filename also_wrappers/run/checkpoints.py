"""Saves and loads checkpoints, from which a run can go on.

A checkpoint is a snapshot, which is the trainer's own file, beside a description in
JSON, which is the state of the loop. ``also_wrappers.loop.state`` declares the fields
of that state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import link, make_folder, read_json, remove, write_json

__all__ = ["Checkpoint", "Checkpoints"]

S = TypeVar("S", bound=BaseModel)

#: Raised whenever a checkpoint of an older version could be misread.
_SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Checkpoint(Generic[S]):
    """Holds what a run can go on from: a snapshot and the state of the loop.

    Attributes:
        name: Name under which the checkpoint was saved.
        snapshot: File of the trainer's snapshot.
        state: State of the loop.
    """

    name: str
    snapshot: Path
    state: S


class Checkpoints:
    """Keeps the checkpoints of a run by name, and the last one as ``last``.

    Args:
        folder: Folder of the files; made if it is not there.

    Raises:
        StorageError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    def save(self, name: str, write: Callable[[Path], None], state: BaseModel) -> Path:
        """Saves a checkpoint, then removes the snapshot that it replaces.

        The description is written last and atomically, so that a crash at any moment
        leaves a whole checkpoint.

        Args:
            name: Name to save the checkpoint under.
            write: Writes the trainer's snapshot to a file.
            state: State of the loop.

        Returns:
            The file of the snapshot.
        """
        used = [int(old.stem.rpartition("-")[2]) for old in self._snapshots(name)]
        snapshot = self._folder / f"{name}-{max(used, default=0) + 1}.zip"
        write(snapshot)
        self._describe(name, snapshot, state.model_dump(mode="json"))
        return snapshot

    def copy(self, name: str, copy: str) -> None:
        """Keeps a checkpoint under another name, which later saves leave alone."""
        described = self._described(name)
        assert described is not None, f"there is no checkpoint {name!r}"
        used = [int(old.stem.rpartition("-")[2]) for old in self._snapshots(copy)]
        snapshot = self._folder / f"{copy}-{max(used, default=0) + 1}.zip"
        original = self._folder / described["snapshot"]
        link(original, snapshot)
        self._describe(copy, snapshot, described["state"], last=False)

    def load(self, state: type[S], name: str = "last") -> Checkpoint[S] | None:
        """Loads a checkpoint by its name.

        Args:
            state: Class of the state of the loop.
            name: Name under which the checkpoint was saved.

        Returns:
            The checkpoint; ``None`` if there is none of this name.

        Raises:
            ConfigurationError: The checkpoint is of another version of this package, or
                damaged, or its snapshot is not there.
        """
        described = self._described(name)
        if described is None:
            return None
        version = described.get("schema_version")
        try:
            if version != _SCHEMA_VERSION:
                raise KeyError("schema_version")
            content = state.model_validate(described["state"])
            saved_as, file = str(described["name"]), str(described["snapshot"])
        except (KeyError, ValidationError) as error:
            raise ConfigurationError(
                f"{self._path(name)} was written by another version of this package, "
                "or is damaged; use that version to go on with the run, or begin a new "
                "one"
            ) from error
        snapshot = self._folder / Path(file).name
        if not snapshot.is_file():
            raise ConfigurationError(
                f"{snapshot}, which {self._path(name).name} begins from, is not there"
                f"{self._instead()}, or begin a new run"
            )
        return Checkpoint(saved_as, snapshot, content)

    def _instead(self) -> str:
        """Returns what to do where a snapshot is missing, as a clause."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                described = read_json(path)
                snapshot = self._folder / Path(str(described["snapshot"])).name
            except (ConfigurationError, KeyError, TypeError):
                continue
            if snapshot.is_file():
                return (
                    f"; bring it back, or copy {path.name} to last.json to go on from "
                    "there"
                )
        return "; bring it back"

    def _describe(
        self, name: str, snapshot: Path, state: dict[str, Any], *, last: bool = True
    ) -> None:
        described = {
            "schema_version": _SCHEMA_VERSION,
            "name": name,
            "snapshot": snapshot.name,
            "state": state,
        }
        write_json(self._path(name), described)
        if last:
            write_json(self._path("last"), described)
        for old in self._snapshots(name):
            if old != snapshot:
                remove(old)

    def _described(self, name: str) -> dict[str, Any] | None:
        path = self._path(name)
        if not path.exists():
            return None
        described = read_json(path)
        if not isinstance(described, dict):
            raise ConfigurationError(
                f"{path} describes no checkpoint; bring back the file that the run "
                "wrote, or begin a new run"
            )
        return described

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _snapshots(self, name: str) -> list[Path]:
        return [
            path
            for path in self._folder.glob(f"{name}-*.zip")
            if path.stem.rpartition("-")[2].isdecimal()
            and path.stem.rpartition("-")[0] == name
        ]
