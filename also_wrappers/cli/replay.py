"""``replay``: what a run has found, tried again on seeds that did not find it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from also_wrappers.cli.summary import is_finished
from also_wrappers.cli.user_code import load
from also_wrappers.exceptions import AlsoError, ConfigurationError, brief
from also_wrappers.ledger.events import Event, Recorded
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.ending import ending_of
from also_wrappers.run.schedule import read_schedule

__all__ = ["Replayed", "Training", "load_training", "print_replays", "replay_run"]

#: A training as a user's module has it: ``train(run_dir, seed, **options)``.
Training = Callable[..., Any]

#: Seeds that no run begins with by chance.
FIRST_SEED = 1001


class Replayed(BaseModel):
    """Compares a replay with the base reward alone, for one seed.

    Attributes:
        seed: The seed of both.
        env_steps: Environment steps of the replay, and of the base reward alone.
        ending: Base return of the last episodes, of both.
        whole: Base return over the whole training, of both.
    """

    model_config = ConfigDict(frozen=True)

    seed: int
    env_steps: tuple[int, int]
    ending: tuple[float, float]
    whole: tuple[float, float]


def replay_run(
    run_dir: Path, train: Training, seeds: int, console: Console
) -> list[Replayed]:
    """Trains with the signals that a run found, and without, for some seeds.

    Each training is a run of its own under ``replays`` in the run's directory; those
    that are finished there are not trained again.

    Args:
        run_dir: The run's directory.
        train: Trains as the run was trained, ``train(run_dir, seed, **options)``.
        seeds: Number of seeds.
        console: Where to print what is trained.

    Returns:
        What came of each seed.

    Raises:
        ConfigurationError: The run has found nothing, or ``train`` did not train a run
            in the directory that it was given to its end.
    """
    read_schedule(run_dir)  # refused before any training
    results = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        arms = []
        for name, options in (
            ("replayed", {"replay": str(run_dir)}),
            ("base_only", {"budget": 0.0}),
        ):
            folder = run_dir / "replays" / f"seed-{seed}" / name
            what = f"seed {seed} ({seed - FIRST_SEED + 1} of {seeds}), {name}"
            if not is_finished(folder):
                console.print(f"{what}: training", highlight=False)
                _train(train, folder, seed, options)
            arms.append(list(read_ledger(folder / "ledger.jsonl")))
        results.append(_compare(seed, *arms))
    return results


def load_training(place: str) -> Training:
    """Imports a function of the user's that trains.

    Args:
        place: Module and name, ``MODULE:TRAIN``.

    Raises:
        ConfigurationError: It cannot be imported or called.
    """
    train: Training = load(place)
    if not callable(train):
        raise ConfigurationError(
            f"{place} is {train!r:.80}; give a function train(run_dir, seed, **options)"
        )
    return train


def print_replays(results: Sequence[Replayed], console: Console) -> None:
    """Prints what came of each seed, and the mean difference with its standard error.

    Args:
        results: What came of each seed.
        console: Where to print.
    """
    table = Table(title="base return, replayed and on the base reward alone")
    table.add_column("seed", justify="right")
    table.add_column("training")
    for column in ("environment steps", "last episodes", "whole training"):
        table.add_column(column, justify="right")
    for result in results:
        replayed, alone = (
            (f"{steps:,}", f"{ending:.3f}", f"{whole:.3f}")
            for steps, ending, whole in zip(
                result.env_steps, result.ending, result.whole, strict=True
            )
        )
        table.add_row(str(result.seed), "replayed", *replayed)
        table.add_row("", "base reward alone", *alone)
    console.print(table)
    for when, pairs in (
        ("last episodes", [result.ending for result in results]),
        ("whole training", [result.whole for result in results]),
    ):
        console.print(f"Difference, {when}: {_difference(pairs)}", highlight=False)


def _difference(pairs: Sequence[tuple[float, float]]) -> str:
    """Returns the mean difference with its standard error between seeds, in words."""
    differences = [replayed - alone for replayed, alone in pairs]
    text = f"{fmean(differences):+.3f}"
    if len(differences) < 2:
        return f"{text} (one seed tells no spread)"
    error = stdev(differences) / math.sqrt(len(differences))
    return f"{text} +- {error:.3f} (standard error over {len(differences)} seeds)"


def _train(train: Training, folder: Path, seed: int, options: dict[str, Any]) -> None:
    """Has a training record a whole run."""
    try:
        train(folder, seed, **options)
    except AlsoError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"the training of seed {seed} ended with an error ({brief(error)}); replay "
            "calls train(run_dir, seed, **options), which hands run_dir to Run and the "
            "options to AdaptationCallback"
        ) from error
    if not is_finished(folder):
        raise ConfigurationError(
            f"there is no finished run in {folder} after the training; train must hand "
            "its run_dir to Run and its options to AdaptationCallback, and learn to "
            "the end"
        )


def _compare(seed: int, replayed: list[Event], alone: list[Event]) -> Replayed:
    both = (replayed, alone)
    endings = [ending_of(events).mean for events in both]
    wholes = [_whole(events) for events in both]
    if None in endings:
        raise ConfigurationError(
            f"no episode has ended in a training of seed {seed}; train longer"
        )
    return Replayed.model_validate(
        {
            "seed": seed,
            "env_steps": [events[-1].env_steps.total for events in both],
            "ending": endings,
            "whole": wholes,
        }
    )


def _whole(events: Sequence[Event]) -> float:
    """Returns the mean base return of a training, each trainer step weighing alike."""
    total, before = 0.0, 0
    for event in events:
        if isinstance(event, Recorded):
            steps = event.window.steps
            total += (steps - before) * event.window.mean
            before = steps
    return total / max(before, 1)
