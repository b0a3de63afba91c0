"""Checks what any trainer adapter must pass before a run relies on the adapter."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import (
    randomness_restored,
    randomness_states,
    seed_randomness,
)
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task
from also_wrappers.testing.counts import check_enough, check_outcome
from also_wrappers.testing.harnesses import ReplayHarness, TrainerHarness
from also_wrappers.testing.states import check_same, differ
from also_wrappers.trainer import ForkOutcome, Trainer
from also_wrappers.wrappers.shape import Shape

__all__ = ["check_trainer"]

Level = Literal["exact", "approximate"]


def check_trainer(
    harness: TrainerHarness, task: Task, signal: Signal, level: Level = "exact"
) -> None:
    """Checks the whole contract of a trainer adapter.

    * Steps are counted, by the trainer and by its branches; at least as many steps are
      trained as were asked for, and less than a rollout more.
    * A snapshot is one file that holds all that training depends on, optimizer
      included.
    * A fork leaves its parent and the snapshot alone; at the level ``exact``, a
      training that was paused and forked goes on bit-identically to one that was not.
    * The signal reaches every environment of a branch.
    * Branches with other seeds differ; at ``exact``, branches with one seed are
    identical.
    * A branch writes its end to the file that is named; the end can be adopted and
      trained on.
    * An older snapshot can be adopted again; at ``exact``, the training from there on
      does not depend on what was adopted before.
    * A replay buffer pays what the posted signal pays, also for the past.
    * Where the trainer imitates, an expert changes what a branch learns; at ``exact``,
      an expert that has promised less than the policy earns changes nothing. An
      audition leaves training and global randomness alone, and repeats itself with the
      same seed. Where the trainer does not imitate, an audition says why.

    Args:
        harness: Drives the adapter.
        task: A task with the features of the environment.
        signal: A signal that pays something in this environment. Where the signal has
            an expert, imitation is tried as well.
        level: ``approximate`` leaves out checks that need bit-identical repetition, for
            trainers on hardware that does not repeat itself.

    Raises:
        AssertionError: A check failed; the message says what does not hold.

    Example:
        With the harness of the example of ``TrainerHarness``:
        ``check_trainer(Harness(), task, signal)``. An error says what is wrong:

        >>> from also_wrappers.testing import corridor_features
        >>> class Harness:
        ...     def make(self, shape):
        ...         class Trainer:
        ...             steps = 7
        ...         return Trainer()
        >>> try:
        ...     check_trainer(Harness(), Task("Walk.", corridor_features()), Signal())
        ... except AssertionError as error:
        ...     print(error)
        a fresh training counts 7 steps
    """
    with tempfile.TemporaryDirectory() as folder:
        contract = _Contract(harness, task, signal, level == "exact", Path(folder))
        contract.check_counting()
        contract.check_snapshots()
        contract.check_forks()
        contract.check_adoption()
        contract.check_return()
        contract.check_replay()
        contract.check_imitation()
        contract.check_auditions()


def _plain(env: Any) -> Any:
    return env


@dataclass
class _Contract:
    """Runs the checks of the contract, with their files in one folder."""

    harness: TrainerHarness
    task: Task
    signal: Signal
    exact: bool
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def check_counting(self) -> None:
        trainer = self.harness.make(_plain)
        assert trainer.steps == 0, f"a fresh training counts {trainer.steps} steps"
        assert 0.0 < trainer.gamma <= 1.0, f"gamma is {trainer.gamma}"
        assert trainer.rollout >= 1, f"a rollout has {trainer.rollout} steps"
        agents = trainer.agents_per_env
        assert agents >= 1, f"agents_per_env is {agents}"
        assert trainer.total >= trainer.rollout, "less is planned than one rollout"
        assert isinstance(trainer.bootstraps_truncation, bool)
        assert isinstance(trainer.evaluates, bool)
        assert isinstance(trainer.replays, bool)
        assert isinstance(trainer.imitates, bool)
        for rollouts in (1, 2):
            before = trainer.steps
            self.harness.train(trainer, rollouts * trainer.rollout)
            check_enough(trainer.steps - before, rollouts * trainer.rollout, trainer)
        drift = trainer.policy_drift()
        if drift is not None:
            assert min(drift) >= 0.0, f"the policies' drift is {drift}"
            assert len(drift) in (1, agents), f"drift is told of {len(drift)} agents"
        assert trainer.imitated() is None, "nobody was imitated, as there is no expert"

    def check_snapshots(self) -> None:
        trainer = self._trained(rollouts=2)
        state, steps = self._state(trainer), trainer.steps
        assert state, "state() must name what training depends on"
        snapshot = self._snapshot(trainer)
        other = self.harness.make(_plain)
        other.adopt(snapshot)
        check_same(
            self._state(other), state, "a fresh training that adopted the snapshot"
        )
        assert other.steps == steps, f"it counts {other.steps} steps, not {steps}"
        self.harness.train(trainer, trainer.rollout)
        assert differ(self._state(trainer), state), "training changes nothing"
        trainer.adopt(snapshot)
        check_same(self._state(trainer), state, "the training that was put back")
        assert trainer.steps == steps

    def check_forks(self) -> None:
        whole = self._trained(rollouts=1)
        self.harness.train(whole, 2 * whole.rollout)

        paused = self._trained(rollouts=1)
        before = self._state(paused)
        ends = {
            name: self._branch(paused, seed)[1]
            for name, seed in (("first", 11), ("again", 11), ("other", 12))
        }
        self._branch(paused, 11, keep=False)
        check_same(self._state(paused), before, "the parent of a fork")
        self.harness.train(paused, 2 * paused.rollout)
        if self.exact:
            expected = self._state(whole)
            check_same(self._state(paused), expected, "a training that was forked")

        states = {}
        for name, end in ends.items():
            trainer = self.harness.make(_plain)
            trainer.adopt(end)
            states[name] = self._state(trainer)
        assert differ(states["first"], before), "a branch has trained nothing"
        assert differ(states["first"], states["other"]), (
            "branches with other seeds are the same: the seed must reach environments "
            "and sampling"
        )
        if self.exact:
            check_same(states["again"], states["first"], "a branch with the same seed")

    def check_adoption(self) -> None:
        trainer = self._trained(rollouts=1)
        before = trainer.steps
        outcome, end = self._branch(trainer, 11)
        trainer.adopt(end)
        expected = before + outcome.steps
        assert trainer.steps == expected, f"{trainer.steps} steps, not {expected}"
        self.harness.train(trainer, trainer.rollout)
        check_enough(trainer.steps - expected, trainer.rollout, trainer)

    def check_return(self) -> None:
        """Checks that a rollout after an older snapshot is the old policy's."""
        if not self.exact:
            return
        trainer = self._trained(rollouts=1)
        older = self._snapshot(trainer)
        self.harness.train(trainer, trainer.rollout)
        newer = self._snapshot(trainer)
        states = []
        for first in (older, newer):
            other = self.harness.make(_plain)  # fresh environments for both
            other.adopt(first)
            other.adopt(older)
            seed_randomness(3)
            self.harness.train(other, other.rollout)
            states.append(self._state(other))
        check_same(
            states[1], states[0], "a training that went back to an older snapshot"
        )

    def check_replay(self) -> None:
        if not self.harness.make(_plain).replays:
            return
        assert isinstance(self.harness, ReplayHarness), (
            "the trainer learns from a replay buffer: its harness must tell the "
            "buffer's rewards, as a ReplayHarness does"
        )
        board = Board.create(self._file(), Posting(version=1))
        trainer = self.harness.make(Shape(self.task, board))
        learner = {
            "gamma": trainer.gamma,
            "bootstraps_truncation": trainer.bootstraps_truncation,
        }
        _post(board, learner)
        self.harness.train(trainer, 2 * trainer.rollout)
        rewards = []
        for signal, strength in (
            (Signal(), 1.0),
            (self.signal, 1.0),
            (self.signal, 0.5),
            (Signal(), 1.0),
        ):
            _post(board, {"signal": signal, "strength": strength})
            rewards.append(np.array(self.harness.rewards(trainer), dtype=np.float64))
        base, whole, half, again = rewards
        assert base.size, "the replay buffer is empty after two rollouts"
        assert np.any(whole != base), "a replay buffer pays nothing of a new signal"
        assert np.allclose(half - base, (whole - base) / 2.0, atol=1e-5), (
            "a replay buffer does not pay a signal of half the strength half"
        )
        assert np.array_equal(again, base), (
            "a replay buffer still pays a signal that was taken back"
        )

    def check_imitation(self) -> None:
        """Checks that an expert pulls only until its promise is earned."""
        trainer = self._trained(rollouts=1)
        if not trainer.imitates or self.signal.expert is None:
            return
        silent = self.signal.model_copy(update={"expert": None})
        postings: dict[str, dict[str, Any]] = {
            "pulled": {"signal": self.signal},
            "promised nothing": {"signal": self.signal, "promised": -1e12},
            "no expert": {"signal": silent},
        }
        states = {}
        for name, posted in postings.items():
            other = self.harness.make(_plain)
            other.adopt(self._branch(trainer, 11, **posted)[1])
            states[name] = self._state(other)
        assert differ(states["pulled"], states["no expert"]), (
            "the trainer says that it imitates, and an expert changes nothing in a "
            "branch"
        )
        if self.exact:
            what = "a branch whose expert has promised less than is earned"
            check_same(states["promised nothing"], states["no expert"], what)

    def check_auditions(self) -> None:
        """Checks that auditions leave the training as it is."""
        trainer = self._trained(rollouts=1)
        if not trainer.imitates:
            try:
                trainer.audition(_plain, 2, 0, 0.0, lambda steps: None)
            except ConfigurationError:
                return
            raise AssertionError(
                "the trainer does not imitate: its audition must raise a "
                "ConfigurationError that says why"
            )
        if self.signal.expert is None:
            return
        before, randomness = self._state(trainer), str(randomness_states())
        spoken = self.signal.model_copy(update={"terms": ()})
        players = ((spoken, 0.0), (spoken, 0.0), (spoken, 0.5), (Signal(), 0.0))
        played = []
        for signal, noise in players:
            posting = Posting(version=1, signal=signal, gamma=trainer.gamma)
            board = Board.create(self._file(), posting)
            counted: list[int] = []
            outcome = trainer.audition(
                Shape(self.task, board), 5, 3, noise, counted.append
            )
            episodes, steps = len(outcome.returns), outcome.steps
            assert sum(counted) == steps, (
                f"stepped was called with {sum(counted)} trainer steps, "
                f"of {steps} played"
            )
            least = episodes * trainer.agents_per_env
            assert least <= steps, f"{episodes} episodes are not {steps} steps"
            assert 0 <= outcome.agreed <= outcome.spoken <= steps, (
                f"{outcome.agreed} of {outcome.spoken} advised steps were good, of "
                f"{steps} in all"
            )
            played.append(outcome.returns)
        assert str(randomness_states()) == randomness, (
            "an audition changes the global randomness"
        )
        check_same(self._state(trainer), before, "the training after an audition")
        counts = {len(returns) for returns in played}
        assert len(counts) == 1, f"auditions of 5 episodes have {sorted(counts)}"
        assert min(counts) >= 5, f"5 episodes were wanted, {min(counts)} were played"
        if self.exact:
            assert played[0] == played[1], "an audition with the same seed differs"

    def _file(self) -> Path:
        return self.folder / f"{next(self._numbers)}.snapshot"

    def _trained(self, rollouts: int) -> Trainer:
        trainer = self.harness.make(_plain)
        self.harness.train(trainer, rollouts * trainer.rollout)
        return trainer

    def _state(self, trainer: Trainer) -> dict[str, npt.NDArray[Any]]:
        state = self.harness.state(trainer)
        return {name: np.array(value) for name, value in state.items()}

    def _snapshot(self, trainer: Trainer) -> Path:
        path, before = self._file(), set(self.folder.iterdir())
        trainer.snapshot(path)
        self._check_written(before, {path}, "a snapshot")
        return path

    def _check_written(self, before: set[Path], wanted: set[Path], what: str) -> None:
        names = sorted(path.name for path in set(self.folder.iterdir()) - before)
        assert names == sorted(path.name for path in wanted), (
            f"{what} must be written to the file that was named, and to no other; it "
            f"has left {', '.join(names) or 'nothing'}"
        )

    def _branch(
        self, trainer: Trainer, seed: int, *, keep: bool = True, **posted: Any
    ) -> tuple[ForkOutcome, Path]:
        """Trains a branch of two rollouts, and checks its files and counts.

        The signal has to arrive in the environments of the branch as well.

        Args:
            trainer: The trainer.
            seed: Seed of the branch.
            keep: Whether the branch's end is kept.
            **posted: Fields of the branch's posting besides, or in place of, the
                signal.

        Returns:
            The branch's outcome, and the file of the branch's end.
        """
        start, end = self._snapshot(trainer), self._file()
        written, before = start.read_bytes(), set(self.folder.iterdir())
        steps = 2 * trainer.rollout
        with tempfile.TemporaryDirectory() as folder, randomness_restored():
            update = {"signal": self.signal, **posted}
            posting = Posting(version=7, gamma=trainer.gamma, **update)
            board = Board.create(Path(folder) / "board", posting)
            shape = Shape(self.task, board)
            fork = trainer.fork()
            fork.warm()
            outcome = fork(start, shape, seed, steps, end=end if keep else None)
            versions, version = set(board.acknowledged().values()), board.version
            episodes = board.new_episodes()
            collected = board.collect()
        self._check_written(before, {end} if keep else set(), "the end of a branch")
        assert start.read_bytes() == written, "a branch changed its snapshot"
        assert versions == {version}, (
            "the signal did not reach the environments of a branch: they must be made "
            "with the shape that the fork is given"
        )
        assert collected is not None, "no episode ended in a branch of two rollouts"
        # Environments that are made only to see their spaces end no episode.
        check_outcome(outcome, steps, collected.copies, trainer)
        paid = episodes["base_return"] != episodes["shaped_return"]
        assert paid.any(), "the signal paid nothing"
        return outcome, end


def _post(board: Board, update: Mapping[str, Any]) -> None:
    posted = board.read()
    version = {"version": posted.version + 1}
    board.post(posted.model_copy(update={**version, **update}))
