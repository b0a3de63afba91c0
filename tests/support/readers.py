"""Whoever reads a run's directory, and what they say of a damaged one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.exceptions import AlsoError
from also_wrappers.ledger import follow, read_ledger
from also_wrappers.ledger.events import RunFinished
from tests.support.damage import TOTAL, play_run
from tests.support.late import in_time

__all__ = ["READERS", "check_readers", "sentence_of"]

#: Seconds after which a reader is taken to go on for ever.
_LONG = 120.0


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


def sentence_of(read: Callable[[Path], object], folder: Path) -> str:
    """What a reader says of damage; empty if it works."""
    try:
        with in_time(_LONG):
            read(folder)
    except AlsoError as error:
        said = str(error)
        assert said, "an error without a sentence"
        assert "\n" not in said, f"more than a sentence: {said}"
        assert "run" in said, f"not said of what: {said}"
        return said
    return ""


def check_readers(folder: Path) -> str:
    """Checks that readers of a damaged directory work, or say a sentence.

    Args:
        folder: The directory; the run goes on in it if it can.

    Returns:
        What the run says where it cannot go on.
    """
    before = content(folder / "ledger.jsonl")
    for read in READERS.values():
        sentence_of(read, folder)
    assert content(folder / "ledger.jsonl") == before, "a reader has changed the ledger"
    refusal = sentence_of(lambda path: play_run(path, TOTAL, resume=True), folder)
    after = content(folder / "ledger.jsonl")
    if before is not None:
        assert after is not None
        whole = before[: before.rfind(b"\n") + 1]
        assert after.startswith(whole), "a whole line was lost"
    if not refusal:
        assert isinstance(list(read_ledger(folder / "ledger.jsonl"))[-1], RunFinished)
    return refusal


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
