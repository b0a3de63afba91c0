"""TensorBoard: what is drawn, and that drawing never ends a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.report import tensorboard
from also_wrappers.report.tensorboard import TensorBoardFigures
from tests.support.ledgers import whole_run


def drawn(run_dir: Path) -> EventAccumulator:
    """What is left in TensorBoard's files of a run that was drawn as it went on."""
    accounting = Accounting(agents_per_env=2)
    ledger = Ledger(run_dir / "ledger.jsonl", accounting)
    ledger.listeners.append(TensorBoardFigures(run_dir / "tensorboard"))
    for event, accounting.mainline, accounting.branches in whole_run():
        ledger.write(event)
    ledger.close()
    files = EventAccumulator(str(run_dir / "tensorboard"))
    files.Reload()
    return files


def test_a_run_is_drawn_over_the_steps_of_its_mainline(tmp_path: Path) -> None:
    files = drawn(tmp_path)

    def scalar(name: str) -> list[tuple[int, float]]:
        return [(p.step, round(p.value, 3)) for p in files.Scalars(f"also/{name}")]

    assert scalar("base_return") == [
        (1000, 0.0),
        (2000, 0.1),
        (4000, 0.92),
        (10_000, 0.98),
    ]
    assert scalar("env_steps_total")[-1] == (10_000, 6500.0)
    assert scalar("term/near") == [(2000, 0.3)]
    assert scalar("arm/candidate_1") == [(2000, 0.75)]  # the other one failed
    assert scalar("decision/effect") == [(2000, 0.5)]
    assert scalar("decision/swapped") == [(2000, 1.0)]
    tags: dict[str, Any] = files.Tags()
    assert tags["images"] == ["also/evidence"]
    texts = {f"also/{name}/text_summary" for name in ("diagnosis", "signal")}
    assert texts <= set(tags["tensors"])


def test_a_picture_that_cannot_be_drawn_costs_that_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no font")

    monkeypatch.setattr(tensorboard, "plot_evidence", fail)
    with pytest.warns(RuntimeWarning, match="TensorBoardFigures failed.*no font"):
        files = drawn(tmp_path)
    assert files.Tags()["images"] == []
    assert files.Scalars("also/base_return")[-1].step == 10_000
