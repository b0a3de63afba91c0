"""The loop of the example imitates an expert with five lines of its own."""

from __future__ import annotations

from pathlib import Path

import torch

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Signal
from also_wrappers.wrappers.shape import Shape
from examples.cleanrl_style import Settings, Training
from tests.support.trainers import WITH_ACTIONS, WITH_EXPERT, make_env

ON = Signal(expert=WITH_EXPERT.expert)


def trained(folder: Path, posting: Posting) -> Training:
    board = Board.create(folder, posting.model_copy(update={"gamma": 0.99}))
    settings = Settings(copies=8, n_steps=16, epochs=4, batch=64, width=16)
    shape = Shape(WITH_ACTIONS, board)
    training = Training(make_env, shape, 10**6, seed=1, settings=settings)
    training.train(8 * training.rollout)
    return training


def goes_on(training: Training) -> float:
    """Probability of the action that the expert finds good, at the first cell."""
    with torch.no_grad():
        logits = training.policy(torch.tensor([[0.0, 0.3, 1.0, 0.0]]))
    return float(logits.softmax(dim=1)[0, 2])


def test_the_policy_does_as_advised_until_it_earns_as_much(tmp_path: Path) -> None:
    pulled = trained(tmp_path / "pulled", Posting(version=1, signal=ON))
    assert goes_on(pulled) > 0.9
    assert pulled.earned > 0.5
    worthless = Posting(version=1, signal=ON, promised=0.0)
    alone = trained(tmp_path / "alone", Posting(version=1))
    free = trained(tmp_path / "free", worthless)
    assert goes_on(alone) == goes_on(free) < 0.9
