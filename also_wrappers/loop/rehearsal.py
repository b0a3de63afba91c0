"""Trains one rollout of a branch before training, to find early what cannot work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from also_wrappers.board.board import Board, Collected
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_restored, seed_randomness
from also_wrappers.branches.scratch import scratch
from also_wrappers.evidence.recorder import compile_success
from also_wrappers.exceptions import AlsoError, ConfigurationError, brief
from also_wrappers.run.run import Run
from also_wrappers.signal.language.parser import parse
from also_wrappers.task import Task
from also_wrappers.trainer import Trainer
from also_wrappers.wrappers.shape import Shape

__all__ = ["Rehearsal", "rehearse"]

#: The least number of episodes in which a success that always holds is suspicious.
_EPISODES = 10


@dataclass(frozen=True)
class Rehearsal:
    """Holds what a rehearsal cost, and how long its episodes were.

    Attributes:
        steps: Trainer steps that the rehearsal spent.
        length: Mean environment steps of an episode; 0 where none has ended.
    """

    steps: int
    length: float


def rehearse(run: Run, trainer: Trainer) -> Rehearsal:
    """Trains a branch for one rollout in this process and throws it away.

    Args:
        run: The run.
        trainer: The trainer, at rest; it is left as it is.

    Returns:
        The cost of the rehearsal, and the length of its episodes.

    Raises:
        ConfigurationError: The factory, its environments or the task cannot work; the
            sentence says why, and what to do.
    """
    before = run.board.copies
    if not before:
        raise ConfigurationError(
            "no environment of the training reads the run's board: make them with "
            "run.shape around each, and reset them once before the first pause"
        )
    posting = Posting(
        version=1,
        gamma=trainer.gamma,
        bootstraps_truncation=trainer.bootstraps_truncation,
    )
    with scratch() as folder, randomness_restored():
        start = folder / "start"
        try:
            trainer.snapshot(start)
        except Exception as error:
            raise ConfigurationError(
                f"the state of the training cannot be saved ({brief(error)}), "
                "so it cannot be forked; keep what cannot be pickled, such "
                "as locks, open files and connections, out of the model and its "
                "schedules"
            ) from error
        board = Board.create(folder / "board", posting)
        shape = Shape(run.task, board)
        seed_randomness(0)
        try:
            outcome = trainer.fork()(start, shape, 0, trainer.rollout)
        except AlsoError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"a branch cannot be trained ({brief(error)}); the "
                "factory must make whole environments each time it is called"
            ) from error
        copies = board.copies
        episodes = board.new_episodes()
        collected = board.collect(run.task.conditions)
    if run.board.copies != before:
        raise ConfigurationError(
            "the factory puts the run's own wrapper on, whatever shape it is given, so "
            "branches and evaluations would count as the mainline; put shape around "
            "each environment, and nothing else of this package"
        )
    if not copies:
        raise ConfigurationError(
            "the factory does not use the shape that it is given; put shape around "
            "each environment: make_venv = lambda shape: ...shape(make_env())..."
        )
    if copies != before:
        raise ConfigurationError(
            f"the factory makes {copies} environments and the training has {before}: "
            "it must make as many, or a branch would be another training"
        )
    if not np.isfinite(episodes["base_return"]).all():
        raise ConfigurationError(
            "the base reward is not finite in some episodes; mend the environment, or "
            "bound its reward before it is shaped"
        )
    if collected is not None:
        always = bool(episodes["success"].all())
        _check_success(run.task, collected, always, len(episodes))
    steps = outcome.steps + outcome.evaluation_steps
    return Rehearsal(steps, float(episodes["length"].mean()) if len(episodes) else 0.0)


def _check_success(
    task: Task, collected: Collected, always: bool, episodes: int
) -> None:
    """Refuses a success expression that already holds in first states."""
    if task.success is None or not always or episodes < _EPISODES:
        return
    names = (*task.features.names, "base_return", "episode_length")
    success = compile_success(parse(task.success, names))
    if all(success(e.rows[0], e.alive[0], 0.0, 1) for e in collected.episodes):
        raise ConfigurationError(
            f"the success expression {task.success!r} held at the end of all "
            f"{episodes} episodes of a first rollout, and in their first states with "
            "nothing earned: it tells nothing; say what only a success has"
        )
