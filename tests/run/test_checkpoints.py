"""Checkpoints: whole at any moment, kept under names, typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.run.checkpoints import Checkpoints


class State(BaseModel):
    steps: int


class Other(BaseModel):
    name: str


def writes(text: str) -> Callable[[Path], None]:
    """A trainer whose snapshot is a text."""

    def write(path: Path) -> None:
        path.write_text(text)

    return write


def test_the_last_checkpoint_is_the_one_saved_last(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.load(State) is None
    checkpoints.save("start", writes("a"), State(steps=1))
    path = checkpoints.save("pause", writes("b"), State(steps=2))
    last = checkpoints.load(State)
    assert last is not None
    assert (last.name, last.state.steps, last.snapshot) == ("pause", 2, path)
    start = checkpoints.load(State, "start")
    assert start is not None
    assert start.snapshot.read_text() == "a"


def test_only_the_newest_snapshot_of_a_name_is_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for steps in range(12):
        checkpoints.save("pause", writes(str(steps)), State(steps=steps))
    checkpoints.save("pause_too", writes("x"), State(steps=0))
    (kept,) = tmp_path.glob("pause-*.zip")
    assert kept.read_text() == "11"


def test_a_copy_outlives_what_it_was_made_of(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("pause", writes("before"), State(steps=1))
    checkpoints.copy("pause", "before_swap")
    checkpoints.save("pause", writes("after"), State(steps=2))
    kept = checkpoints.load(State, "before_swap")
    assert kept is not None
    assert (kept.snapshot.read_text(), kept.state.steps) == ("before", 1)
    last = checkpoints.load(State)
    assert last is not None
    assert last.name == "pause"


def test_a_crash_while_saving_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("pause", writes("whole"), State(steps=1))

    def crash(path: Path) -> None:
        path.write_text("ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save("pause", crash, State(steps=2))
    last = Checkpoints(tmp_path).load(State)
    assert last is not None
    assert (last.snapshot.read_text(), last.state.steps) == ("whole", 1)
    checkpoints.save("pause", writes("new"), State(steps=3))
    assert len(list(tmp_path.glob("pause-*.zip"))) == 1


def test_a_checkpoint_of_another_version_gets_one_sentence(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("pause", writes("a"), State(steps=1))
    with pytest.raises(ConfigurationError, match="another version of this package"):
        checkpoints.load(Other)
    described = json.loads((tmp_path / "last.json").read_text())
    del described["schema_version"]
    (tmp_path / "last.json").write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match="begin a new one"):
        checkpoints.load(State)


def test_a_snapshot_that_is_lost_is_told_with_what_is_left(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save("pause", writes("a"), State(steps=1))
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"pause-1.zip, .* back, or begin"):
        checkpoints.load(State)
    checkpoints.save("start", writes("b"), State(steps=0))
    with pytest.raises(ConfigurationError, match=r"copy last.json|copy start.json to"):
        checkpoints.load(State, "pause")


@pytest.mark.parametrize("name", ["../secret.zip", "/etc/hostname", "..", ""])
def test_a_snapshot_is_a_file_beside_its_description(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.zip").write_text("of another run")
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save("pause", writes("a"), State(steps=1))
    path = tmp_path / "checkpoints" / "last.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "snapshot": name}))
    with pytest.raises(ConfigurationError, match="is not there"):
        checkpoints.load(State)


def test_what_is_no_description_gets_one_sentence(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for content in ("", "[1]", "{", '{"schema_version": 3, "state": {"steps": 1}}'):
        (tmp_path / "last.json").write_text(content)
        with pytest.raises(ConfigurationError, match=r"last.json .*begin a? ?new"):
            checkpoints.load(State)
