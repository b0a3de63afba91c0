"""Agreement: how far each agent's policy is from what its expert advises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO

from also_wrappers.board.posting import Posting
from also_wrappers.evidence.numbers.stationarity import expert_figures
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.testing import Corridor
from also_wrappers.trainer import Imitated
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.likelihood import LikelihoodImitation
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.support.trainers import WITH_ACTIONS

#: Two actions are good for one agent, and nothing is said to the other.
RULES = (
    Rule(when="place < 0.4", do="on", agents=("agent_1",)),
    Rule(when="place > 0.6", do="stay", agents=("agent_1",)),
)
ONE = Signal(expert=Expert(rules=RULES))


def make_venv(shape: Any) -> PettingZooVecEnv:
    return PettingZooVecEnv(lambda: shape(Corridor(length=4, limit=8)), 4)


class Watched(AdaptationCallback):
    """Keeps what was imitated, beside the policy's own probabilities before."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, make_venv, budget=0.0, first=10**6, verbose=0)
        self.imitated: list[Imitated | None] = []
        self.likely: list[Any] = []

    def _on_rollout_start(self) -> None:
        assert isinstance(self._imitation, LikelihoodImitation)
        rollout = self._imitation._rollout
        if rollout is not None and rollout.advice.any():
            policy: Any = self.model.policy
            spoken = rollout.advice.reshape(-1) > 0
            seen = rollout.observations.reshape(len(spoken), -1)[spoken]
            with th.no_grad():
                every = policy.get_distribution(th.as_tensor(seen)).distribution.probs
            good = rollout.advice.reshape(-1)[spoken, None] >> np.arange(3) & 1
            self.likely.append((every.numpy(), good))
        super()._on_rollout_start()
        if rollout is not None:
            assert self._trainer is not None
            self.imitated.append(self._trainer.imitated())


def watched(folder: Path, posting: Posting) -> Watched:
    run = Run(WITH_ACTIONS, folder)
    run.board.post(posting.model_copy(update={"version": 1, "gamma": 0.99}))
    model = PPO(
        "MlpPolicy",
        make_venv(run.shape),
        n_steps=16,
        batch_size=64,
        policy_kwargs={"net_arch": [8]},
        seed=3,
        device="cpu",
    )
    callback = Watched(run)
    model.learn(128 * 4, callback)
    run.close()
    return callback


def test_agreement_is_told_per_agent_and_begins_anew(tmp_path: Path) -> None:
    callback = watched(tmp_path / "run", Posting(signal=ONE))
    assert len(callback.imitated) == 3
    for imitated, (likely, good) in zip(
        callback.imitated, callback.likely, strict=True
    ):
        assert imitated is not None
        assert imitated.pull == 1.0
        assert imitated.states == (0, len(good))
        agreed = float((likely * good).sum())
        assert imitated.agreed == pytest.approx((0.0, agreed), rel=1e-4)
        assert imitated.agreement == pytest.approx(agreed / len(good), rel=1e-4)


def test_the_distance_is_that_to_the_nearest_policy_that_obeys(tmp_path: Path) -> None:
    callback = watched(tmp_path / "run", Posting(signal=ONE))
    imitated, (likely, good) = callback.imitated[0], callback.likely[0]
    assert imitated is not None
    figures = expert_figures(["agent_0", "agent_1"], {}, [imitated])
    chance = np.random.default_rng(0)
    # Of policies that take good actions only: one that keeps what the policy gives to
    # them, and others at random.
    kept = likely * good
    rest = (1.0 - kept.sum(axis=1, keepdims=True)) / good.sum(axis=1, keepdims=True)
    nearest = kept + rest * good
    distances = [
        0.5 * np.abs(likely - obeying).sum(axis=1).mean()
        for obeying in (
            nearest,
            *(
                other / other.sum(axis=1, keepdims=True)
                for other in (chance.random(good.shape) * good for _ in range(50))
            ),
        )
    ]
    assert figures["agent_1.expert.distance"] == pytest.approx(distances[0], rel=1e-4)
    assert min(distances) >= distances[0] - 1e-9


def test_without_a_pull_nothing_is_said_of_the_agreement(tmp_path: Path) -> None:
    outgrown = watched(tmp_path / "outgrown", Posting(signal=ONE, promised=0.0))
    assert outgrown.imitated == [Imitated(0.0, (0, 0), (0.0, 0.0))] * 3
    assert Imitated(0.0, (0, 0), (0.0, 0.0)).agreement is None
    without = watched(tmp_path / "without", Posting())
    assert without.imitated == [None] * 3
