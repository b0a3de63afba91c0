"""What any trainer adapter must show before a run is trusted to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import generators_restored
from also_wrappers.signal.model import Signal
from also_wrappers.task import Task
from also_wrappers.trainer import EVALUATED, ForkOutcome, Trainer
from also_wrappers.wrappers.shape import Shape

__all__ = ["TrainerHarness", "check_trainer"]

Level = Literal["exact", "approximate"]


class TrainerHarness(Protocol):
    """How the contract drives an adapter.

    Example:
        For an adapter of Stable-Baselines3's PPO, in an environment of our own:

        >>> from stable_baselines3 import PPO
        >>> from also_wrappers import PettingZooVecEnv
        >>> from also_wrappers.testing import Corridor
        >>> from also_wrappers.trainers.sb3 import SB3Trainer
        >>> def make_venv(shape):
        ...     return PettingZooVecEnv(lambda: shape(Corridor(length=3, limit=6)), 2)
        >>> class Harness:
        ...     def make(self, shape):
        ...         model = PPO("MlpPolicy", make_venv(shape), n_steps=16,
        ...                     batch_size=16, n_epochs=1, seed=0, device="cpu")
        ...         return SB3Trainer(model, make_venv, total=1000)
        ...     def train(self, trainer, steps):
        ...         trainer.model.learn(steps, reset_num_timesteps=not trainer.steps)
        ...     def state(self, trainer):
        ...         return {k: v.numpy() for k, v in
        ...                 trainer.model.policy.state_dict().items()}
    """

    def make(self, shape: Callable[[Any], Any]) -> Trainer:
        """A fresh training, always with the same seeds, those of global generators
        included; ``shape`` goes around each of its environments."""

    def train(self, trainer: Trainer, steps: int) -> None:
        """Trains the mainline for so many trainer steps."""

    def state(self, trainer: Trainer) -> Mapping[str, Any]:
        """What training depends on, as arrays by name: parameters, the optimizer's
        state, counters."""


def check_trainer(
    harness: TrainerHarness, task: Task, signal: Signal, level: Level = "exact"
) -> None:
    """Runs the contract.

    * Steps are counted, by the trainer and by its branches.
    * A snapshot holds all that training depends on, optimizer included.
    * A fork leaves its parent alone; at the level ``exact``, a training that was paused
      and forked goes on bit-identically to one that was not.
    * The signal reaches every environment of a branch.
    * Branches with other seeds differ; at ``exact``, those with one seed are identical.
    * A branch can be adopted, and what was before can be restored.

    Args:
        harness: Drives the adapter.
        task: A task with the features of the environment.
        signal: A signal that pays something in it.
        level: ``approximate`` leaves out what needs bit-identical repetition, for
            trainers on hardware that does not repeat itself.

    Raises:
        AssertionError: What does not hold.

    Example:
        With the harness of the example of ``TrainerHarness``:
        ``check_trainer(Harness(), task, signal)``. What is wrong with one is said:

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
    _check_counting(harness)
    _check_snapshots(harness)
    _check_forks(harness, task, signal, level)
    _check_adoption(harness, task, signal)


def _plain(env: Any) -> Any:
    return env


def _check_counting(harness: TrainerHarness) -> None:
    trainer = harness.make(_plain)
    assert trainer.steps == 0, f"a fresh training counts {trainer.steps} steps"
    assert 0.0 < trainer.gamma <= 1.0, f"gamma is {trainer.gamma}"
    assert trainer.rollout >= 1, f"a rollout has {trainer.rollout} steps"
    assert trainer.agents_per_env >= 1, f"agents_per_env is {trainer.agents_per_env}"
    assert trainer.total >= trainer.rollout, "less is planned than one rollout"
    assert isinstance(trainer.bootstraps_truncation, bool)
    assert isinstance(trainer.evaluates, bool)
    assert isinstance(trainer.replays, bool)
    for rollouts in (1, 2):
        before = trainer.steps
        harness.train(trainer, rollouts * trainer.rollout)
        counted = trainer.steps - before
        expected = rollouts * trainer.rollout
        assert counted == expected, f"{expected} steps were trained, {counted} counted"
    drift = trainer.policy_drift()
    assert drift is None or drift >= 0.0, f"the policy's drift is {drift}"


