"""A round that was interrupted goes on: nothing that it has done is done again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.advisors.base import Situation
from also_wrappers.branches.branch import BranchOrder, BranchResult
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.journal import Journal
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainer import AuditionOutcome
from tests.support.corridor import check_every_step_is_counted_once, events
from tests.support.trainers import ACTIONS
from tests.support.walker import ROLLOUT, Walker, Work, train_to_the_end

TOTAL = 8 * ROLLOUT
NUMBER = TypeAdapter(int)


def proposal(expression: str) -> Proposal:
    term = Term(name="t", kind="progress", expression=expression, weight=1.0)
    return Proposal(signal=Signal(terms=(term,)))


def advised(when: str) -> Proposal:
    return Proposal(signal=Signal(expert=Expert(rules=(Rule(when=when, do="on"),))))


class Asked(RecordedAdvisor):
    """Notes what it is asked, and with what."""

    def __init__(self, proposals: Sequence[Proposal], notes: list[Any]) -> None:
        super().__init__([proposals], [[proposal("place * place")]])
        self.notes = notes

    def diagnose(self, situation: Situation) -> Diagnosis:
        self.notes.append(("diagnosis", situation))
        return super().diagnose(situation)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        self.notes.append(("proposals", situation))
        return super().propose(situation, k)


class Stopped(SerialExecutor):
    """Stops the run before a branch, as Ctrl-C does; trains and notes the others."""

    def __init__(self, before: int | None, notes: list[Any]) -> None:
        self._left = before
        self.notes = notes

    def run(self, orders: Sequence[BranchOrder]) -> Iterator[BranchResult]:
        for order in orders:
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    raise KeyboardInterrupt
            self.notes.append(("branch", order.request))
            yield from super().run([order])


class Player(Walker):
    """A walker whose experts earn .7."""

    imitates = True
    notes: list[Any]

    def audition(self, *arguments: Any) -> AuditionOutcome:
        shape, episodes, *_, stepped = arguments
        stepped(episodes)
        self.notes.append(("audition", None))
        expert = shape.board.read().signal.expert
        earned = 0.1 if expert is None else 0.7
        self.work.steps += episodes
        return AuditionOutcome((earned,) * episodes, episodes)


def play(
    folder: Path,
    proposals: Sequence[Proposal],
    before: int | None = None,
    **options: Any,
) -> list[tuple[str, Any]]:
    """Plays a run of one round, or goes on with it; returns what was done."""
    notes: list[Any] = []
    task = Task("Walk.", corridor_features(), actions=ACTIONS)
    run = Run(task, folder, resume="auto")
    walker = Player(run.shape, TOTAL, Work())
    walker.notes = notes
    settings: dict[str, Any] = {
        "first": 2 * ROLLOUT,
        "every": TOTAL,
        "horizon": 2 * ROLLOUT,
        "budget": 9.0,
        "pause_on": "interval",
    }
    adaptation = Adaptation(
        run,
        Asked(proposals, notes),
        executor=Stopped(before, notes),
        **(settings | options),
    )
    with contextlib.suppress(KeyboardInterrupt):
        train_to_the_end(walker, adaptation)
    run.close()
    return notes


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, without when they happened, and without what the stop
    left unknown."""
    stamps = ("time", "seconds", "done", "of")
    found = events(folder, kind)
    for event in found:
        for key in stamps:
            event.pop(key, None)
        for counts in (event["env_steps"], event["trainer_steps"]):
            del counts["unknown"]
    return found


KINDS = ("diagnosis", "proposal", "audition", "check", "branch", "refinement")
TERMS = (proposal("place"), proposal("team_min(place)"))
EXPERTS = (advised("1"), advised("place < 0.9"))


@pytest.mark.parametrize("proposals", [TERMS, EXPERTS], ids=["terms", "experts"])
@pytest.mark.parametrize("before", [0, 1, 2, 4])
def test_a_round_that_was_interrupted_decides_as_if_it_had_not_been(
    tmp_path: Path, proposals: Sequence[Proposal], before: int
) -> None:
    whole = play(tmp_path / "whole", proposals)
    first = play(tmp_path / "cut", proposals, before)
    assert events(tmp_path / "cut")[-1]["event"] != "run_finished"
    second = play(tmp_path / "cut", proposals)
    done = [(kind, told) for kind, told in [*first, *second] if kind != "diagnosis"]
    branches = [request for kind, request in done if kind == "branch"]
    assert len(branches) == len(set(branches))
    for kind in ("diagnosis", "proposals", "audition", "branch"):
        counts = [
            sum(name == kind for name, _ in notes)
            for notes in (whole, [*first, *second])
        ]
        assert counts[0] == counts[1], f"{kind}: {counts}"
    for kind in KINDS:
        assert told(tmp_path / "cut", kind) == told(tmp_path / "whole", kind), kind
    (decided,) = told(tmp_path / "cut", "decision")
    assert [decided] == told(tmp_path / "whole", "decision")
    assert told(tmp_path / "cut", "swap") == told(tmp_path / "whole", "swap")
    (resumed,) = events(tmp_path / "cut", "run_resumed")
    assert resumed["going_on"] == 1
    # A branch was ordered with others that had not ended; none was trained.
    unknown = resumed["trainer_steps"]["unknown"]
    assert unknown % ROLLOUT == 0
    assert 0 < unknown <= 4 * ROLLOUT
    assert check_every_step_is_counted_once(tmp_path / "cut", TOTAL) == 0


