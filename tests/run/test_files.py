"""Files of a run: written whole or not at all, and read with a sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from also_wrappers import files
from also_wrappers.exceptions import ConfigurationError, StorageError
from also_wrappers.files import (
    allocate,
    append,
    keep_secret,
    link,
    make_folder,
    read_json,
    redact,
    redactions,
    remove,
    replacing,
    write_atomic,
    write_json,
)


def limited(code: str, folder: Path, size: int = 20_000) -> str:
    """Runs code in a process whose files may hold so many bytes; returns what it says.

    A limit of the operating system stops a write half-way, as a full disk does.
    """
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size},) * 2)"
    said = subprocess.run(
        [sys.executable, "-c", f"{limit}\n{textwrap.dedent(code)}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on files")
def test_a_ledger_on_a_full_disk_ends_with_a_sentence_and_goes_on(
    tmp_path: Path,
) -> None:
    code = """
        from pathlib import Path
        from also_wrappers.exceptions import StorageError
        from also_wrappers.ledger import Accounting, Ledger
        from also_wrappers.ledger.events import AdvisorFailed
        ledger = Ledger(Path("ledger.jsonl"), Accounting())
        written = 0
        try:
            while True:
                ledger.write(AdvisorFailed(round=1, asked_for="x", error="y" * 2000))
                written += 1
        except StorageError as error:
            print(written, str(error), sep="\\n")
        ledger.close()
    """
    written, sentence = limited(code, tmp_path).splitlines()
    assert sentence.startswith("ledger.jsonl cannot be written: File too large; make ")
    path = tmp_path / "ledger.jsonl"
    assert path.stat().st_size < 20_000, "the line that had no room is half there"
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == int(written) > 5
    assert all(line.endswith("}\n") for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on files")
def test_a_checkpoint_on_a_full_disk_leaves_the_one_before(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from pydantic import BaseModel
        from also_wrappers.exceptions import StorageError
        from also_wrappers.files import replacing
        from also_wrappers.run import Checkpoints

        class State(BaseModel):
            text: str

        def write(size):
            def snapshot(path):
                with replacing(path) as beside, beside.open("wb") as file:
                    file.write(bytes(size))
            return snapshot

        checkpoints = Checkpoints(Path("checkpoints"))
        checkpoints.save("pause", write(10), State(text="first"))
        for size, text in ((50_000, "second"), (10, "second" * 10_000)):
            try:
                checkpoints.save("pause", write(size), State(text=text))
            except StorageError as error:
                print(error)
        last = Checkpoints(Path("checkpoints")).load(State)
        print(last.state.text, last.snapshot.stat().st_size)
        checkpoints.save("pause", write(11), State(text="third"))
        print(sorted(path.name for path in Path("checkpoints").iterdir()))
    """
    snapshot, description, last, names = limited(code, tmp_path).splitlines()
    assert "pause-2.zip cannot be written: File too large; make room" in snapshot
    assert "pause.json cannot be written: File too large; make room" in description
    assert last == "first 10"
    assert names == "['last.json', 'pause-3.zip', 'pause.json']"


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on files")
def test_a_slot_without_room_is_an_error_and_no_death(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from also_wrappers.board import Board
        from also_wrappers.exceptions import StorageError
        from also_wrappers.testing import Corridor, corridor_features
        from also_wrappers.wrappers import ShapeRewardParallel
        board = Board.create(Path("board"))
        env = ShapeRewardParallel(Corridor(), corridor_features(), board=board)
        try:
            env.reset()
        except StorageError as error:
            print(error)
        print(sorted(path.name for path in Path("board/slots").iterdir()))
    """
    sentence, left = limited(code, tmp_path).splitlines()
    assert "cannot be written: File too large; make room on the disk" in sentence
    assert left == "[]"


def test_a_slot_takes_its_room_before_it_is_mapped(tmp_path: Path) -> None:
    """A hole in a mapped file kills whoever writes into it on a full disk."""
    allocate(tmp_path / "slot", 300_000)
    status = (tmp_path / "slot").stat()
    assert status.st_size == 300_000
    assert status.st_blocks * 512 >= 300_000
    assert not any((tmp_path / "slot").read_bytes())


@pytest.mark.parametrize("number", [None, errno.EOPNOTSUPP])
def test_zeros_are_written_where_nothing_can_be_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, "not here")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    if number is None:
        monkeypatch.delattr(os, "posix_fallocate")
    allocate(tmp_path / "slot", (1 << 20) + 5)
    assert (tmp_path / "slot").read_bytes() == bytes((1 << 20) + 5)


def test_a_full_disk_is_told_where_room_is_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(StorageError, match="slot cannot be written: No space left"):
        allocate(tmp_path / "slot", 100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_a_full_device_is_told_in_one_sentence() -> None:
    with Path("/dev/full").open("a") as file, pytest.raises(StorageError) as caught:
        append(file, "a line\n")
    assert str(caught.value) == (
        "/dev/full cannot be written: No space left on device; make room on the disk, "
        "and resume the run from what was recorded before"
    )


def test_half_a_write_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, data[:3]))
    with (tmp_path / "lines").open("a") as file:
        append(file, "twelve bytes")
    assert (tmp_path / "lines").read_text() == "twelve bytes"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write_json(path, {}),
        lambda path: write_atomic(path / "below", b""),
        lambda path: remove(path.parent / "file" / "below"),
        lambda path: make_folder(path.parent / "file" / "below"),
        lambda path: link(path.parent / "file", path),
        lambda path: allocate(path, 10),
    ],
)
def test_what_cannot_be_changed_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """There is a folder in the place of a file, or a file in the place of a folder."""
    monkeypatch.setattr(files, "_TRIES", 1)
    (tmp_path / "file").write_text("")
    path = tmp_path / "folder"
    path.mkdir()
    (path / "below").mkdir()
    with pytest.raises(StorageError, match="cannot be written: ") as caught:
        change(path)
    assert "\n" not in str(caught.value)
    assert {p.name for p in tmp_path.iterdir()} == {"file", "folder"}


def test_an_error_of_what_is_written_is_no_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "b").read_text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b"\x00\xff\xfe", "no JSON"),
        (b'{"a": ', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"9" * 5000, "no JSON"),
        (None, "No such file"),
    ],
)
def test_what_is_no_json_is_told_in_one_sentence(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "state.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_json(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("http://ann:open@host/v1", "http://[secret]@host/v1"),
        ("http://ann:o\"p'en@host/v1", "http://[secret]@host/v1"),
        ("http://ann:o@p:en@host:80/v1", "http://[secret]@host:80/v1"),
        ("http://ann:o/p?e#n@host", "http://[secret]@host"),
        ("http://open@host", "http://[secret]@host"),
        ("http://:open@host", "http://[secret]@host"),
        ("http://host:11434/mail?to=ann@host", None),
        ("ann@host and http://host/ann@host", None),
    ],
)
def test_passwords_are_left_out_of_addresses(address: str, left: str | None) -> None:
    text = f"no answer from {address}, and then"
    assert redact(text) == text.replace(address, left or address)


def test_a_long_text_without_a_password_is_read_in_no_time() -> None:
    assert redact("://:" * 100_000).startswith("://:")


def test_secrets_are_found_in_texts_and_not_in_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "33333333")
    monkeypatch.setenv("FOO", "a key that is named")
    data = {
        "number": 33333333,
        "share": 0.33333333,
        "text": ["0.33333333 and 133333333", "it is 33333333.", "a key that is named"],
        "fine": None,
    }
    assert [clean for _, _, clean in redactions(data)] == ["it is [secret]."]
    keep_secret("FOO")
    assert [clean for _, _, clean in redactions(data)] == [
        "it is [secret].",
        "[secret]",
    ]
    assert data["number"] == 33333333
