"""Saves and restores all that a BenchMARL experiment depends on but environments.

A snapshot is what ``torch.save`` writes of counters, of what the training earns, of
losses (in which policies, critics and target nets are), the policy with its
exploration, the contents of replay buffers, and the optimizers, which BenchMARL's own
checkpoints leave out. A snapshot is read by torch's reader for weights, which unpickles
nothing else. The contents of the environments' transforms, such as the returns of
episodes that run, belong to the environments and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDict
from torchrl.data import ReplayBuffer
from torchrl.objectives import HardUpdate

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.torch_files import read_snapshot

__all__ = ["read", "restore", "save"]

_FORMAT = "also_wrappers.trainers.benchmarl 1"


def save(experiment: Experiment, path: Path, earned: Earned) -> None:
    """Writes a snapshot to a file, whole or not at all.

    Args:
        experiment: The experiment.
        path: The file.
        earned: What the training earns.
    """
    state = experiment.state_dict()
    # BenchMARL's own state of a buffer holds all of its room, filled or not.
    state.update({key: None for key in state if key.startswith("buffer_")})
    state["collector"].pop("env_state_dict", None)
    state["state"]["mean_return"] = float(state["state"]["mean_return"])
    state["state"]["total_time"] = float(state["state"]["total_time"])
    optimizers = {name: o.state_dict() for name, o in _optimizers(experiment).items()}
    snapshot = {
        "format": _FORMAT,
        "experiment": state,
        "optimizers": optimizers,
        "earned": (earned.mean, earned.episodes),
        "policy": experiment.policy.state_dict(),
        "updates": _updates(experiment),
        "buffers": {
            group: _stored(buffer)
            for group, buffer in experiment.replay_buffers.items()
            if not experiment.on_policy and len(buffer)
        },
    }
    with replacing(path) as beside:
        torch.save(snapshot, beside)


def read(path: Path) -> dict[str, Any]:
    """Reads the snapshot of an experiment.

    Raises:
        ConfigurationError: The file is no snapshot of an experiment.
    """
    return read_snapshot(path, _FORMAT, "a BenchMARL experiment")


def restore(experiment: Experiment, path: Path, earned: Earned) -> None:
    """Loads a snapshot into a living experiment; environments stay.

    Args:
        experiment: The experiment.
        path: The snapshot.
        earned: Gets the mean base return that the training had earned.

    Raises:
        ConfigurationError: The file is no snapshot, or one of another experiment.
    """
    snapshot = read(path)
    state, optimizers = snapshot["experiment"], _optimizers(experiment)
    collector = experiment.collector
    state["collector"]["env_state_dict"] = collector.env.transform.state_dict()
    try:
        if optimizers.keys() != snapshot["optimizers"].keys():
            raise ValueError("its groups or losses are others")
        experiment.load_state_dict(state)
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(snapshot["optimizers"][name])
        experiment.policy.load_state_dict(snapshot["policy"])
        for group, updates in snapshot["updates"].items():
            experiment.target_updaters[group].counter = updates
        for group, buffer in experiment.replay_buffers.items():
            buffer.empty()
            if group in snapshot["buffers"]:
                _fill(buffer, snapshot["buffers"][group])
    except Exception as error:  # torch and torchrl may raise any error
        reason = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"{path} does not fit the experiment ({type(error).__name__}: {reason}); "
            "go on with the configuration that the run was begun with, or begin a new "
            "run"
        ) from error
    collector.update_policy_weights_()
    earned.move(Earned(*snapshot["earned"]))


def _optimizers(experiment: Experiment) -> Mapping[str, torch.optim.Optimizer]:
    """Returns the optimizer of each group and loss, by name."""
    return {
        f"{group}/{loss}": optimizer
        for group, losses in experiment.optimizers.items()
        for loss, optimizer in losses.items()
    }


def _updates(experiment: Experiment) -> dict[str, int]:
    """Returns how many updates ago each group's target nets were copied."""
    return {
        group: int(updater.counter)
        for group, updater in experiment.target_updaters.items()
        if isinstance(updater, HardUpdate)
    }


def _stored(buffer: ReplayBuffer) -> dict[str, Any]:
    """Returns the entries of a replay buffer, without its free room."""
    entries = buffer.storage.get(slice(0, len(buffer))).clone()
    return {"entries": entries.to_dict(), "writer": buffer.writer.state_dict()}


def _fill(buffer: ReplayBuffer, stored: dict[str, Any]) -> None:
    """Writes the entries that ``_stored`` returned into an empty buffer."""
    entries = TensorDict(stored["entries"])
    entries.auto_batch_size_(batch_dims=1)
    buffer.storage.set(range(len(entries)), entries)
    buffer.writer.load_state_dict(stored["writer"])
