"""Whether a replay buffer gains by what discarded branches have seen.

    python tests/benchmarks/replayed.py [--task corridor] [--seeds 0 1 2 3 4]
        [--arms now kept earning unused]

DQN is trained with every seed as it is (``now``), with the transitions of all
discarded branches appended to the mainline's replay buffer once their round is over
(``kept``; branches that confirm a signal: once they end), and with those of branches
that have earned any base reward (``earning``), the latter only after rounds that swap
nothing in, and no more than half of what the buffer holds (``unused``). The active
signal pays for them as for any others. Tasks, with what every round tries:

- ``corridor``: one helpful term and one useless term.
- ``weak``: the same, the helpful one with a tenth of the weight.
- ``missed``: the terms of ``corridor``, under a rule that never swaps anything in.
- ``useless``: two useless terms.

Printed are base returns of the mainline at equal distances (32 episodes each) and at
the end (128), with the exploration that is left in the end; what the rounds decided,
the steps of branches, the transitions that were appended and the largest snapshot. The
last lines are mean differences and their standard errors over the seeds: of the mean
over all evaluations, and of the one at the end. A minute per seed and two arms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from rich.console import Console
from stable_baselines3 import DQN

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.gate import Provisional
from also_wrappers.ledger.events import (
    BranchEnded,
    Decided,
    Event,
    RoundFinished,
    RoundStarted,
    Settled,
)
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.replay_buffer import ShapedReplayBuffer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv
from tests.benchmarks.keeping import Keeping

#: Episodes of an evaluation at a checkpoint, and at the end.
LOOK, EPISODES = 32, 128
CHECKPOINTS = 16
ARMS = ("now", "kept", "earning", "unused")
#: Rounds that the recording answers for, each with other weights than the ones before,
#: as nothing is tried twice; the budget pays for fewer.
ROUNDS = 4


class Lock(Corridor):
    """A corridor in which the action that leads on depends on the cell.

    No constant policy walks it. Agents see their cell as a one-hot vector as well.

    Args:
        length: Number of cells.
        limit: Steps of an episode at most.
    """

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(length, limit=limit)
        self._observation = spaces.Box(0.0, 1.0, (2 + length,), np.float32)

    def step(self, actions: dict[str, Any]) -> Any:
        """Moves all agents."""
        cells = self._places
        return super().step(
            {a: (int(actions[a]) + 7 * cells[a] // 3) % 3 for a in actions}
        )

    def _observe(self) -> dict[str, Any]:
        cells = np.eye(self._length, dtype=np.float32)
        return {
            agent: np.concatenate((seen, cells[self._places[agent]]))
            for agent, seen in super()._observe().items()
        }


def proposed(name: str, kind: Any, expression: str, weight: float) -> Term:
    return Term(name=name, kind=kind, expression=expression, weight=weight)


def recorded(terms: Sequence[Term]) -> RecordedAdvisor:
    """Proposes each term alone, in every round."""
    rounds = [
        [
            Proposal(
                signal=Signal(
                    terms=(term.model_copy(update={"weight": term.weight * scale}),)
                )
            )
            for term in terms
        ]
        for scale in (1.5**number for number in range(ROUNDS))
    ]
    return RecordedAdvisor(rounds)


@dataclass(frozen=True)
class Setting:
    """Says what is trained on.

    Attributes:
        make_env: Makes the environment.
        copies: Copies of it, with two agents each.
        features: Makes the vocabulary.
        terms: What every round tries, each alone.
        steps: Trainer steps that are planned.
        model: Settings of DQN.
        options: Options of the adaptation.
    """

    make_env: Callable[[], Any]
    copies: int
    features: Callable[[], FeatureMap]
    terms: tuple[Term, ...]
    steps: int
    model: dict[str, Any]
    options: dict[str, Any]


_USELESS = proposed("first_action", "bonus", "move == 0", 0.002)
_CORRIDOR: dict[str, Any] = {
    "make_env": lambda: Lock(length=24, limit=72),
    "copies": 8,
    "features": corridor_features,
    "steps": 65_536,
    "model": {
        "learning_rate": 1e-3,
        "batch_size": 128,
        "buffer_size": 50_000,
        "learning_starts": 1024,
        "gamma": 0.97,
        "target_update_interval": 1024,
        "train_freq": 4,
        "gradient_steps": 4,
        "exploration_fraction": 0.3,
        "exploration_final_eps": 0.05,
        "policy_kwargs": {"net_arch": [64, 64]},
    },
    "options": {"first": 4096, "horizon": 4096},
}
SETTINGS = {
    "corridor": Setting(
        terms=(proposed("on", "progress", "place", 0.5), _USELESS), **_CORRIDOR
    ),
    "useless": Setting(
        terms=(_USELESS, proposed("second_action", "bonus", "move == 1", 0.002)),
        **_CORRIDOR,
    ),
    "weak": Setting(
        terms=(proposed("on", "progress", "place", 0.05), _USELESS), **_CORRIDOR
    ),
    "missed": Setting(
        terms=(proposed("on", "progress", "place", 0.5), _USELESS),
        **{
            **_CORRIDOR,
            "options": {**_CORRIDOR["options"], "gate": Provisional(bar=1e9)},
        },
    ),
}


class Watched(AdaptationCallback):
    """Evaluates the mainline at checkpoints.

    Attributes:
        curve: Trainer steps of the lineage, and base return.
        snapshot: Bytes of the largest snapshot.
    """

    def __init__(
        self, make_venv: Any, every: int, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.curve: list[tuple[int, float]] = []
        self.snapshot = 0
        self._venv = make_venv
        self._every = every

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        while self.curve and self.curve[-1][0] > self.num_timesteps:
            self.curve.pop()  # the mainline went back
        while self.num_timesteps >= (len(self.curve) + 1) * self._every:
            self.curve.append((self.num_timesteps, self.evaluated(LOOK)))
        if not self.num_timesteps % 4096:
            checkpoints = self.adaptation.run.dir / "checkpoints"
            sizes = [f.stat().st_size for f in checkpoints.rglob("*") if f.is_file()]
            self.snapshot = max([self.snapshot, *sizes])

    def evaluated(self, episodes: int) -> float:
        """Base return with as much exploration as is left in the end."""
        model: Any = self.model
        now, model.exploration_rate = (
            model.exploration_rate,
            model.exploration_final_eps,
        )
        seed = 1_000_000 + self.num_timesteps
        try:
            return evaluate(model, self._venv, episodes, seed=seed).mean
        finally:
            model.exploration_rate = now


@dataclass(frozen=True)
class Trained:
    """Says what one training came to.

    Attributes:
        curve: Base returns at the checkpoints, the end included.
        rounds: What each round decided, in short.
        rows: Transitions that were appended.
        own: Transitions of the mainline.
        snapshot: Bytes of the largest snapshot.
        branches: Trainer steps that branches have spent.
        seconds: Wall-clock time.
    """

    curve: list[float]
    rounds: str
    rows: int
    own: int
    snapshot: int
    branches: int
    seconds: float

    @property
    def area(self) -> float:
        """Mean base return over the checkpoints."""
        return statistics.fmean(self.curve)


def trained(folder: Path, setting: Setting, seed: int, arm: str) -> Trained:
    """Trains once."""

    def make_venv(shape: Callable[[Any], Any]) -> PettingZooVecEnv:
        return PettingZooVecEnv(lambda: shape(setting.make_env()), setting.copies)

    began = time.perf_counter()
    run = Run(Task("Get there together.", setting.features()), folder / "run")
    model = DQN(
        "MlpPolicy",
        make_venv(run.shape),
        replay_buffer_class=ShapedReplayBuffer,
        replay_buffer_kwargs={"shape": run.shape},
        seed=seed,
        device="cpu",
        **setting.model,
    )
    buffer: Any = model.replay_buffer
    keeping = Keeping(only_earning=arm in ("earning", "unused"))
    most = 0.5 if arm == "unused" else None
    adopted: str | None = None

    def listen(event: Event) -> None:
        """Appends what a round has left, and later what its confirmation has."""
        nonlocal adopted
        match event:
            case RoundStarted():
                adopted = None
            case Decided(adopted=name, winner=winner):
                adopted = name
                if winner is not None and arm == "unused":
                    keeping.seen.clear()
            case RoundFinished():
                keeping.append(buffer, adopted or "", most)
            case BranchEnded() if adopted is not None and arm != "unused":
                keeping.append(buffer)

    if arm != "now":
        run.ledger.listeners.append(listen)
    watched = Watched(
        make_venv,
        setting.steps // CHECKPOINTS,
        run,
        make_venv,
        recorded(setting.terms),
        executor=SerialExecutor() if arm == "now" else keeping,
        refinements=0,
        seed=seed,
        verbose=0,
        **setting.options,
    )
    model.learn(setting.steps, watched)
    run.close()
    curve = [base for _, base in watched.curve][: CHECKPOINTS - 1]
    rounds = []
    for event in run.events():
        match event:
            case Decided(kind=kind, winner=winner):
                rounds.append(f"{kind} {winner}" if winner else kind)
            case Settled(kind=settled):
                rounds.append(settled)
    return Trained(
        [*curve, watched.evaluated(EPISODES)],
        ", ".join(rounds),
        keeping.rows * model.n_envs,
        model.num_timesteps,
        watched.snapshot,
        run.accounting.branches,
        time.perf_counter() - began,
    )


def main() -> None:
    """Prints two lines per seed, and the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=SETTINGS, default="corridor")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["now", "kept"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    say = Console(highlight=False, soft_wrap=True).print
    setting = SETTINGS[arguments.task]
    all_of: dict[str, list[Trained]] = {arm: [] for arm in arguments.arms}
    for seed in arguments.seeds:
        for arm, results in all_of.items():
            with tempfile.TemporaryDirectory() as folder:
                result = trained(Path(folder), setting, seed, arm)
            results.append(result)
            curve = " ".join(f"{base:.3f}" for base in result.curve)
            say(
                f"seed {seed}, {arm}: {curve}; mean {result.area:.3f}; "
                f"{result.rounds}; {result.branches:,} steps of branches, "
                f"{result.rows:,} transitions appended, snapshots of "
                f"{result.snapshot / 1e6:.1f} MB; {result.seconds:.0f} s"
            )
    first, *others = arguments.arms
    for arm in others:
        pairs = list(zip(all_of[arm], all_of[first], strict=True))
        for name, values in {
            "mean": [ours.area - peer.area for ours, peer in pairs],
            "end": [ours.curve[-1] - peer.curve[-1] for ours, peer in pairs],
        }.items():
            mean, count = statistics.fmean(values), len(values)
            error = statistics.stdev(values) / count**0.5 if count > 1 else np.nan
            say(
                f"{arguments.task}, {arm} against {first}, {name}: {mean:+.3f}, "
                f"standard error {error:.3f} over {count} seeds"
            )


if __name__ == "__main__":
    main()
