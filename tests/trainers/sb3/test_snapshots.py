"""Snapshots of SB3 models: what is no snapshot is refused, and runs no code."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.testing import Corridor
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

Arrays = dict[str, Any]


class Opens:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor()), 2)


def make_trainer(width: int = 8, **settings: Any) -> SB3Trainer:
    settings = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, **settings}
    model = PPO(
        "MlpPolicy",
        make_venv(lambda env: env),
        policy_kwargs={"net_arch": [width]},
        seed=1,
        device="cpu",
        **settings,
    )
    return SB3Trainer(model, make_venv, 512)


def goes_on(trainer: SB3Trainer, path: Path) -> list[Callable[[], object]]:
    """The two ways to go on from a snapshot: in the mainline, and in a branch."""
    return [
        lambda: trainer.adopt(path),
        lambda: trainer.fork()(path, lambda env: env, 3, 64),
    ]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    make_trainer().snapshot(tmp_path / "snapshot")
    return tmp_path / "snapshot"


def rewrite(path: Path, **parts: Any) -> None:
    """Writes a snapshot with other parts."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {**file, **parts}
    with path.open("wb") as out:
        np.savez(out, **arrays)


def archive(path: Path, **entries: bytes) -> Any:
    """SB3's archive of a snapshot, with other entries."""
    with np.load(path) as file:
        whole = zipfile.ZipFile(io.BytesIO(file["model"].tobytes()))
    kept = {name: whole.read(name) for name in whole.namelist()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        for name, content in {**kept, **entries}.items():
            out.writestr(name, content)
    return np.frombuffer(data.getvalue(), np.uint8)


def pickled(thing: Any) -> dict[str, str]:
    """An attribute as SB3 writes those that are not plain."""
    text = base64.b64encode(cloudpickle.dumps(thing)).decode()
    return {":type:": "builtins.object", ":serialized:": text}


def as_bytes(thing: Any) -> Any:
    return np.frombuffer(json.dumps(thing).encode(), np.uint8)


def test_a_snapshot_holds_no_pickled_attribute(snapshot: Path) -> None:
    with np.load(snapshot, allow_pickle=False) as file:
        numbers = json.loads(file["numbers"].tobytes())
        names = zipfile.ZipFile(io.BytesIO(file["model"].tobytes())).namelist()
    assert numbers["num_timesteps"] == 0
    assert all(type(v) in (int, float, bool, str, type(None)) for v in numbers.values())
    assert "data" not in names


@pytest.mark.parametrize("way", [0, 1], ids=["mainline", "branch"])
@pytest.mark.parametrize("place", ["data", "numbers", "policy.pth", "object", "bare"])
def test_no_code_of_a_snapshot_is_run(
    tmp_path: Path, snapshot: Path, place: str, way: int
) -> None:
    opened = tmp_path / "opened"
    evil = Opens(opened)
    if place == "data":
        data = json.dumps({"policy_class": pickled(evil), "num_timesteps": 5})
        rewrite(snapshot, model=archive(snapshot, data=data.encode()))
    elif place == "numbers":
        rewrite(snapshot, numbers=as_bytes({"num_timesteps": pickled(evil)}))
    elif place == "policy.pth":
        weights = io.BytesIO()
        torch.save({"weight": evil}, weights)
        entries = {"policy.pth": weights.getvalue()}
        rewrite(snapshot, model=archive(snapshot, **entries))
    elif place == "object":
        rewrite(snapshot, numbers=np.array([evil], dtype=object))
    else:
        snapshot.write_bytes(cloudpickle.dumps(evil))
    trainer = make_trainer()
    if (place, way) == ("data", 0):
        goes_on(trainer, snapshot)[way]()  # the mainline has its own attributes
    else:
        with pytest.raises(ConfigurationError) as caught:
            goes_on(trainer, snapshot)[way]()
        assert str(caught.value).startswith(str(snapshot))
        assert "\n" not in str(caught.value)
    assert not opened.exists()
    cloudpickle.loads(cloudpickle.dumps(evil))
    assert opened.exists(), "the code would have run nowhere"


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def garbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200:4000] = bytes(3800)
    path.write_bytes(data)


def missing(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def older(path: Path) -> None:
    rewrite(path, format=np.array("form 1"))


def without_a_form(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, model=np.zeros(3, np.uint8))


def without_weights(path: Path) -> None:
    rewrite(path, model=np.zeros(10, np.uint8))


def no_numbers(path: Path) -> None:
    rewrite(path, numbers=np.zeros(3, np.uint8))


def a_list_of_numbers(path: Path) -> None:
    rewrite(path, numbers=as_bytes([1, 2]))


def words(path: Path) -> None:
    rewrite(path, earned=np.array(["much", "more"]))


@pytest.mark.parametrize("way", [0, 1], ids=["mainline", "branch"])
@pytest.mark.parametrize(
    "damage",
    [
        empty,
        cut,
        garbled,
        missing,
        folder,
        one_array,
        older,
        without_a_form,
        without_weights,
        no_numbers,
        a_list_of_numbers,
        words,
    ],
)
def test_what_is_no_snapshot_is_refused_in_one_sentence(
    snapshot: Path, damage: Callable[[Path], None], way: int
) -> None:
    damage(snapshot)
    with pytest.raises(ConfigurationError) as caught:
        goes_on(make_trainer(), snapshot)[way]()
    assert str(caught.value).startswith(str(snapshot))
    assert "begin a new run" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", [0, 1], ids=["mainline", "branch"])
def test_a_snapshot_of_another_model_is_refused(snapshot: Path, way: int) -> None:
    with pytest.raises(ConfigurationError, match="does not fit the model"):
        goes_on(make_trainer(width=16), snapshot)[way]()


def test_a_branch_has_the_numbers_of_its_snapshot_and_the_rest_of_the_model(
    tmp_path: Path,
) -> None:
    """A branch of an early snapshot is trained as the training was then."""
    trainer = make_trainer(learning_rate=lambda _: 1e-3)
    trainer.model.learn(64)
    trainer.snapshot(tmp_path / "early")
    trainer.model.learn(64, reset_num_timesteps=False)
    fork = trainer.fork()
    ends = []
    for number in range(2):
        end = tmp_path / f"end {number}"
        fork(tmp_path / "early", lambda env: env, 3, 64, end=end)
        ends.append(make_trainer(learning_rate=lambda _: 1e-3))
        ends[-1].adopt(end)
    assert {end.steps for end in ends} == {128}
    one, other = (end.model.policy.state_dict() for end in ends)
    assert all(torch.equal(one[name], other[name]) for name in one)
