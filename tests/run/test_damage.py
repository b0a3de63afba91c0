"""Whatever became of a run's directory, whoever reads it works or says a sentence."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.exceptions import AlsoError
from also_wrappers.ledger import follow, read_ledger
from also_wrappers.ledger.events import RunFinished
from tests.support.damage import CATALOGUE, TOTAL, play_run
from tests.support.walker import ROLLOUT

#: Seconds after which a reader is taken to go on for ever.
_LONG = 120


class WaitsError(Exception):
    """Whoever follows a ledger waits for more of it."""


def command(name: str, *options: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        arguments = [name, str(folder), *options]
        CliRunner().invoke(
            app, arguments, catch_exceptions=False, standalone_mode=False
        )

    return run


def follows(folder: Path) -> None:
    def wait(seconds: float) -> None:
        raise WaitsError

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(WaitsError):
        patch.setattr("also_wrappers.ledger.ledger.time.sleep", wait)
        for _ in follow(folder / "ledger.jsonl"):
            pass


READERS: dict[str, Callable[[Path], object]] = {
    "read_ledger": lambda folder: list(read_ledger(folder / "ledger.jsonl")),
    "follow": follows,
    "report": command("report"),
    "watch": command("watch", "--no-follow"),
    "show": command("show"),
    "compare": command("compare"),
    "export": command("export"),
}


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Ends what goes on for ever, where the platform can."""

    def late(*_: object) -> None:
        raise AssertionError("it goes on for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_LONG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was stopped half-way, after a swap."""
    folder = tmp_path_factory.mktemp("recorded") / "run"
    play_run(folder, 4 * ROLLOUT)
    assert (folder / "schedule.json").exists()
    return folder


def sentence_of(read: Callable[[Path], object], folder: Path) -> str:
    """What a reader says of damage; empty if it works."""
    try:
        with in_time():
            read(folder)
    except AlsoError as error:
        said = str(error)
        assert said, "an error without a sentence"
        assert "\n" not in said, f"more than a sentence: {said}"
        assert "run" in said, f"not said of what: {said}"
        return said
    return ""


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.mark.parametrize("name", CATALOGUE)
def test_damage_is_told_in_a_sentence_or_is_none(
    tmp_path: Path, recorded: Path, name: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder, symlinks=True)
    CATALOGUE[name](folder)
    before = content(folder / "ledger.jsonl")
    for read in READERS.values():
        sentence_of(read, folder)
    assert content(folder / "ledger.jsonl") == before, "a reader has changed the ledger"
    goes_on = sentence_of(lambda path: play_run(path, TOTAL, resume=True), folder) == ""
    after = content(folder / "ledger.jsonl")
    if before is not None:
        assert after is not None
        whole = before[: before.rfind(b"\n") + 1]
        assert after.startswith(whole), "a whole line was lost"
    if goes_on:
        assert isinstance(list(read_ledger(folder / "ledger.jsonl"))[-1], RunFinished)


def test_without_damage_everything_works(tmp_path: Path, recorded: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder)
    for read in READERS.values():
        assert sentence_of(read, folder) == ""
    assert sentence_of(lambda path: play_run(path, TOTAL, resume=True), folder) == ""
