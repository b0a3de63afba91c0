"""The ledger: whole events only, and no secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger, read_ledger


def test_secrets_of_the_environment_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = 'sk-"quoted\\and\u00e9'
    monkeypatch.setenv("SOME_API_KEY", key)
    monkeypatch.setenv("SHORT_TOKEN", "place")
    monkeypatch.setenv("HARMLESS", "progress")
    ledger = Ledger(tmp_path / "ledger.jsonl", Accounting())
    said = f"refused {key} at https://ann:open@host/v1, place and progress"
    ledger.write("advisor_error", error=said, deep=[{"text": key}])
    ledger.close()
    text = (tmp_path / "ledger.jsonl").read_text()
    assert "open" not in text
    assert "quoted" not in text
    (event,) = read_ledger(tmp_path / "ledger.jsonl")
    assert event["deep"] == [{"text": "[secret]"}]
    assert event["error"] == (
        "refused [secret] at https://[secret]@host/v1, place and progress"
    )
    assert json.loads(text) == event


def test_a_line_that_was_cut_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, Accounting())
    ledger.write("run_started")
    ledger.close()
    with path.open("a") as file:
        file.write('{"event": "rec')
    assert [event["event"] for event in read_ledger(path)] == ["run_started"]
    ledger = Ledger(path, Accounting())
    ledger.write("run_finished")
    ledger.close()
    kinds = [event["event"] for event in read_ledger(path)]
    assert kinds == ["run_started", "run_finished"]
