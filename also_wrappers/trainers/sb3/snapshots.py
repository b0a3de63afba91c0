"""Snapshots: all that the training of an SB3 model depends on but its environments.

A snapshot is a zip file of arrays, as ``numpy.savez`` writes it: SB3's own archive as
``model`` (parameters, optimizers, target nets, entropy coefficient, counters,
exploration rate), the arrays of the replay buffer as ``replay_buffer/...``, and the
statistics of ``VecNormalize`` as ``statistics/...``, and what the training earns as
``earned``. Nothing is compressed, and arrays go straight to the disk. The global
randomness is the run's, whose checkpoints keep it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainers.sb3.earned import Earned
from also_wrappers.trainers.sb3.replay_buffer import Relabelling

__all__ = ["load", "normalize_of", "restore", "save", "share_statistics"]

Arrays = dict[str, npt.NDArray[Any]]

#: What SB3's archive restores besides parameters, optimizers and variables.
_COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "_current_progress_remaining",
    "exploration_rate",
)


def save(model: BaseAlgorithm, path: Path, earned: Earned | None = None) -> None:
    """Writes a snapshot to a file, whole or not at all.

    Args:
        model: The model.
        path: The file.
        earned: What the training earns, where that is counted.
    """
    archive = io.BytesIO()
    # The buffer's settings hold the run's board, which a branch must not have.
    model.save(archive, exclude=["replay_buffer_kwargs"])
    parts = {"model": np.frombuffer(archive.getbuffer(), np.uint8)}
    buffer = _buffer(model)
    if buffer is not None:
        parts |= _prefixed("replay_buffer/", buffer.state())
    normalize = model.get_vec_normalize_env()
    if normalize is not None:
        parts |= _prefixed("statistics/", _statistics(normalize))
    if earned is not None and earned.episodes:
        parts["earned"] = np.array([earned.mean, earned.episodes])
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **parts)


def restore(model: BaseAlgorithm, path: Path, earned: Earned | None = None) -> None:
    """Loads a snapshot into living objects; environments stay.

    Nothing that SB3 may hold a reference to is replaced.

    Args:
        model: The model.
        path: The snapshot.
        earned: Gets what the training earned, where that is counted.
    """
    parts = _read(path)
    archive = io.BytesIO(parts["model"].tobytes())
    data, parameters, variables = load_from_zip_file(archive, device=model.device)
    assert data is not None
    model.set_parameters(parameters, device=model.device)
    for name, value in (variables or {}).items():
        getattr(model, name).data = value.data
    for name in _COUNTERS:
        if name in data:
            setattr(model, name, data[name])
    noise, saved = getattr(model, "action_noise", None), data.get("action_noise")
    if noise is not None and type(noise) is type(saved):
        vars(noise).update(vars(saved))  # a rollout that has begun holds on to it
    elif noise is not None:  # learn has not been called yet, which makes one per copy
        vars(model)["action_noise"] = saved
    _restore_parts(model, parts, earned)


def load(
    algorithm: type[BaseAlgorithm],
    path: Path,
    venv: VecEnv,
    settings: Mapping[str, Any],
    new_signal: bool,
    earned: Earned | None = None,
) -> Any:
    """Makes a new model of a snapshot.

    Args:
        algorithm: Its class.
        path: The snapshot.
        venv: Its environments.
        settings: Attributes of the model that are not in the snapshot.
        new_signal: Whether the environments pay another signal than those of the
            snapshot, so that statistics of rewards must begin anew.
        earned: Gets what the training earned, where that is counted.

    Raises:
        ConfigurationError: One of them is normalised and the other is not.
    """
    parts = _read(path)
    archive = io.BytesIO(parts["model"].tobytes())
    model = algorithm.load(archive, env=venv, device="cpu", **settings)
    _restore_parts(model, parts, earned)
    normalize = model.get_vec_normalize_env()
    if new_signal and normalize is not None:
        # Starting the variance at zero would divide the first rewards that are not
        # zero by almost zero. Keep the old statistics, but weigh them as one step so
        # that new ones replace them fast.
        normalize.ret_rms.count = float(venv.num_envs)
    return model


def share_statistics(model: BaseAlgorithm, venv: VecEnv) -> VecEnv:
    """Makes environments for evaluation: observations normalised as the model's are,
    without learning from them, and rewards as they come."""
    own, other = model.get_vec_normalize_env(), normalize_of(venv)
    if own is not None and other is not None:
        if own.norm_obs:
            other.obs_rms = own.obs_rms
        other.training = False
        other.norm_reward = False
    return venv


def normalize_of(venv: VecEnv) -> VecNormalize | None:
    """Returns the ``VecNormalize`` among the wrappers of environments, if any."""
    inner: Any = venv
    while inner is not None and not isinstance(inner, VecNormalize):
        inner = getattr(inner, "venv", None)
    return inner


def _buffer(model: BaseAlgorithm) -> Relabelling | None:
    found = getattr(model, "replay_buffer", None)
    return found if isinstance(found, Relabelling) else None


def _restore_parts(model: BaseAlgorithm, parts: Arrays, earned: Earned | None) -> None:
    if earned is not None:
        mean, episodes = parts.get("earned", np.zeros(2)).tolist()
        earned.move(Earned(mean, int(episodes)))
    buffer = _buffer(model)
    if buffer is not None:
        buffer.load(_part("replay_buffer/", parts))
        buffer.cut()
    normalize, statistics = model.get_vec_normalize_env(), _part("statistics/", parts)
    if (normalize is not None) != bool(statistics):
        raise ConfigurationError(
            "VecNormalize is around the environments of the training and not around "
            "those of the factory, or the other way round: put it into make_venv, and "
            "make the model's environments with make_venv(run.shape)"
        )
    if normalize is not None:
        for name, running in _running(normalize).items():
            running.mean = statistics[f"{name}.mean"]
            running.var = statistics[f"{name}.var"]
            running.count = float(statistics[f"{name}.count"])


def _statistics(normalize: VecNormalize) -> Arrays:
    return {
        f"{name}.{part}": np.array(getattr(running, part))
        for name, running in _running(normalize).items()
        for part in ("mean", "var", "count")
    }


def _running(normalize: VecNormalize) -> dict[str, RunningMeanStd]:
    """The statistics that are kept, by name."""
    found: dict[str, RunningMeanStd] = {"rewards": normalize.ret_rms}
    seen = getattr(normalize, "obs_rms", None)  # not there without norm_obs
    if isinstance(seen, dict):
        found |= {f"observations.{key}": running for key, running in seen.items()}
    elif seen is not None:
        found["observations"] = seen
    return found


def _prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def _part(prefix: str, arrays: Arrays) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
