"""The board reaches every copy in every process, and is deterministic."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import supersuit
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.evidence.episodes import EPISODE
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape

ON = Signal(terms=(Term(name="on", kind="progress", expression="place", weight=1.0),))
CART = FeatureMap(Feature("angle", "obs[2]"))
UPRIGHT = Signal(
    terms=(Term(name="upright", kind="bonus", expression="-abs(angle)", weight=1.0),)
)


def posting(signal: Signal, version: int) -> Posting:
    return Posting(version=version, signal=signal, gamma=0.99)


def make_board(tmp_path: Path) -> Board:
    return Board.create(tmp_path / "board", posting(Signal(), 1))


def corridor_task() -> Task:
    return Task("walk to the end", corridor_features(), success="base_return >= 1")


def play(venv: Any, steps: int, actions: Any) -> None:
    venv.seed(0)
    venv.reset()
    for _ in range(steps):
        venv.step(actions)


def test_a_posting_is_in_force_from_the_next_reset(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    env = Shape(corridor_task(), board)(Corridor(limit=5))
    env.reset(seed=0)
    on = dict.fromkeys(env.possible_agents, 2)
    board.post(posting(ON, 2))
    _, rewards, *_ = env.step(on)
    assert set(rewards.values()) == {0.0}
    assert set(board.acknowledged().values()) == {1}
    env.reset()
    _, rewards, _, _, infos = env.step(on)
    assert all(reward == pytest.approx(0.2) for reward in rewards.values())
    assert infos["agent_0"]["shaping"]["signal"] == ON.id
    assert set(board.acknowledged().values()) == {2}


def test_no_signal_is_in_force_before_a_trainer_has_posted_its_gamma(
    tmp_path: Path,
) -> None:
    board = Board.create(tmp_path / "board", Posting(signal=ON))
    env = Shape(corridor_task(), board)(Corridor())
    env.reset(seed=0)
    _, rewards, *_ = env.step(dict.fromkeys(env.possible_agents, 2))
    assert set(rewards.values()) == {0.0}


@pytest.mark.parametrize("vectoriser", [DummyVecEnv, SubprocVecEnv])
def test_it_reaches_the_copies_of_sb3s_vectorisers(
    tmp_path: Path, vectoriser: Any
) -> None:
    board = make_board(tmp_path)
    shape = Shape(Task("balance", CART), board)
    venv = vectoriser([lambda: shape(gym.make("CartPole-v1"))] * 3)
    try:
        play(venv, 40, [0, 0, 0])
        board.post(posting(UPRIGHT, 2))
        for _ in range(40):
            _, _, _, infos = venv.step([0, 0, 0])
        assert [info["shaping"]["signal"] for info in infos] == [UPRIGHT.id] * 3
        assert list(board.acknowledged().values()) == [2] * 3
        collected = board.collect()
        assert collected is not None
        assert collected.copies == 3
        assert collected.layout.scalar(collected.values, "episodes") >= 15
    finally:
        venv.close()


def test_it_reaches_the_copies_behind_supersuit_in_other_processes(
    tmp_path: Path,
) -> None:
    board = make_board(tmp_path)
    env = Shape(corridor_task(), board)(Corridor(limit=10))
    single = supersuit.pettingzoo_env_to_vec_env_v1(env)
    venv = supersuit.concat_vec_envs_v1(
        single, 4, num_cpus=2, base_class="stable_baselines3"
    )
    try:
        venv.reset()
        for _ in range(25):
            venv.step(np.full(8, 2))
        board.post(posting(ON, 2))
        for _ in range(25):
            venv.step(np.full(8, 2))
        versions = board.acknowledged()
        processes = {name.split("-")[0] for name in versions}
        assert len(processes) == 2
        assert list(versions.values()) == [2] * 4
        collected = board.collect()
        assert collected is not None
        assert collected.copies == 4
        assert len(board.new_episodes()) >= 16
        assert len(board.new_episodes()) == 0
    finally:
        venv.close()


def test_the_numbers_of_episodes_have_names(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    board.post(posting(ON, 2))
    env = Shape(corridor_task(), board)(Corridor(length=3, limit=4))
    assert board.new_episodes().dtype == EPISODE
    assert len(board.new_episodes()) == 0
    for action in (2, 0, 2):
        env.reset(seed=0)
        while env.agents:
            env.step(dict.fromkeys(env.agents, action))
    episodes = board.new_episodes()
    assert episodes.dtype == EPISODE
    assert episodes["end"].tolist() == [2, 6, 8]
    assert episodes["length"].tolist() == [2, 4, 2]
    assert episodes["base_return"].tolist() == [1.0, 0.0, 1.0]
    assert episodes["shaped_return"].tolist() == pytest.approx([2.0, 0.0, 2.0])
    for name in ("success", "terminated", "rewarded"):
        assert episodes[name].tolist() == [True, False, True]


def evidence_of(path: Path, vectoriser: Any) -> tuple[Any, Any]:
    board = Board.create(path, posting(Signal(), 1))
    shape = Shape(Task("balance", CART), board)
    venv = vectoriser([lambda: shape(gym.make("CartPole-v1"))] * 3)
    play(venv, 60, [1, 0, 1])
    collected = board.collect()
    assert collected is not None
    episodes = board.new_episodes()
    venv.close()
    return collected.values, episodes


def test_the_same_seed_gives_the_same_evidence_in_any_process(tmp_path: Path) -> None:
    here = evidence_of(tmp_path / "a", DummyVecEnv)
    for name in ("b", "c"):
        there = evidence_of(tmp_path / name, SubprocVecEnv)
        np.testing.assert_array_equal(here[0], there[0])
        np.testing.assert_array_equal(here[1], there[1])


def test_a_window_begins_empty(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    venv = PettingZooVecEnv(lambda: Shape(corridor_task(), board)(Corridor(limit=5)), 2)
    play(venv, 10, np.zeros(4, dtype=int))
    first = board.collect()
    assert first is not None
    assert first.layout.scalar(first.values, "episodes") == 4
    board.begin_window()
    assert board.collect() is None
    for _ in range(5):
        venv.step(np.zeros(4, dtype=int))
    second = board.collect()
    assert second is not None
    assert second.layout.scalar(second.values, "episodes") == 2
    assert len(second.episodes) == 2
    assert all(episode.complete for episode in second.episodes)


def test_a_pickled_copy_claims_a_slot_of_its_own(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    env = Shape(corridor_task(), board)(Corridor(limit=3))
    env.reset(seed=0)
    other = cloudpickle.loads(cloudpickle.dumps(env))
    for copy in (env, other):
        copy.reset(seed=0)
        while copy.agents:
            copy.step(dict.fromkeys(copy.agents, 0))
    assert len(board.acknowledged()) == 2


def _write_for_ever(path: Path, ready: Any) -> None:
    board = Board(path)
    env = Shape(corridor_task(), board)(Corridor(limit=4))
    while True:
        env.reset(seed=1)
        while env.agents:
            env.step(dict.fromkeys(env.agents, 0))
        ready.set()


def test_a_reader_never_sees_half_of_an_episode(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(
        target=_write_for_ever, args=(board.path, ready), daemon=True
    )
    writer.start()
    assert ready.wait(60)
    seen: set[float] = set()
    try:
        deadline = time.monotonic() + 30.0
        while len(seen) < 20 and time.monotonic() < deadline:
            collected = board.collect()
            if collected is None:
                continue
            values, layout = collected.values, collected.layout
            episodes = layout.scalar(values, "episodes")
            assert layout.scalar(values, "steps") == 4 * episodes
            assert layout.view(values, "action_counts").sum() == 8 * episodes
            seen.add(episodes)
    finally:
        writer.kill()
    assert len(seen) == 20
    # What a writer that was killed leaves is whole, or not used.
    for _ in range(3):
        collected = board.collect()
        assert collected is None or collected.layout.scalar(collected.values, "steps")


def test_a_board_that_is_made_anew_has_what_was_posted(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    board.post(posting(ON, 5))
    board.begin_window()
    board.ask_for_rows()
    again = Board.create(tmp_path / "board")
    assert again.read() == posting(ON, 5)
    assert (again.version, again.window, again.rows_wanted) == (5, 0, False)


@pytest.mark.parametrize("name", ["words", "signal.json"])
@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 64, bytes(9999), None])
def test_a_board_that_is_damaged_is_made_anew(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    make_board(tmp_path).post(posting(ON, 5))
    path = tmp_path / "board" / name
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    board = Board.create(tmp_path / "board")
    assert board.read() == (posting(ON, 5) if name == "words" else Posting())
    assert board.version == board.read().version
    board.post(posting(ON, board.version + 1))
    assert board.version == board.read().version
