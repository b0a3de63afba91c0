"""TensorBoard: what is drawn, and that drawing never ends a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import Diagnosed
from also_wrappers.ledger.ledger import Ledger
from also_wrappers.report import tensorboard
from also_wrappers.report.tensorboard import TensorBoardFigures
from tests.support.ledgers import (
    DIAGNOSIS,
    Line,
    expert_run,
    settled,
    watched_run,
    whole_run,
)


def drawn(run_dir: Path, lines: Sequence[Line] = ()) -> EventAccumulator:
    """What is left in TensorBoard's files of a run that was drawn as it went on."""
    accounting = Accounting(agents_per_env=2)
    ledger = Ledger(run_dir / "ledger.jsonl", accounting)
    ledger.listeners.append(TensorBoardFigures(run_dir / "tensorboard"))
    for event, accounting.mainline, accounting.branches in lines or whole_run():
        ledger.write(event)
    ledger.close()
    files = EventAccumulator(str(run_dir / "tensorboard"))
    files.Reload()
    return files


def scalar(files: EventAccumulator, name: str) -> list[tuple[int, float]]:
    """Steps and values of a scalar, in order."""
    return [(p.step, round(p.value, 3)) for p in files.Scalars(f"also/{name}")]


def test_a_run_is_drawn_over_the_steps_of_its_mainline(tmp_path: Path) -> None:
    files = drawn(tmp_path)
    assert scalar(files, "base_return") == [
        (1000, 0.0),
        (2000, 0.1),
        (4000, 0.92),
        (10_000, 0.98),
    ]
    assert scalar(files, "env_steps_total")[-1] == (10_000, 7500.0)
    assert scalar(files, "term/near") == [(2000, 0.3)]
    assert scalar(files, "arm/candidate_1") == [
        (2000, 0.75),
        (4000, 0.75),
    ]  # one failed
    assert scalar(files, "decision/effect") == [(2000, 0.5), (5000, 0.4)]
    assert scalar(files, "decision/swapped") == [(2000, 1.0)]
    tags: dict[str, Any] = files.Tags()
    assert tags["images"] == ["also/evidence"]
    names = ("diagnosis", "signal", "decision")
    texts = {f"also/{name}/text_summary" for name in names}
    assert texts <= set(tags["tensors"])


def test_figures_hold_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "closer to the end")
    diagnosis = DIAGNOSIS.model_copy(update={"advice": "bring them closer to the end"})
    drawn(tmp_path, [(Diagnosed(round=1, diagnosis=diagnosis), 10, 0)])
    files = list((tmp_path / "tensorboard").iterdir())
    written = b"".join(path.read_bytes() for path in files)
    assert b"bring them [secret]" in written
    assert b"closer" not in written


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


def texts(files: EventAccumulator, name: str) -> list[str]:
    """Texts of a name, in order."""
    found = files.Tensors(f"also/{name}/text_summary")
    return [one.tensor_proto.string_val[0].decode().strip("`\n") for one in found]


def test_a_signal_is_provisional_until_it_is_confirmed(tmp_path: Path) -> None:
    files = drawn(tmp_path)
    assert scalar(files, "provisional") == [
        (1000, 0.0),
        (2000, 0.0),
        (3000, 1.0),
        (4000, 1.0),
        (5000, 0.0),
        (10_000, 0.0),
    ]
    assert scalar(files, "decision/confirmed") == [(5000, 1.0)]
    assert scalar(files, "decision/z") == [(2000, 1.6), (5000, 3.0)]
    assert texts(files, "decision") == [
        "provisional, candidate_1: it stood out",
        "confirmed: it beats control",
    ]
    assert texts(files, "signal") == ["provisional: 1 * progress[-distance]"]


def test_a_signal_that_is_left_open_stays_provisional(tmp_path: Path) -> None:
    files = drawn(tmp_path, whole_run(settled(kind="open")))
    assert scalar(files, "provisional")[-1] == (10_000, 1.0)
    assert scalar(files, "decision/confirmed") == [(5000, 0.0)]


def test_turns_of_exploratory_signals_are_provisional(tmp_path: Path) -> None:
    files = drawn(tmp_path, watched_run())
    assert {value for _, value in scalar(files, "provisional")[2:]} == {1.0}
    assert texts(files, "decision") == [
        "exploratory, candidate_1: it stood out",
        "given up: in vain",
        "open: reward is seen",
    ]
    assert "also/decision/effect" not in files.Tags()["scalars"]


def test_without_an_expert_nothing_is_drawn_of_one(tmp_path: Path) -> None:
    of_an_expert = {"also/pull", "also/agreement", "also/expert_return"}
    assert not of_an_expert & set(drawn(tmp_path).Tags()["scalars"])


def test_an_expert_in_force_is_drawn_beside_the_policy(tmp_path: Path) -> None:
    files = drawn(tmp_path, expert_run())
    assert scalar(files, "pull") == [(5000, 0.5), (10_000, 0.0)]
    assert scalar(files, "agreement") == [(5000, 0.625)]
    assert scalar(files, "expert_return") == [(5000, 0.8), (10_000, 0.8)]
    (text,) = texts(files, "signal")
    assert "\n1. load when near for agent_0\n" in text
