"""Whatever became of a run's directory, whoever reads it works or says a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.damage import CATALOGUE, TOTAL, play_run
from tests.support.readers import READERS, check_readers, sentence_of
from tests.support.walker import ROLLOUT


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was stopped half-way, after a swap."""
    folder = tmp_path_factory.mktemp("recorded") / "run"
    play_run(folder, 4 * ROLLOUT)
    assert (folder / "schedule.json").exists()
    return folder


@pytest.mark.parametrize("name", CATALOGUE)
def test_damage_is_told_in_a_sentence_or_is_none(
    tmp_path: Path, recorded: Path, name: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder, symlinks=True)
    CATALOGUE[name](folder)
    check_readers(folder)


def test_without_damage_everything_works(tmp_path: Path, recorded: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder)
    for read in READERS.values():
        assert sentence_of(read, folder) == ""
    assert sentence_of(lambda path: play_run(path, TOTAL, resume=True), folder) == ""
