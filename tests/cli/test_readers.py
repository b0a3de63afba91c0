"""The commands that read what a run has left: report and inspect."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.exceptions import ConfigurationError
from tests.support.ledgers import base_only_run, whole_run, write_ledger


def printed(*arguments: str | Path) -> str:
    result = CliRunner().invoke(
        app, list(map(str, arguments)), catch_exceptions=False, standalone_mode=False
    )
    return result.stdout


def test_a_report_shows_the_baseline_that_it_is_given(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path / "adapted", whole_run())
    baseline = write_ledger(tmp_path / "alone", base_only_run())
    page = run_dir / "report.html"
    assert printed("report", run_dir).strip() == str(page)
    assert "base reward alone" not in page.read_text()
    printed("report", run_dir, "--baseline", baseline)
    assert "base reward alone" in page.read_text()


def test_a_report_of_a_demo_shows_the_baseline_that_the_demo_trained(
    tmp_path: Path,
) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    write_ledger(run_dir / "base_only", base_only_run())
    printed("report", run_dir)
    assert "base reward alone" in (run_dir / "report.html").read_text()


def test_an_old_run_is_told_from_its_ledger(tmp_path: Path) -> None:
    text = printed("inspect", write_ledger(tmp_path, whole_run()))
    assert "10,000 trainer steps planned" in text
    assert "round 1 at 2,000 steps" in text
    assert "10,000/10,000 steps (100%)" in text


def test_a_run_of_another_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"schema_version": 1, "event": "swap"}\n')
    for command in ("inspect", "report"):
        with pytest.raises(ConfigurationError, match="another version of this package"):
            printed(command, tmp_path)


def test_what_can_be_read_of_a_damaged_run_is_shown(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    ledger = run_dir / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join([*lines[:4], "garb<b>age\n", *lines[4:]]))
    printed("report", run_dir)
    page = (run_dir / "report.html").read_text()
    assert "Not all of the record can be read" in page
    assert "garb&lt;b&gt;age" in page
    assert "it stood out" in page
    result = CliRunner().invoke(app, ["inspect", str(run_dir)], standalone_mode=False)
    assert "10,000/10,000 steps (100%)" in result.stdout
    assert isinstance(result.exception, ConfigurationError)
    assert "remove line 5" in str(result.exception)


def test_a_whole_run_has_no_word_of_damage(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    printed("report", run_dir)
    assert "can be read" not in (run_dir / "report.html").read_text()
