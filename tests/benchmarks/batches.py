"""What the transform costs on VMAS, as a ratio to the same signal by hand in torch.

    python tests/benchmarks/batches.py [--quick] [--copies 256] [--scenario balance]

Ours and the peer take turns in short stretches, as in ``run.py``. The peer is a
transform of torchrl that adds the same three terms and records nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from benchmarl.environments import VmasTask
from tensordict import TensorDictBase
from torchrl.envs import EnvBase, Transform, TransformedEnv

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.trainers.benchmarl import ShapeRewardTransform
from also_wrappers.wrappers.shape import Shape

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.benchmarks.measure import Action, row

GAMMA = 0.97
FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
SIGNAL = Signal(
    terms=(
        Term(name="near", kind="potential", expression="-abs(x)", weight=0.5),
        Term(name="up", kind="progress", expression="team_mean(y)", weight=0.2),
        Term(name="low", kind="bonus", expression="y < 0.3", weight=0.01),
    )
)


class ByHand(Transform):
    """The three terms, as a person would write them for this environment."""

    def __init__(self) -> None:
        super().__init__(in_keys=[], out_keys=[])
        self._then: tuple[Any, Any] = (None, None)

    @staticmethod
    def _phi(tensordict: TensorDictBase) -> tuple[Any, Any, Any]:
        seen = tensordict["agents", "observation"]
        x, y = seen[..., 0], seen[..., 1]
        return -x.abs(), y.mean(dim=-1, keepdim=True), y

    def _reset(
        self, tensordict: TensorDictBase, tensordict_reset: TensorDictBase
    ) -> TensorDictBase:
        near, up, _ = self._phi(tensordict_reset)
        mask = None if tensordict is None else tensordict.get("_reset", None)
        if mask is not None:
            near = torch.where(mask, near, self._then[0])
            up = torch.where(mask, up, self._then[1])
        self._then = near, up
        return tensordict_reset

    def _step(
        self, tensordict: TensorDictBase, next_tensordict: TensorDictBase
    ) -> TensorDictBase:
        near, up, y = self._phi(next_tensordict)
        ended = next_tensordict["terminated"]
        added = 0.5 * (torch.where(ended, 0.0, GAMMA * near) - self._then[0])
        added = added + 0.2 * (up - self._then[1]) + 0.01 * (y < 0.3)
        reward = next_tensordict["agents", "reward"]
        next_tensordict.set(("agents", "reward"), reward + added.unsqueeze(-1))
        self._then = near, up
        return next_tensordict


def make(scenario: str, copies: int) -> EnvBase:
    task = VmasTask[scenario.upper()].get_from_yaml()
    env: EnvBase = task.get_env_fun(copies, True, 0, "cpu")()
    return env


def stepper(env: EnvBase) -> Action:
    """Steps an environment with prepared actions, resetting copies where they end."""
    torch.manual_seed(0)
    state = env.reset()
    script = [env.full_action_spec.rand() for _ in range(16)]
    turn = 0

    def step() -> None:
        nonlocal state, turn
        turn = (turn + 1) % len(script)
        _, state = env.step_and_maybe_reset(state.update(script[turn]))

    return step


def shaped(scenario: str, copies: int, shape: Shape) -> EnvBase:
    env = make(scenario, copies)
    transform = ShapeRewardTransform(shape, env.group_map, env)
    return TransformedEnv(env, transform)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--copies", type=int, default=256)
    parser.add_argument("--scenario", default="balance")
    arguments = parser.parse_args()
    scenario, copies = arguments.scenario, arguments.copies
    torch.set_num_threads(1)
    stretches = 5 if arguments.quick else 30
    with tempfile.TemporaryDirectory() as folder:
        posting = Posting(version=1, signal=SIGNAL, gamma=GAMMA)
        board = Board.create(Path(folder) / "board", posting)
        shape = Shape(Task("Balance.", FEATURES), board)
        hand = TransformedEnv(make(scenario, copies), ByHand())
        cases = {
            "recorded": shaped(scenario, copies, shape),
            "bare": make(scenario, copies),
        }
        for name, env in cases.items():
            line = row("vmas", name, stepper(env), stepper(hand), stretches, 10)
            print(
                f"{scenario}, {copies} copies, {name}: {line.ours_us / 1e3:.2f} ms a "
                f"step, by hand {line.peer_us / 1e3:.2f} ms, ratio {line.ratio:.2f}"
            )


if __name__ == "__main__":
    main()
