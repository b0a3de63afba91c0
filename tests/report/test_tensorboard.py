"""TensorBoard: what is drawn, and that drawing never ends a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import Diagnosed, RoundFinished, RunResumed
from also_wrappers.ledger.ledger import Ledger, read_ledger
from also_wrappers.report import tensorboard
from also_wrappers.report.tensorboard import TensorBoardFigures
from tests.support.ledgers import (
    DIAGNOSIS,
    SIGNAL,
    Line,
    branch,
    decided,
    expert_run,
    recorded,
    settled,
    watched_run,
    whole_run,
)


def draw(run_dir: Path, lines: Sequence[Line]) -> None:
    """Draws a run as it goes on, after what its ledger has already."""
    accounting = Accounting(agents_per_env=2)
    path = run_dir / "ledger.jsonl"
    past = list(read_ledger(path))
    ledger = Ledger(path, accounting)
    ledger.listeners.append(TensorBoardFigures(run_dir / "tensorboard", past))
    for event, accounting.mainline, accounting.branches in lines:
        ledger.write(event)
    ledger.close()


def files_of(folder: Path) -> EventAccumulator:
    files = EventAccumulator(str(folder))
    files.Reload()
    return files


def drawn(run_dir: Path, lines: Sequence[Line] = ()) -> EventAccumulator:
    """What is left in TensorBoard's files of a mainline that was drawn."""
    draw(run_dir, lines or whole_run())
    return files_of(run_dir / "tensorboard" / "mainline")


def arms_of(run_dir: Path) -> dict[str, EventAccumulator]:
    """What is left of each arm, by the name of its run."""
    folders = (run_dir / "tensorboard" / "arms").iterdir()
    return {folder.name: files_of(folder) for folder in folders}


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
    diagnosed = Diagnosed(round=1, diagnosis=diagnosis)
    drawn(tmp_path, [(diagnosed, 10, 0), (RoundFinished(round=1), 10, 0)])
    files = (tmp_path / "tensorboard").rglob("*")
    written = b"".join(path.read_bytes() for path in files if path.is_file())
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


def test_the_base_return_is_drawn_over_environment_steps_too(tmp_path: Path) -> None:
    files = drawn(tmp_path)
    # Two agents; the branches have spent 3,000 and 5,000 trainer steps by then.
    assert scalar(files, "by_env_steps/base_return")[2:] == [(3500, 0.92), (7500, 0.98)]
    own = scalar(files, "by_own_env_steps/base_return")
    assert own == [(500, 0.0), (1000, 0.1), (2000, 0.92), (5000, 0.98)]


def test_every_signal_that_was_tried_is_a_run_of_its_own(tmp_path: Path) -> None:
    drawn(tmp_path)
    arms = arms_of(tmp_path)
    candidate = f"1_progress_distance-{SIGNAL.id}"
    assert set(arms) == {"base_reward_alone-none", candidate}
    # Scores at the decision and when the signal was settled; a branch failed.
    scores = {name: scalar(arm, "branch/base_return") for name, arm in arms.items()}
    assert scores[candidate] == [(2000, 0.75), (5000, 0.75)]
    assert scores["base_reward_alone-none"] == [(2000, 0.35), (5000, 0.3)]
    curve = scalar(arms["base_reward_alone-none"], "branch/curve")
    # Two parts of each branch, over half as many environment steps.
    assert curve[:2] == [(1750, 0.2), (2000, 0.25)]
    assert [step for step, _ in curve] == sorted({step for step, _ in curve})


def test_arms_that_are_tried_together_begin_together_and_replicates_follow(
    tmp_path: Path,
) -> None:
    candidate = {"name": "candidate_1", "arm": 1, "signal": SIGNAL.id, "of": 4}
    lines: list[Line] = [
        (branch(**candidate, done=1), 1000, 1000),
        (branch(of=4, done=2), 1000, 2000),
        (branch(**candidate, index=1, done=3), 1000, 3000),
        (branch(of=4, index=1, done=4, error="it died"), 1000, 4000),
        (decided(), 1000, 4000),
    ]
    draw(tmp_path, lines)
    steps = {
        name: [step for step, _ in scalar(arm, "branch/curve")]
        for name, arm in arms_of(tmp_path).items()
    }
    assert steps == {
        f"candidate_1-{SIGNAL.id}": [750, 1000, 1250, 1500],
        "base_reward_alone-none": [750, 1000],
    }


