"""All that the training of an SB3 model depends on but its environments, as bytes.

A snapshot is an archive of: SB3's own archive (parameters, optimizers, target nets,
entropy coefficient, counters, exploration rate), the replay buffer, and the statistics
of ``VecNormalize``. The global generators of random numbers are the run's, whose
checkpoints keep them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.sb3.replay_buffer import Relabelling

__all__ = ["load", "restore", "save", "share_statistics"]

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


def save(model: BaseAlgorithm) -> bytes:
    """Takes a snapshot."""
    archive = io.BytesIO()
    # The buffer's settings hold the run's board, which a branch must not have.
    model.save(archive, exclude=["replay_buffer_kwargs"])
    parts = {"model": archive.getvalue()}
    buffer = _buffer(model)
    if buffer is not None:
        parts["replay_buffer"] = _pack(buffer.state())
    normalize = model.get_vec_normalize_env()
    if normalize is not None:
        parts["statistics"] = _pack(_statistics(normalize))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return whole.getvalue()


def restore(model: BaseAlgorithm, snapshot: bytes) -> None:
    """Loads a snapshot into living objects; environments stay.

    Nothing that SB3 may hold a reference to is replaced.
    """
    parts = _parts(snapshot)
    archive = io.BytesIO(parts["model"])
    data, parameters, variables = load_from_zip_file(archive, device=model.device)
    assert data is not None
    model.set_parameters(parameters, device=model.device)
    for name, value in (variables or {}).items():
        getattr(model, name).data = value.data
    for name in _COUNTERS:
        if name in data:
            setattr(model, name, data[name])
    noise, found = getattr(model, "action_noise", None), data.get("action_noise")
    if noise is not None and type(noise) is type(found):
        vars(noise).update(vars(found))  # a rollout that has begun holds on to it
    elif noise is not None:  # learn has not been called yet, which makes one per copy
        vars(model)["action_noise"] = found
    _restore_parts(model, parts)


def load(
    algorithm: type[BaseAlgorithm],
    snapshot: bytes,
    venv: VecEnv,
    settings: Mapping[str, Any],
    new_signal: bool,
) -> Any:
    """Makes a new model of a snapshot.

    Args:
        algorithm: Its class.
        snapshot: The snapshot.
        venv: Its environments.
        settings: Attributes of the model that are not in the snapshot.
        new_signal: Whether the environments pay another signal than those of the
            snapshot, so that statistics of rewards must begin anew.

    Raises:
        ConfigurationError: One of them is normalised and the other is not.
    """
    parts = _parts(snapshot)
    archive = io.BytesIO(parts["model"])
    model = algorithm.load(archive, env=venv, device="cpu", **settings)
    _restore_parts(model, parts)
    normalize = model.get_vec_normalize_env()
    if new_signal and normalize is not None:
        # From nothing, the first rewards after many zeros would be divided by almost
        # nothing; so what was is kept, with the weight of a single step.
        normalize.ret_rms.count = float(venv.num_envs)
    return model


def share_statistics(model: BaseAlgorithm, venv: VecEnv) -> VecEnv:
    """Makes environments for evaluation: observations normalised as the model's are,
    without learning from them, and rewards as they come."""
    own, other = model.get_vec_normalize_env(), _normalize_of(venv)
    if own is not None and other is not None:
        other.obs_rms = own.obs_rms
        other.training = False
        other.norm_reward = False
    return venv


def _buffer(model: BaseAlgorithm) -> Relabelling | None:
    found = getattr(model, "replay_buffer", None)
    return found if isinstance(found, Relabelling) else None


def _normalize_of(venv: VecEnv) -> VecNormalize | None:
    inner: Any = venv
    while inner is not None and not isinstance(inner, VecNormalize):
        inner = getattr(inner, "venv", None)
    return inner


def _restore_parts(model: BaseAlgorithm, parts: Mapping[str, bytes]) -> None:
    buffer = _buffer(model)
    if buffer is not None:
        buffer.load(_unpack(parts["replay_buffer"]))
        buffer.cut()
    normalize = model.get_vec_normalize_env()
    if (normalize is not None) != ("statistics" in parts):
        raise ConfigurationError(
            "VecNormalize is around the environments of the training and not around "
            "those of the factory, or the other way round: put it into make_venv, and "
            "make the model's environments with make_venv(run.shape)"
        )
    if normalize is not None:
        found = _unpack(parts["statistics"])
        for name, running in _running(normalize).items():
            running.mean = found[f"{name}.mean"]
            running.var = found[f"{name}.var"]
            running.count = float(found[f"{name}.count"])


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


def _pack(arrays: Arrays) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def _unpack(packed: bytes) -> Arrays:
    with np.load(io.BytesIO(packed), allow_pickle=False) as found:
        return dict(found)


def _parts(snapshot: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(snapshot)) as file:
        return {name: file.read(name) for name in file.namelist()}
