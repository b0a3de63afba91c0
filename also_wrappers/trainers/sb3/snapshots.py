"""Saves and restores all that the training of an SB3 model depends on.

A snapshot is a zip file of arrays, as ``numpy.savez`` writes it: parameters,
optimizers, target nets and the entropy coefficient as ``model``, in the form of SB3's
own archive; counters, the exploration rate and other plain attributes as ``numbers``,
in JSON; where correlated action noise stands as ``noise/...``, the arrays of the replay
buffer as ``replay_buffer/...``, the statistics of ``VecNormalize`` as
``statistics/...``, and what the training earns as ``earned``. Nothing is compressed,
and arrays go straight to the disk. The global randomness is the run's, whose
checkpoints keep it.

Nothing of a snapshot is unpickled but tensors, by torch's reader for weights: what a
model consists of, such as the classes of its policy and its schedules, comes from the
living model, which hands it to its branches.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import ActionNoise, VectorizedActionNoise
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.save_util import (
    data_to_json,
    load_from_zip_file,
    recursive_getattr,
    recursive_setattr,
    save_to_zip_file,
)
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.sb3.replay_buffer import Relabelling

__all__ = [
    "describe_model",
    "load",
    "normalize_of",
    "restore",
    "save",
    "share_statistics",
]

Arrays = dict[str, npt.NDArray[Any]]

#: Plain attributes of a model that training changes.
_COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "_current_progress_remaining",
    "exploration_rate",
)

#: Attributes that no snapshot holds: the environments' last observations, and the
#: settings of the buffer, which refer to the run's board.
_ELSEWHERE = {
    "_last_obs",
    "_last_original_obs",
    "_last_episode_starts",
    "replay_buffer_kwargs",
}

_FORMAT = "also_wrappers.trainers.sb3 2"


def save(model: BaseAlgorithm, path: Path, earned: Earned | None = None) -> None:
    """Writes a snapshot to a file, whole or not at all.

    Args:
        model: The model.
        path: The file.
        earned: What the training earns, where that is counted.
    """
    archive = io.BytesIO()
    _, names = model._get_torch_save_params()
    variables = {name: recursive_getattr(model, name) for name in names}
    save_to_zip_file(
        archive, params=model.get_parameters(), pytorch_variables=variables
    )
    numbers = {k: v for k, v in _attributes(model).items() if _is_plain(v)}
    parts: Arrays = {
        "format": np.array(_FORMAT),
        "model": np.frombuffer(archive.getbuffer(), np.uint8),
        "numbers": np.frombuffer(json.dumps(numbers).encode(), np.uint8),
    }
    for index, noise in enumerate(_noises(model)):
        parts |= _prefixed(f"noise/{index}/", _noise_state(noise))
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

    Objects that SB3 may refer to are changed in place, and never replaced.

    Args:
        model: The model.
        path: The snapshot.
        earned: Gets the mean base return that the training had earned, if counted.

    Raises:
        ConfigurationError: The file is no snapshot, or one of another model.
    """
    parts = _read(path)
    with _fitting(path):
        archive = io.BytesIO(parts["model"].tobytes())
        _, parameters, variables = load_from_zip_file(
            archive, load_data=False, device=model.device
        )
        model.set_parameters(parameters, device=model.device)
        for name, value in (variables or {}).items():
            recursive_setattr(model, f"{name}.data", value.data)
        numbers = _numbers(parts)
        for name in _COUNTERS:
            if name in numbers:
                setattr(model, name, numbers[name])
        _restore_parts(model, parts, earned)


def describe_model(model: BaseAlgorithm) -> str:
    """Returns, as text, what makes a model besides the contents of snapshots.

    The process of a branch unpickles the text, which this process sends.

    Raises:
        ConfigurationError: An attribute of the model cannot be pickled.
    """
    try:
        return data_to_json(_attributes(model))
    except Exception as error:  # the user's objects may raise any error
        raise ConfigurationError(
            f"the model cannot be sent to a branch ({type(error).__name__}: {error}), "
            "so it cannot be forked; keep what cannot be pickled, such as locks, open "
            "files and connections, out of the model and its schedules"
        ) from error