def test_it_is_told_again_what_it_was_begun_with(tmp_path: Path) -> None:
    """Replacements are asked for with the evidence and episodes of the first window."""
    whole = [s for kind, s in play(tmp_path / "whole", TERMS) if kind == "proposals"]
    play(tmp_path / "cut", TERMS, 2)
    again, *_ = [s for kind, s in play(tmp_path / "cut", TERMS) if kind == "proposals"]
    refined = whole[1]
    assert refined.results
    assert again.results == refined.results
    assert again.evidence == refined.evidence
    assert again.diagnosis == refined.diagnosis
    assert (again.stage, again.progress) == (refined.stage, refined.progress)
    assert len(again.episodes) == len(refined.episodes) > 0
    for one, other in zip(again.episodes, refined.episodes, strict=True):
        assert (one.rows == other.rows).all()
        assert one.base_return == other.base_return


@pytest.mark.parametrize("name", ["episodes.npz", "journal.jsonl"])
def test_what_cannot_be_read_ends_the_round_and_not_the_run(
    tmp_path: Path, name: str
) -> None:
    play(tmp_path, TERMS, 2)
    (tmp_path / "rounds" / "0001" / name).write_text("no longer\n")
    play(tmp_path, TERMS)
    assert events(tmp_path)[-1]["event"] == "run_finished"
    finished = events(tmp_path, "round_finished")[0]
    assert "it cannot go on: the files of the round in " in finished["skipped"]


def test_a_journal_does_work_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    calls: list[int] = []

    def work(result: int) -> Callable[[], int]:
        def do() -> int:
            calls.append(result)
            return result

        return do

    journal = Journal(path)
    assert [journal.once(what, NUMBER, work(k)) for k, what in enumerate("aab")] == [
        0,
        1,
        2,
    ]
    with path.open("a") as file:
        file.write('{"what": "b", "resu')  # a kill while it was written
    again = Journal(path, goes_on=True)
    assert again.once("b", NUMBER, work(7)) == 2
    assert again.once("b", NUMBER, work(8)) == 8
    assert again.once("a", NUMBER, work(9)) == 0
    assert calls == [0, 1, 2, 8]
    assert [json.loads(line)["result"] for line in path.read_text().splitlines()] == [
        0,
        1,
        2,
        8,
    ]
    assert Journal(path).once("a", NUMBER, work(5)) == 5


def test_work_that_raises_was_not_done(tmp_path: Path) -> None:
    def fail() -> int:
        raise OSError("out of reach")

    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(OSError, match="out of reach"):
        journal.once("a", NUMBER, fail)
    again = Journal(tmp_path / "journal.jsonl", goes_on=True)
    assert again.once("a", NUMBER, lambda: 3) == 3


@pytest.mark.parametrize(("every", "saved"), [(None, 6), (4 * ROLLOUT, 4), (0, None)])
def test_checkpoints_between_rounds_cost_a_kill_little(
    tmp_path: Path, every: int | None, saved: int | None
) -> None:
    """The run dies in its seventh rollout; the only round would come later."""

    class Dies(Player):
        def train(self) -> None:
            if self.steps == 6 * ROLLOUT and not again:
                raise KeyboardInterrupt
            super().train()

    again = False

    def go_on() -> Work:
        run = Run(Task("Walk.", corridor_features()), tmp_path, resume="auto")
        walker, work = Dies(run.shape, TOTAL, Work()), Work()
        walker.work = work
        adaptation = Adaptation(
            run, RecordedAdvisor([]), first=TOTAL, budget=0.0, checkpoint_every=every
        )
        try:
            while walker.steps < TOTAL:
                adaptation.step(walker)
                walker.train()
            adaptation.finish(walker)
        except KeyboardInterrupt:
            pass
        run.close()
        return work

    go_on()
    again = True
    work = go_on()
    kept = saved or 0
    assert work.steps == TOTAL - kept * ROLLOUT
    counted = events(tmp_path)[-1]["trainer_steps"]
    assert counted["mainline"] == TOTAL
    # Six rollouts and what was trained again; the one in flight is unknown.
    assert counted["branches"] == (6 - kept) * ROLLOUT
    assert counted["unknown"] == ROLLOUT
    check_every_step_is_counted_once(tmp_path, TOTAL)


def test_a_finished_run_says_that_it_is_finished(tmp_path: Path) -> None:
    play(tmp_path, TERMS)
    run = Run(
        Task("Walk.", corridor_features(), actions=ACTIONS), tmp_path, resume=True
    )
    assert run.finished == TOTAL
    walker = Walker(run.shape, TOTAL, Work())
    with pytest.raises(ConfigurationError, match="is finished: it has trained all of"):
        Adaptation(run, budget=0.0).step(walker)
    assert walker.steps == 0
    # With more steps planned, it goes on.
    longer = Walker(run.shape, 2 * TOTAL, Work())
    Adaptation(run, budget=0.0).step(longer)
    assert longer.steps == TOTAL
    run.close()


def test_a_rehearsal_that_a_kill_cut_off_is_unknown_and_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("also_wrappers.loop.adaptation.rehearse", dies)
        play(tmp_path, TERMS)
    assert events(tmp_path) == []
    play(tmp_path, TERMS)
    counts = [event["trainer_steps"] for event in events(tmp_path)]
    assert {each["unknown"] for each in counts} == {ROLLOUT}
    assert counts[0]["evaluation"] == ROLLOUT