def _check_snapshots(harness: TrainerHarness) -> None:
    trainer = harness.make(_plain)
    harness.train(trainer, 2 * trainer.rollout)
    state, steps = _copied(harness.state(trainer)), trainer.steps
    assert state, "state() must name what training depends on"
    snapshot = trainer.snapshot()
    other = harness.make(_plain)
    other.adopt(snapshot)
    _same(harness.state(other), state, "a fresh training that adopted the snapshot")
    assert other.steps == steps, f"it counts {other.steps} steps, not {steps}"
    harness.train(trainer, trainer.rollout)
    assert _differ(harness.state(trainer), state), "training changes nothing"
    trainer.adopt(snapshot)
    _same(harness.state(trainer), state, "the training that was put back")
    assert trainer.steps == steps


def _check_forks(
    harness: TrainerHarness, task: Task, signal: Signal, level: Level
) -> None:
    whole = harness.make(_plain)
    harness.train(whole, whole.rollout)
    harness.train(whole, 2 * whole.rollout)
    expected = _copied(harness.state(whole))

    paused = harness.make(_plain)
    harness.train(paused, paused.rollout)
    before = _copied(harness.state(paused))
    found = {
        name: _branch(paused, task, signal, seed)
        for name, seed in (("first", 11), ("again", 11), ("other", 12))
    }
    _same(harness.state(paused), before, "the parent of a fork")
    harness.train(paused, 2 * paused.rollout)
    if level == "exact":
        _same(harness.state(paused), expected, "a training that was forked")

    states = {}
    for name, outcome in found.items():
        trainer = harness.make(_plain)
        trainer.adopt(outcome.snapshot)
        states[name] = _copied(harness.state(trainer))
    assert _differ(states["first"], before), "a branch has trained nothing"
    assert _differ(states["first"], states["other"]), (
        "branches with other seeds are the same: the seed must reach environments and "
        "sampling"
    )
    if level == "exact":
        _same(states["again"], states["first"], "a branch with the same seed")


def _check_adoption(harness: TrainerHarness, task: Task, signal: Signal) -> None:
    trainer = harness.make(_plain)
    harness.train(trainer, trainer.rollout)
    before = trainer.steps
    outcome = _branch(trainer, task, signal, 11)
    trainer.adopt(outcome.snapshot)
    expected = before + outcome.steps
    assert trainer.steps == expected, f"{trainer.steps} steps, not {expected}"
    harness.train(trainer, trainer.rollout)
    assert trainer.steps == expected + trainer.rollout, "it cannot be trained further"


def _branch(trainer: Trainer, task: Task, signal: Signal, seed: int) -> ForkOutcome:
    """A branch of two rollouts; checks its counts, and that the signal arrives."""
    with tempfile.TemporaryDirectory() as folder, generators_restored():
        posting = Posting(version=7, signal=signal, gamma=trainer.gamma)
        board = Board.create(Path(folder) / "board", posting)
        steps = 2 * trainer.rollout
        shape = Shape(task, board)
        fork = trainer.fork()
        fork.warm()
        outcome = fork(trainer.snapshot(), shape, seed, steps)
        versions, posted = set(board.acknowledged().values()), board.version
        episodes = board.new_episodes()
        copies = board.copies
    assert outcome.steps == steps, f"{steps} steps were wanted, {outcome.steps} counted"
    assert versions == {posted}, (
        "the signal did not reach the environments of a branch: they must be made with "
        "the shape that the fork is given"
    )
    per_step = copies * trainer.agents_per_env
    assert outcome.copy_steps * per_step == outcome.steps, (
        f"{outcome.copy_steps} steps of {copies} copies with {trainer.agents_per_env} "
        f"agents are not {outcome.steps} trainer steps"
    )
    evaluated = outcome.evaluated
    assert evaluated is None or evaluated.dtype == EVALUATED, (
        f"evaluated is an array of {evaluated.dtype}; make it one of "
        "also_wrappers.trainer.EVALUATED, with the fields end and base_return"
    )
    assert len(episodes), "no episode ended in a branch of two rollouts"
    paid = episodes["base_return"] != episodes["shaped_return"]
    assert paid.any(), "the signal paid nothing"
    return outcome


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) for name, value in state.items()}


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = sorted(set(one) | set(other))
    return [
        name
        for name in names
        if name not in one
        or name not in other
        or not np.array_equal(np.asarray(one[name]), np.asarray(other[name]))
    ]


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(_different(one, other))


def _same(one: Mapping[str, Any], other: Mapping[str, Any], what: str) -> None:
    names = _different(one, other)
    assert not names, f"{what} differs in {', '.join(names[:5])}"
