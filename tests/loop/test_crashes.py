"""A run that was stopped at any of its writes goes on and counts every step once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from also_wrappers import files
from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.gate import Rule
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.measured import Measured
from also_wrappers.run.checkpoints import Checkpoints
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from tests.support.corridor import check_every_step_is_counted_once, events, make_task
from tests.support.stopped import (
    TOTAL,
    Promotes,
    Stopped,
    TakesBack,
    check_schedule,
    play,
)
from tests.support.walker import Walker, Work


@dataclass
class Disks:
    """Keeps what a kill would leave on disk at every write of a run.

    Attributes:
        run: The run's directory.
        kept: Where its copies go, by number of the write; ``half`` follows where half
            of a line was appended, or half of a file that is to replace another.
        work: What was trained so far.
        writes: The file of every write so far.
        copies: The copies, with the file that was about to be written.
    worked: Trainer steps that had been trained by then, by copy.
        unseen: Files that changed without being asked for; those that are mapped into
            memory change at any time.
    """

    run: Path
    kept: Path
    work: Work
    gate: Rule
    writes: list[Path] = field(default_factory=list)
    copies: dict[Path, str] = field(default_factory=dict)
    worked: dict[Path, int] = field(default_factory=dict)
    unseen: set[Path] = field(default_factory=set)
    _before: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, path: Path, data: bytes = b"") -> None:
        if self.run not in path.parents:
            return
        self._compare()
        self.writes.append(path)
        beside = path.name.startswith(".")
        if not beside:
            self._keep(path)
        if beside:
            self._keep(path, " half").write_text('{"half a fi')
        elif data:
            with self._keep(path, " half").open("ab") as file:
                file.write(data[: len(data) // 2])

    def _keep(self, path: Path, half: str = "") -> Path:
        """Copies the run; returns what the path is in the copy."""
        copy = self.kept / f"{len(self.writes):03}{half}"
        copy.mkdir(parents=True)
        if self.run.exists():
            shutil.copytree(self.run, copy, dirs_exist_ok=True)
        self.copies[copy] = str(path.relative_to(self.run))
        self.worked[copy] = self.work.steps
        return copy / path.relative_to(self.run)

    def _compare(self) -> None:
        """Notes what changed since the last write but is not what was written."""
        now = {
            path: (path.stat().st_mtime_ns, path.stat().st_size)
            for path in self.run.rglob("*")
            if path.is_file() and "slots" not in path.parts and path.name != "words"
        }
        changed = {path for path, _ in now.items() ^ self._before.items()}
        self._before = now
        for path in changed - set(self.writes[-1:]):
            empty = now.get(path, (0, 1))[1] == 0  # opened, to be appended to
            beside = path.name.startswith(".")  # has replaced another since
            if not (empty or beside or self.writes[-1] in path.parents):
                self.unseen.add(path)


@pytest.fixture(params=["rolled back", "taken back", "next turn"])
def disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Disks:
    """A run in which everything is written that a run can write, and its disks."""
    gate = Promotes()
    if request.param == "rolled back":
        # The first record after a swap is taken for a fall, so that it is rolled back.
        monkeypatch.setattr(
            Guard, "fall", lambda guard: 0.5 if guard._recorded else None
        )
    elif request.param == "taken back":
        gate = Promotes(TakesBack())
    else:
        # Nothing ever leads anywhere, so that both candidates have their turn.
        gate = Promotes(exploratory=True)
        monkeypatch.setattr(Guard, "exceeds", lambda guard, level: False)
        monkeypatch.setattr(Measured, "supported", lambda measured: measured.arms[1:])
    disks = Disks(tmp_path / "run", tmp_path / "disks", Work(), gate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "before_write", disks)
        play(disks.run, disks.work, gate)
    swaps = 2 if request.param == "next turn" else 1
    assert len(events(disks.run, "swap")) == swaps
    return disks


def test_every_change_of_a_file_is_asked_for(disks: Disks) -> None:
    assert check_every_step_is_counted_once(disks.run, TOTAL) == 0
    check_schedule(disks.run, None)
    assert events(disks.run)[-1]["trainer_steps"]["total"] == disks.work.steps
    kinds = {event["event"] for event in events(disks.run)}
    assert kinds >= {"branch", "swap", "refinement", "round_finished"}
    assert kinds & {"rollback", "settled"}
    assert disks.unseen == set()
    assert len(disks.writes) > 110


def test_a_run_that_was_stopped_at_any_of_its_writes_goes_on(disks: Disks) -> None:
    wrong = {}
    for copy, path in disks.copies.items():
        try:
            stopped, work = Stopped(copy), Work()
            play(copy, work, disks.gate)
            stopped.check(disks.worked[copy], work.steps)
        except AssertionError as error:
            wrong[f"write {copy.name}, of {path}"] = str(error).partition("\n")[0]
    assert wrong == {}


def test_a_swap_whose_checkpoint_was_not_saved_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(checkpoints: Checkpoints, name: str, *arguments: Any) -> Path:
        if name == "round":
            raise KeyboardInterrupt
        return save(checkpoints, name, *arguments)

    save = Checkpoints.save
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            play(tmp_path, Work(), Promotes())
    schedule = json.loads((tmp_path / "schedule.json").read_text())
    (swap,) = events(tmp_path, "swap")
    run = Run(make_task(), tmp_path, resume=True)
    walker = Walker(run.shape, TOTAL, Work())
    adaptation = Adaptation(run, RecordedAdvisor([]), gate=Promotes(), budget=9.0)
    adaptation.step(walker)
    run.close()
    assert run.board.read().signal == Signal.model_validate(swap["signal"])
    assert walker.steps > 0
    assert events(tmp_path, "swap") == [swap]
    assert json.loads((tmp_path / "schedule.json").read_text()) == schedule
