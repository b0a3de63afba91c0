"""Base reward alone, beside an adapted run whose ledger is made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from also_wrappers.cli import foraging
from also_wrappers.cli.foraging import is_finished, train_base_only
from also_wrappers.ledger.events import Event, RunFinished, RunResumed
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.signal import Signal
from tests.support.ledgers import Line, recorded, started, write_ledger

#: Trainer steps of one rollout.
ROLLOUT = 2048


def train(folder: Path) -> list[Event]:
    """Trains beside the adapted run in a folder; returns the events."""
    run_dir = folder / "base_only"
    environment = "Foraging-5x5-2p-1f-coop-v3"
    train_base_only(folder, run_dir, environment, 0, 100 * ROLLOUT, 2 * ROLLOUT)
    return list(read_ledger(run_dir / "ledger.jsonl"))


def test_base_reward_alone_follows_the_adapted_run_and_ends_where_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foraging, "follow_parent", lambda: None)  # no process here
    base_only = tmp_path / "base_only"

    def stop(seconds: float) -> None:
        """Ends the process in the first wait for the adapted run."""
        raise KeyboardInterrupt

    lines: list[Line] = [(started(), 0, 0), (recorded(0, 0.0), ROLLOUT, 2 * ROLLOUT)]
    write_ledger(tmp_path, lines)
    with monkeypatch.context() as patch:
        patch.setattr("also_wrappers.cli.foraging.time.sleep", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert not is_finished(base_only)
    first = list(read_ledger(base_only / "ledger.jsonl"))
    assert first[-1].trainer_steps.mainline == 3 * ROLLOUT  # no further than allowed

    finished = RunFinished(rounds=0, signal=Signal())
    write_ledger(tmp_path, [(finished, 2 * ROLLOUT, 2 * ROLLOUT)])
    (tmp_path / "model.zip").touch()
    events = train(tmp_path)
    assert is_finished(base_only)
    assert events[: len(first)] == first
    assert isinstance(events[len(first)], RunResumed)
    assert events[len(first)].trainer_steps.mainline == 2 * ROLLOUT  # a checkpoint's
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.trainer_steps.mainline == 4 * ROLLOUT
    assert last.signal == Signal()
    # It recorded only: nothing was tried, and what was lost stays counted.
    assert {"branch", "swap", "plan"}.isdisjoint(event.event for event in events)
    assert last.trainer_steps.branches == ROLLOUT

    def refuse(*_: Any) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(foraging, "make_model", refuse)
    assert train(tmp_path) == events
