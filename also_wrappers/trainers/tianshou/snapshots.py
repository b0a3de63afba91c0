"""Saves and restores all that a training of Tianshou depends on but environments.

A snapshot is what ``torch.save`` writes of the steps, what was earned, the algorithm's
state (networks and optimizers) and what that state leaves out: schedulers of learning
rates, and running statistics of returns and observations. A snapshot is read by
torch's reader for weights, which unpickles nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.env import VectorEnvNormObs
from tianshou.utils import RunningMeanStd

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from also_wrappers.trainers.tianshou.vector_env import layers
from also_wrappers.trainers.torch_files import read_snapshot

__all__ = ["forget_returns", "read", "restore", "save", "share_observations"]

_FORMAT = "also_wrappers.trainers.tianshou 1"


def save(trainer: PausedTrainer, path: Path) -> None:
    """Writes a snapshot to a file, whole or not at all."""
    algorithm = trainer.algorithm
    statistics = _of_returns(trainer) | _of_observations(trainer.env)
    snapshot = {
        "format": _FORMAT,
        "steps": trainer.steps,
        "earned": dataclasses.asdict(trainer.earned),
        "algorithm": algorithm.state_dict(),
        "schedulers": [part.state_dict() for part in algorithm.lr_schedulers],
        "statistics": {
            name: {
                "mean": np.asarray(part.mean, dtype=np.float64),
                "var": np.asarray(part.var, dtype=np.float64),
                "count": part.count,
            }
            for name, part in statistics.items()
        },
    }
    with replacing(path) as beside:
        torch.save(_readable(snapshot), beside)


def read(path: Path) -> dict[str, Any]:
    """Reads the snapshot of a training.

    Raises:
        ConfigurationError: The file is no snapshot of a training.
    """
    return read_snapshot(path, _FORMAT, "a training of Tianshou")


def restore(trainer: PausedTrainer, path: Path) -> None:
    """Loads a snapshot into a living trainer; environments stay.

    Args:
        trainer: The trainer.
        path: The snapshot.

    Raises:
        ConfigurationError: The file is no snapshot, or one of another training.
    """
    snapshot, algorithm = read(path), trainer.algorithm
    statistics = _of_returns(trainer) | _of_observations(trainer.env)
    try:
        if statistics.keys() != snapshot["statistics"].keys():
            raise ValueError("its running statistics are others")
        schedulers = zip(algorithm.lr_schedulers, snapshot["schedulers"], strict=True)
        algorithm.load_state_dict(snapshot["algorithm"])
        for scheduler, state in schedulers:
            scheduler.load_state_dict(state)
        _load(statistics, snapshot["statistics"])
    except Exception as error:  # torch and Tianshou may raise any error
        reason = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"{path} does not fit the training ({type(error).__name__}: {reason}); go "
            "on with the algorithm and environments that the run was begun with, or "
            "begin a new run"
        ) from error
    trainer.steps = snapshot["steps"]
    trainer.earned.move(Earned(**snapshot["earned"]))


def forget_returns(trainer: PausedTrainer) -> None:
    """Begins the statistics of returns anew, as another signal is paid."""
    for part in _of_returns(trainer).values():
        fresh = RunningMeanStd()
        part.mean, part.var, part.count = fresh.mean, fresh.var, fresh.count


def share_observations(env: Any, other: Any) -> None:
    """Gives fresh environments the observation statistics of a training.

    Args:
        env: The environments of the training.
        other: The fresh environments, which normalise by the training's statistics
            afterwards and never update them.
    """
    of_training = _of_observations(env)
    for name, part in _of_observations(other).items():
        vars(part).update(vars(of_training[name]))
    for layer in layers(other):
        if isinstance(layer, VectorEnvNormObs):
            layer.update_obs_rms = False


def _of_returns(trainer: PausedTrainer) -> dict[str, RunningMeanStd]:
    """Returns the running statistics of an algorithm, by name."""
    return {
        f"{name}.{key}": value
        for name, module in trainer.algorithm.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, RunningMeanStd)
    }


def _of_observations(env: Any) -> dict[str, RunningMeanStd]:
    """Returns the running statistics of environments' wrappers, by name."""
    return {
        f"env.{depth}.{key}": value
        for depth, layer in enumerate(reversed(layers(env)))
        for key, value in vars(layer).items()
        if isinstance(value, RunningMeanStd)
    }


def _load(parts: Mapping[str, RunningMeanStd], states: Mapping[str, Any]) -> None:
    for name, part in parts.items():
        state = states[name]
        part.mean, part.var = state["mean"].numpy()[()], state["var"].numpy()[()]
        part.count = state["count"]


def _readable(value: Any) -> Any:
    """Returns a value with Python's numbers in place of NumPy's, for torch's reader."""
    if isinstance(value, Mapping):
        return {key: _readable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_readable(part) for part in value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value.item() if isinstance(value, np.generic) else value
