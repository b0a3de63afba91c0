"""Saves and restores all that an RLlib algorithm depends on but environments.

A snapshot is what ``torch.save`` writes of modules, optimizers, coefficients of the KL
penalty, which RLlib's own checkpoints leave out, connectors between environments and
modules, and the steps. A snapshot is read by torch's reader for weights, which
unpickles nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainers.torch_files import read_snapshot

__all__ = ["learner_state", "read", "restore", "sampled", "save"]

_FORMAT = "also_wrappers.trainers.rllib 1"
_STEPS = ("env_runners", "num_env_steps_sampled_lifetime")
_CONNECTORS = ("env_to_module_connector", "module_to_env_connector")


def save(algorithm: Algorithm, path: Path) -> None:
    """Writes a snapshot to a file, whole or not at all."""
    snapshot = {
        "format": _FORMAT,
        "steps": sampled(algorithm),
        "learner": learner_state(algorithm),
        "connectors": _connectors(algorithm),
    }
    with replacing(path) as beside:
        torch.save(_to_tensors(snapshot), beside)


def read(path: Path) -> dict[str, Any]:
    """Reads the snapshot of an algorithm.

    Raises:
        ConfigurationError: The file is no snapshot of an algorithm.
    """
    return read_snapshot(path, _FORMAT, "an RLlib algorithm")


def restore(algorithm: Algorithm, path: Path) -> None:
    """Loads a snapshot into a living algorithm; environments stay.

    Args:
        algorithm: The algorithm.
        path: The snapshot, older or newer than the present state.

    Raises:
        ConfigurationError: The file is no snapshot, or one of another algorithm.
    """
    snapshot = read(path)
    steps = int(snapshot["steps"])
    load = functools.partial(_load, snapshot["learner"], steps)
    _on_learners(algorithm, functools.partial(_check, snapshot["learner"], str(path)))
    _on_learners(algorithm, load)
    connectors = _to_arrays(snapshot["connectors"])
    group = algorithm.env_runner_group
    group.foreach_env_runner(functools.partial(_connect, connectors))
    for name in _CONNECTORS:
        pipeline = getattr(algorithm, name)
        if pipeline is not None:  # where no runner is in this process
            pipeline.set_state(connectors[name])
    group.sync_weights(
        from_worker_or_learner_group=algorithm.learner_group, inference_only=True
    )
    _count(algorithm, steps - sampled(algorithm))


def sampled(algorithm: Algorithm) -> int:
    """Returns the number of environment steps that RLlib has counted."""
    return int(algorithm.metrics.peek(_STEPS, default=0))


def _count(algorithm: Algorithm, more: int) -> None:
    """Adds steps to RLlib's own count of steps, as RLlib's runners do.

    RLlib's schedules go by the same number.
    """
    group, name = _STEPS
    runner = MetricsLogger(root=False)
    runner.log_value(name, more, reduce="lifetime_sum", with_throughput=True)
    algorithm.metrics.aggregate([runner.reduce()], key=group)


def learner_state(algorithm: Algorithm) -> dict[str, Any]:
    """Returns modules, optimizers and coefficients as arrays."""
    state: dict[str, Any] = _on_learners(algorithm, _state)[0]
    return state


def _on_learners(algorithm: Algorithm, function: Callable[[Any], Any]) -> list[Any]:
    """Calls a function on each learner, in any process; returns the results."""
    answers = list(algorithm.learner_group.foreach_learner(function))
    for answer in answers:
        if not answer.ok:
            error = answer.get()
            raise getattr(error, "cause", None) or error
    return [answer.get() for answer in answers]


def _state(learner: Any) -> dict[str, Any]:
    state = learner.get_state(components=["rl_module", "optimizer"])
    coefficients = {
        name: float(learner.curr_kl_coeffs_per_module[name])
        for name in learner.module.keys()  # noqa: SIM118, it is no mapping
    }
    return {
        "rl_module": state["rl_module"],
        "optimizer": state["optimizer"],
        "kl": coefficients,
    }


def _check(state: Mapping[str, Any], path: str, learner: Any) -> None:
    """Refuses a state whose shapes are not those of the learner's modules."""
    differences = set(_shapes("", state["rl_module"])) ^ set(
        _shapes("", learner.module.get_state())
    )
    if differences:
        name, shape = min(differences)
        raise ConfigurationError(
            f"{path} does not fit the algorithm ({name} has the shape {shape} in one "
            "of them alone); go on with the configuration that the run was begun with, "
            "or begin a new run"
        )


def _shapes(prefix: str, state: Any) -> list[tuple[str, tuple[int, ...]]]:
    if isinstance(state, Mapping):
        parts = [_shapes(f"{prefix}/{name}", part) for name, part in state.items()]
        return [shape for part in parts for shape in part]
    return [(prefix, tuple(np.shape(state)))]


def _load(state: Mapping[str, Any], steps: int, learner: Any) -> None:
    # RLlib silently leaves out modules with a lower sequence number than its own, while
    # it loads their optimizer. Modules without a number are always loaded.
    parts = {name: state[name] for name in ("rl_module", "optimizer")}
    learner.set_state({**parts, "weights_seq_no": 0})
    learner._weights_seq_no += 1  # so that runners take them
    for name, coefficient in state["kl"].items():
        learner.curr_kl_coeffs_per_module[name].data.fill_(coefficient)
        learner.entropy_coeff_schedulers_per_module[name].update(timestep=steps)


def _connectors(algorithm: Algorithm) -> dict[str, Any]:
    runner = algorithm.env_runner
    if runner is not None:
        state: dict[str, Any] = runner.get_state(components=list(_CONNECTORS))
        return {name: state[name] for name in _CONNECTORS}
    return {name: getattr(algorithm, name).get_state() for name in _CONNECTORS}


def _connect(state: Mapping[str, Any], runner: Any) -> None:
    runner.set_state(state)


def _to_tensors(state: Any) -> Any:
    """Returns a state with tensors in place of arrays, which torch reads safely."""
    if isinstance(state, Mapping):
        return {name: _to_tensors(part) for name, part in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_to_tensors(part) for part in state)
    if isinstance(state, np.generic):
        return state.item()
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, torch.Tensor):
        return state.detach().cpu()
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise ConfigurationError(
        f"a part of the algorithm's state is a {type(state).__name__}, which a "
        "snapshot cannot hold; let connectors keep numbers, texts and arrays"
    )


def _to_arrays(state: Any) -> Any:
    """Returns a state with arrays in place of tensors."""
    if isinstance(state, Mapping):
        return {name: _to_arrays(part) for name, part in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_to_arrays(part) for part in state)
    return state.numpy() if isinstance(state, torch.Tensor) else state
