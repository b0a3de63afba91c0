"""What a batch of a shaped replay buffer costs, against one of Stable-Baselines3's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.buffers import ReplayBuffer

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.replay_buffer import ShapedReplayBuffer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from also_wrappers.wrappers.shape import Shape
from tests.benchmarks.measure import Row, row
from tests.benchmarks.stub import FEATURES, GAMMA, SIGNAL, TERMS, Stub

_BATCH, _STEPS = 256, 12_500


def sampling(scale: int, folder: Path) -> list[Row]:
    """Batches of 256 under signals of one and of three terms, each after a step was
    stored, as in training; and storing a step."""
    rows = []
    for terms, bar in ((TERMS[:1], 1.3), (SIGNAL.terms, 1.5)):
        posting = Posting(
            version=1, signal=SIGNAL.model_copy(update={"terms": terms}), gamma=GAMMA
        )
        board = Board.create(folder / f"buffer-{len(terms)}", posting)
        shape = Shape(Task("benchmark", FEATURES), board)
        ours, peer, step = _filled(shape)
        rows.append(
            row(
                "f: replay buffer",
                f"a step and a batch of {_BATCH}, {len(terms)} term(s)",
                partial(_learn, ours, step),
                partial(_learn, peer, step),
                20 * scale,
                20,
                bar,
            )
        )
    rows.append(
        row(
            "f: replay buffer",
            f"storing a step of {ours.n_envs}",
            lambda: ours.add(*step),
            lambda: peer.add(*step),
            20 * scale,
            50,
            1.5,
        )
    )
    return rows


def _learn(buffer: ReplayBuffer, step: Any) -> None:
    buffer.add(*step)
    buffer.sample(_BATCH)


def _filled(shape: Shape) -> tuple[ShapedReplayBuffer, ReplayBuffer, Any]:
    venv = PettingZooVecEnv(lambda: shape(Stub()), 4)
    size = _STEPS * venv.num_envs
    spaces = venv.observation_space, venv.action_space
    ours = ShapedReplayBuffer(size, *spaces, "cpu", venv.num_envs, shape=shape)
    peer = ReplayBuffer(size, *spaces, "cpu", venv.num_envs)
    seen = venv.reset()
    actions = np.zeros(venv.num_envs, dtype=int)
    for _ in range(_STEPS):
        after, rewards, dones, infos = venv.step(actions)
        step: Any = (seen, after, actions, rewards, dones, infos)
        ours.add(*step)
        peer.add(*step)
        seen = after
    return ours, peer, step
