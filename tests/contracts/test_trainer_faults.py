"""The contract notices adapters with a fault, and says which."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pettingzoo.utils import BaseParallelWrapper
from stable_baselines3 import DQN

from also_wrappers.testing import check_trainer
from also_wrappers.trainer import AuditionOutcome, ForkOutcome
from examples.cleanrl_style import Fork, Training
from tests.support.trainers import (
    SIGNAL,
    TASK,
    WITH_ACTIONS,
    WITH_EXPERT,
    OffPolicyHarness,
    PlainHarness,
    flat,
    make_env,
)


class Wrong(PlainHarness):
    """An adapter with a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def state(self, trainer: Any) -> Mapping[str, Any]:
        return flat("optimizer", trainer.optimizer.state_dict())

    def make(self, shape: Callable[[Any], Any]) -> Training:
        training = super().make(shape)
        fault = self.fault
        if fault == "optimizer":
            parts = {"policy": training.policy, "value": training.value}
            training._parts = lambda: parts  # type: ignore[method-assign]
        elif fault == "litter":
            write = training.snapshot

            def litter(path: Path) -> None:
                write(path)
                path.with_suffix(".json").touch()

            training.snapshot = litter  # type: ignore[method-assign]
        elif fault == "player":
            training._collect = Player(training)  # type: ignore[method-assign]
        elif fault == "longer rollouts":  # than it says: no fault
            training.rollout -= 28
        elif fault == "replays":
            training.replays = True
        elif fault == "audition":
            training.imitates = False
            nobody = AuditionOutcome((), 0)
            training.audition = lambda *_: nobody  # type: ignore[method-assign]
        inner = training.fork()
        training.fork = lambda: WrongFork(  # type: ignore[method-assign]
            inner.make_env, inner.total, inner.settings, fault, training
        )
        return training


class Player:
    """Collects by a copy of the policy that takes newer weights only."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._collect = training._collect
        self._policy = copy.deepcopy(training.policy)
        self._steps = 0
        adopt = training.adopt

        def adopt_and_sync(path: Path) -> None:
            adopt(path)
            self._sync()

        training.adopt = adopt_and_sync  # type: ignore[method-assign]

    def _sync(self) -> None:
        if self._training.steps >= self._steps:
            self._steps = self._training.steps
            self._policy.load_state_dict(self._training.policy.state_dict())

    def __call__(self) -> tuple[torch.Tensor, ...]:
        self._sync()
        learned, self._training.policy = self._training.policy, self._policy
        try:
            return self._collect()
        finally:
            self._training.policy = learned


class WrongFork(Fork):
    """A fork with a fault."""

    def __init__(self, *arguments: Any) -> None:
        *own, fault, training = arguments
        super().__init__(*own)
        object.__setattr__(self, "fault", fault)
        object.__setattr__(self, "training", training)

    def __call__(
        self,
        start: Path,
        shape: Any,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        fault: str = vars(self)["fault"]
        if fault == "shape":
            shape = _no_shape
        if fault == "imitates":  # it says, and reads no advice
            object.__setattr__(self, "make_env", lambda shape: Mute(make_env(shape)))
        if fault == "seed":
            seed = 5
        if fault == "spare environment":  # made to see its spaces: no fault
            self.make_env(shape).reset(seed=seed)
        if fault == "no end":
            end = None
        if fault == "always an end" and end is None:
            end = start.with_suffix(".end")
        outcome = super().__call__(start, shape, seed, steps, end=end)
        if fault == "count":
            return replace(outcome, steps=steps - 1)
        if fault == "copies":
            return replace(outcome, copy_steps=2 * outcome.copy_steps)
        if fault == "evaluated":
            plain: Any = np.zeros((4, 2))
            return replace(outcome, evaluated=plain)
        if fault == "parent":
            with torch.no_grad():
                next(vars(self)["training"].policy.parameters()).add_(1.0)
        if fault == "start":
            vars(self)["training"].snapshot(start)
            start.write_bytes(start.read_bytes() + b"more")
        return outcome


class Mute(BaseParallelWrapper[str, Any, Any]):
    """Tells nothing of what an expert advises."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed, options)
        return observations, _muted(infos)

    def step(self, actions: Any) -> Any:
        *rest, infos = super().step(actions)
        return *rest, _muted(infos)


def _muted(infos: Any) -> Any:
    for info in infos.values():
        info.get("shaping", {}).pop("advice", None)
    return infos


def _no_shape(env: Any) -> Any:
    return env


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("optimizer", "a fresh training that adopted the snapshot differs in"),
        ("litter", r"to no other; it has left 0\.json, 0\.snapshot"),
        ("shape", "the signal did not reach the environments"),
        ("seed", "branches with other seeds are the same"),
        ("count", "256 steps were wanted, 255 counted"),
        ("copies", "64 steps of 4 copies with 2 agents are not 256 trainer steps"),
        ("evaluated", "evaluated is an array of float64; make it one of"),
        ("parent", "the parent of a fork differs in|a training that was forked"),
        ("start", "a branch changed its snapshot"),
        ("no end", "the end of a branch must .* it has left nothing"),
        (
            "always an end",
            r"the end of a branch must .* it has left \d+.end",
        ),
        ("player", "a training that went back to an older snapshot differs in"),
        ("replays", "its harness must tell the buffer's rewards"),
        ("imitates", "says that it imitates, and an expert changes nothing"),
        ("audition", "its audition must raise a ConfigurationError that says why"),
    ],
)
def test_the_contract_notices(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_trainer(Wrong(fault), WITH_ACTIONS, WITH_EXPERT)
    if fault == "seed":  # what is left out at the lower level is no more than it says
        with pytest.raises(AssertionError, match="other seeds are the same"):
            check_trainer(Wrong(fault), TASK, SIGNAL, "approximate")


@pytest.mark.parametrize("oddity", ["none", "longer rollouts", "spare environment"])
def test_the_contract_bears_with_what_is_no_fault(oddity: str) -> None:
    check_trainer(Wrong(oddity), TASK, SIGNAL)


class OldRewards(OffPolicyHarness):
    """A buffer with a fault."""

    def __init__(self, fault: str, folder: Path) -> None:
        super().__init__(DQN, folder)
        self.fault = fault

    def rewards(self, trainer: Any) -> Any:
        paid = super().rewards(trainer)
        rewards = trainer.model.replay_buffer.rewards
        base = rewards.base[: len(paid)]
        if self.fault == "old":
            return base
        if self.fault == "strength":
            return base + np.sign(paid - base)
        self.most = np.maximum(getattr(self, "most", paid), paid)
        return self.most


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("old", "a replay buffer pays nothing of a new signal"),
        ("strength", "half the strength half"),
        ("for ever", "half the strength half|that was taken back"),
    ],
)
def test_the_contract_notices_rewards_of_other_signals(
    fault: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_trainer(OldRewards(fault, tmp_path), TASK, SIGNAL)
