"""A trainer of a few lines, on the corridor: a whole run takes a fraction of a second.

It counts every step that was really trained, wherever: what the accounting of a run
says can be held against it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_atomic
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.testing import Corridor
from also_wrappers.trainer import AuditionOutcome, ForkOutcome, Imitated

COPIES, AGENTS, STEPS = 2, 2, 30
ROLLOUT = COPIES * AGENTS * STEPS
Shape = Callable[[Any], Any]


@dataclass
class Work:
    """Counts trainer steps as they are trained: mainline, branches and evaluation."""

    steps: int = 0


class Walker:
    """Learns to go on, whatever the reward is: a little more with every rollout."""

    rollout, gamma = ROLLOUT, 0.99
    bootstraps_truncation, agents_per_env = True, AGENTS
    evaluates, replays, imitates = False, False, False

    def __init__(self, shape: Shape, total: int, work: Work, seed: int = 0) -> None:
        self.steps = 0
        self.total = total
        self.work = work
        self._random = random.Random(seed)
        self._copies = [shape(Corridor(length=2, limit=3)) for _ in range(COPIES)]
        for number, copy in enumerate(self._copies):
            copy.reset(seed=seed + number)

    def train(self) -> None:
        """Trains one rollout."""
        weights = (1.0, 1.0, 1.0 + self.steps / ROLLOUT)
        for _ in range(STEPS):
            for copy in self._copies:
                choices = self._random.choices(range(3), weights, k=AGENTS)
                copy.step(dict(zip(copy.possible_agents, choices, strict=True)))
                if not copy.agents:
                    copy.reset()
        self.steps += ROLLOUT
        self.work.steps += ROLLOUT

    def snapshot(self, path: Path) -> None:
        version, state, gauss = self._random.getstate()
        saved = {"steps": self.steps, "random": [version, list(state), gauss]}
        write_atomic(path, json.dumps(saved).encode())

    def adopt(self, path: Path) -> None:
        try:
            saved = json.loads(path.read_bytes())
            self.steps = int(saved["steps"])
            version, state, gauss = saved["random"]
            self._random.setstate((version, tuple(state), gauss))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise ConfigurationError(
                f"{path} is no snapshot of a walker; begin a new run"
            ) from error

    def policy_drift(self) -> None:
        """Is not measured."""

    def imitated(self) -> Imitated | None:
        """Imitates nobody."""
        return None

    def audition(self, *_: Any) -> AuditionOutcome:
        raise ConfigurationError("a walker imitates nobody; propose terms")

    def fork(self) -> WalkerFork:
        return WalkerFork(self.total, self.work)


@dataclass(frozen=True)
class WalkerFork:
    """Trains branches of a walker."""

    total: int
    work: Work
    preload: tuple[str, ...] = ()

    def warm(self) -> None:
        """Has nothing to do."""

    def __call__(
        self,
        start: Path,
        shape: Shape,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        walker = Walker(shape, self.total, self.work, seed)
        walker.adopt(start)
        walker._random.seed(seed)
        before = walker.steps
        while walker.steps < before + steps:
            walker.train()
        if end is not None:
            walker.snapshot(end)
        trained = walker.steps - before
        return ForkOutcome(trained, trained // (COPIES * AGENTS))


def train_to_the_end(walker: Walker, adaptation: Adaptation) -> None:
    """Trains rollout by rollout, with a look at what is due before each."""
    while walker.steps < walker.total:
        adaptation.step(walker)
        if walker.steps < walker.total:
            walker.train()
    adaptation.finish(walker)