def test_no_file_of_an_arm_is_open_after_a_round(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard"
    figures = TensorBoardFigures(folder)
    for event, _, _ in whole_run():
        figures(event)
    assert list((folder / "arms").iterdir())
    opened = map(os.path.realpath, Path("/proc/self/fd").glob("*"))
    assert not [name for name in opened if str(folder / "arms") in name]


def test_tensorboard_opens_on_the_plots_that_matter(tmp_path: Path) -> None:
    files = drawn(tmp_path, expert_run())
    (layout,) = files.Tensors("custom_scalars__config__")
    plots = Layout.FromString(layout.tensor_proto.string_val[0]).category[0].chart
    tags = {tag.rstrip("$") for plot in plots for tag in plot.multiline.tag}
    assert plots[0].multiline.tag == ["also/base_return$"]
    other = make(tmp_path / "other")
    written = set(files.Tags()["scalars"]) | set(drawn(other).Tags()["scalars"])
    for arm in arms_of(other).values():
        assert set(arm.Tags()["scalars"]) <= tags
        written |= set(arm.Tags()["scalars"])
    assert tags <= written


def test_hyperparameters_are_written_into_the_run_with_what_it_came_to(
    tmp_path: Path,
) -> None:
    files = drawn(tmp_path)
    session = "_hparams_/session_start_info"
    content = files.SummaryMetadata(session).plugin_data.content
    written = HParamsPluginData.FromString(content).session_start_info.hparams
    values = {
        name: value.string_value or value.number_value
        for name, value in written.items()
    }
    assert values == {
        "advisor": "rules",
        "planned_trainer_steps": 10_000.0,
        "branch_budget": 2.0,
        "swaps": 1.0,
        "signal": "1 * progress[-distance]",
        "standing": "confirmed",
    }
    # The last 400 episodes, as a report has them.
    assert scalar(files, "final_base_return") == [(10_000, 0.95)]
    folders = {path.name for path in (tmp_path / "tensorboard").iterdir()}
    assert folders == {"mainline", "arms"}


def test_a_run_that_is_resumed_is_drawn_once_and_without_what_was_lost(
    tmp_path: Path,
) -> None:
    lines = whole_run()
    at = next(n for n, line in enumerate(lines) if line[1:] == (4000, 3000))
    lost = (recorded(4500, 0.7), 4500, 3000)
    draw(tmp_path, [*lines[: at + 1], lost])
    resumed = RunResumed(rounds=1, total=10_000, checkpoint=7000)
    draw(tmp_path, [(resumed, 4000, 3500), *lines[at + 1 :]])
    files = files_of(tmp_path / "tensorboard" / "mainline")
    whole = drawn(make(tmp_path / "whole"))
    assert set(files.Tags()["scalars"]) == set(whole.Tags()["scalars"])
    for name in ("base_return", "by_own_env_steps/base_return", "decision/confirmed"):
        assert scalar(files, name) == scalar(whole, name)
    # What was known before the stop still is.
    assert scalar(files, "provisional") == scalar(whole, "provisional")
    assert scalar(files, "final_base_return") == scalar(whole, "final_base_return")
    arms, others = arms_of(tmp_path), arms_of(tmp_path / "whole")
    assert set(arms) == set(others)
    for name, arm in arms.items():
        for tag in ("branch/curve", "branch/base_return"):
            assert scalar(arm, tag) == scalar(others[name], tag)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_was_drawn_stays_until_a_run_goes_on(tmp_path: Path) -> None:
    drawn(tmp_path)
    before = sorted((tmp_path / "tensorboard").rglob("*"))
    TensorBoardFigures(tmp_path / "tensorboard", read_ledger(tmp_path / "ledger.jsonl"))
    assert sorted((tmp_path / "tensorboard").rglob("*")) == before
