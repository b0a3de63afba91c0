"""A run that was stopped at any of its writes goes on and counts every step once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from also_wrappers import files
from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.gate import Decision, Request, Rule, Trial
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.measured import Measured
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.checkpoints import Checkpoints
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from tests.support.corridor import check_every_step_is_counted_once, events, make_task
from tests.support.walker import ROLLOUT, Walker, Work

TOTAL = 9 * ROLLOUT


def proposal(expression: str) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=1.0)
    return Proposal(signal=Signal(terms=(term,)))


#: The first round promotes one of two, the second tries one, the third has no room.
PROPOSALS = [
    [proposal("place"), proposal("team_min(place)")],
    [proposal("place * place")],
]


class TakesBack:
    """Trains a fresh branch of the first candidate, then goes back to control's."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = Request(1, "confirm", 2, keep=False)
        if wanted not in {trial.request for trial in trials}:
            return [wanted]
        return Decision("no_change", "it does harm", adopt=Request(0, "screen", 0))


@dataclass(frozen=True)
class Promotes:
    """Promotes the first of two or more candidates, and keeps control before one.

    Attributes:
        then: What goes on beside the training.
        exploratory: Whether no base reward speaks for the candidate.
    """

    then: Rule | None = None
    exploratory: bool = False

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = [Request(arm, "screen", 0) for arm in range(arms)]
        if arms > 2:
            wanted += [Request(arm, "confirm", 1) for arm in (0, 1)]
        missing = [w for w in wanted if w not in {t.request for t in trials}]
        if missing:
            return missing
        if arms > 2:
            return Decision(
                "provisional",
                "the first",
                1,
                Request(1, "confirm", 1),
                exploratory=self.exploratory,
                then=self.then,
            )
        return Decision("no_change", "control", adopt=Request(0, "screen", 0))


def play(folder: Path, work: Work, gate: Rule) -> None:
    """Plays the run of this test, or goes on with what is there of it."""
    ledger = folder / "ledger.jsonl"
    resume = ledger.exists() and ledger.stat().st_size > 0
    run = Run(make_task(), folder, resume=resume)
    walker = Walker(run.shape, TOTAL, work)
    adaptation = Adaptation(
        run,
        RecordedAdvisor(PROPOSALS),
        first=ROLLOUT,
        every=3 * ROLLOUT,
        horizon=ROLLOUT,
        refinements=1,
        budget=9.0,
        fade_out=0.3,
        pause_on="interval",
        gate=gate,
        executor=SerialExecutor(),
    )
    while walker.steps < TOTAL:
        adaptation.step(walker)
        if walker.steps < TOTAL:
            walker.train()
    adaptation.finish(walker)
    run.close()


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
        monkeypatch.setattr(Guard, "fall", lambda guard: 0.5 if guard._seen else None)
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


def check_schedule(folder: Path, state: dict[str, Any] | None) -> None:
    """Checks that a finished run's schedule has the swaps of its lineage, and no other.

    Args:
        folder: The run's directory.
        state: Of the checkpoint that the run went on from, if there was one.
    """
    schedule = json.loads((folder / "schedule.json").read_text())
    signals = [Signal.model_validate(entry["signal"]).id for entry in schedule]
    assert all(a != b for a, b in pairwise([Signal().id, *signals])), "swapped twice"
    steps = [entry["trainer_steps"]["mainline"] for entry in schedule]
    assert steps == sorted(steps), "a swap is scheduled that was undone"
    finished = Signal.model_validate(events(folder)[-1]["signal"]).id
    assert [Signal().id, *signals][-1] == finished, "another signal is scheduled last"
    kinds = [event["event"] for event in events(folder)]
    resumed = len(kinds) - 1 - kinds[::-1].index("run_resumed") if state else 0
    undone = {"rollback", "settled"} & set(kinds[resumed:])
    if state is not None and not undone:  # else it goes from the schedule again
        posted = Signal.model_validate(state["posting"]["signal"]).id
        total = state["trainer_steps"]["total"]
        before = [
            signal
            for signal, entry in zip(signals, schedule, strict=True)
            if entry["trainer_steps"]["total"] <= total
        ]
        assert [Signal().id, *before][-1] == posted, "a lost swap is scheduled"


def check_goes_on(folder: Path, gate: Rule, worked: int) -> None:
    """Checks a run that goes on with what a kill has left.

    Args:
        folder: Directory of the run.
        gate: What decides.
    worked: Trainer steps that had been trained until the kill.
    """
    ledger = folder / "ledger.jsonl"
    before = ledger.read_bytes() if ledger.exists() else b""
    resumes = bool(before)
    before = before[: before.rfind(b"\n") + 1]
    checkpoint = folder / "checkpoints" / "last.json"
    state = None
    if resumes and checkpoint.exists():  # saved before an event could say so
        state = json.loads(checkpoint.read_text())["state"]
    left = {path for path in folder.rglob("*") if path.is_file()}
    work = Work()
    play(folder, work, gate)
    assert ledger.read_bytes().startswith(before), "an event was lost"
    check_every_step_is_counted_once(folder, TOTAL)
    check_schedule(folder, state)
    counted = 0
    if state is not None:
        counts = events(folder, "run_resumed")[-1]["trainer_steps"]
        counted, most = counts["total"], counts["total"] + counts["unknown"]
        assert counted <= worked <= most, f"{worked} steps are {counted} to {most}"
    grown = events(folder)[-1]["trainer_steps"]["total"] - counted
    assert grown == work.steps, f"{work.steps} steps were trained and {grown} counted"
    rounds = [event["round"] for event in events(folder, "decision")]
    assert rounds == sorted(set(rounds)), "a round was decided twice, or too late"
    trained = [
        tuple(event[key] for key in ("round", "arm", "phase", "index", "stretch"))
        for event in events(folder, "branch")
    ]
    assert len(trained) == len(set(trained)), "a branch was trained again"
    assert {branch[0] for branch in trained} <= set(rounds), "branches were in vain"
    assert list(folder.glob("rounds/*/snapshots")) == [], "branches were left behind"
    described = [json.loads(p.read_text()) for p in folder.glob("checkpoints/*.json")]
    used = {folder / "checkpoints" / each["snapshot"] for each in described}
    assert all(path.exists() for path in used), "a checkpoint has no snapshot"
    # What a kill has left may stay; what goes on leaves nothing of its own.
    spare = set(folder.glob("checkpoints/*.zip")) - used | set(folder.rglob(".*"))
    assert spare <= left, f"left behind: {spare - left}"


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
            check_goes_on(copy, disks.gate, disks.worked[copy])
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