def load(
    algorithm: type[BaseAlgorithm],
    description: str,
    path: Path,
    venv: VecEnv,
    settings: Mapping[str, Any],
    new_signal: bool,
    earned: Earned | None = None,
) -> Any:
    """Makes a new model from a description and a snapshot.

    Args:
        algorithm: Class of the model.
        description: The text that ``describe_model`` returned.
        path: The snapshot, whose numbers replace those of the description.
        venv: Environments of the new model.
        settings: Attributes of the model that are neither in the description nor in the
            snapshot.
        new_signal: Whether the environments pay another signal than those of the
            snapshot, so that statistics of rewards must begin anew.
        earned: Gets what the training earned, where that is counted.

    Raises:
        ConfigurationError: The file is no snapshot, or one of another model; or one of
            the environments is normalised and the other is not.
    """
    parts = _read(path)
    with _fitting(path):
        described = json.loads(description)
        numbers = _numbers(parts).items()
        described |= {k: v for k, v in numbers if _is_plain(described.get(k, {}))}
        archive = io.BytesIO(parts["model"].tobytes())
        with zipfile.ZipFile(archive, "a") as file:
            if "data" in file.namelist():  # SB3 would unpickle this entry
                raise ValueError("it holds more than weights")
            file.writestr("data", json.dumps(described))
        archive.seek(0)
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
    """Prepares environments for an evaluation of a model.

    Observations are normalised as the model's are, without learning from them; rewards
    stay as they come.
    """
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
    buffer = getattr(model, "replay_buffer", None)
    return buffer if isinstance(buffer, Relabelling) else None


def _restore_parts(model: BaseAlgorithm, parts: Arrays, earned: Earned | None) -> None:
    _restore_noise(model, parts)
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


def _attributes(model: BaseAlgorithm) -> dict[str, Any]:
    """Returns the attributes in SB3's own archive of a model, without weights."""
    states, variables = model._get_torch_save_params()
    weights = {name.partition(".")[0] for name in (*states, *variables)}
    left_out = {*model._excluded_save_params(), *weights, *_ELSEWHERE}
    return {k: v for k, v in vars(model).items() if k not in left_out}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _numbers(parts: Arrays) -> dict[str, Any]:
    """Returns the plain attributes of a snapshot, and refuses others."""
    numbers = json.loads(parts["numbers"].tobytes())
    if not all(map(_is_plain, numbers.values())):
        raise ValueError("it holds attributes that are not plain")
    return dict(numbers)


def _noises(model: BaseAlgorithm) -> list[ActionNoise]:
    """Returns a model's action noises, one for every environment copy."""
    noise = getattr(model, "action_noise", None)
    if isinstance(noise, VectorizedActionNoise):
        return list(noise.noises)
    return [] if noise is None else [noise]


def _noise_state(noise: ActionNoise) -> Arrays:
    """Returns the arrays and numbers of which a noise consists."""
    kinds = (np.ndarray, int, float)
    return {k: np.array(v) for k, v in vars(noise).items() if isinstance(v, kinds)}


def _restore_noise(model: BaseAlgorithm, parts: Arrays) -> None:
    """Restores the state of the noises in place, as SB3 refers to them."""
    saved = _part("noise/", parts)
    copies = len({name.partition("/")[0] for name in saved})
    if copies > 1 and len(_noises(model)) == 1:
        # ``learn`` makes a noise for every copy, and has not been called yet.
        vars(model)["action_noise"] = VectorizedActionNoise(_noises(model)[0], copies)
    for index, noise in enumerate(_noises(model)):
        state = _part(f"{index if copies > 1 else 0}/", saved)
        for name, value in state.items():
            plain = _is_plain(vars(noise).get(name))
            vars(noise)[name] = value.item() if plain else value.copy()


def _statistics(normalize: VecNormalize) -> Arrays:
    return {
        f"{name}.{part}": np.array(getattr(running, part))
        for name, running in _running(normalize).items()
        for part in ("mean", "var", "count")
    }


def _running(normalize: VecNormalize) -> dict[str, RunningMeanStd]:
    """Returns the running statistics of a ``VecNormalize``, by name."""
    statistics: dict[str, RunningMeanStd] = {"rewards": normalize.ret_rms}
    observed = getattr(normalize, "obs_rms", None)  # missing without norm_obs
    if isinstance(observed, dict):
        statistics |= {
            f"observations.{key}": running for key, running in observed.items()
        }
    elif observed is not None:
        statistics["observations"] = observed
    return statistics


def _prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def _part(prefix: str, arrays: Arrays) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _read(path: Path) -> Arrays:
    """Reads the arrays of a snapshot.

    Raises:
        ConfigurationError: The file is no snapshot of an SB3 model.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = dict(file)
        if parts["format"].item() == _FORMAT:
            return parts
        reason = "it is of another version of this package"
    except Exception as error:  # a damaged file may make numpy raise any error
        reason = str(error).partition("\n")[0] or type(error).__name__
    raise ConfigurationError(
        f"{path} is no snapshot of an SB3 model that can be read: {reason}; bring back "
        "the file that the run wrote, or begin a new run"
    )


@contextlib.contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Turns an error of loading into a sentence that a snapshot does not fit."""
    try:
        yield
    except AlsoError:
        raise
    except Exception as error:  # torch, SB3 and numpy may raise any error
        reason = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"{path} does not fit the model ({type(error).__name__}: {reason}); go on "
            "with the model that the run was begun with, or begin a new run"
        ) from error
