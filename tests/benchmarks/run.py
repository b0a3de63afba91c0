"""What the wrappers cost, as ratios to a peer that is measured in the same process.

    python tests/benchmarks/run.py [--json FILE] [--quick]

Ours and the peer take turns in short stretches, so that whatever else the machine does
hits both; a ratio is that of the medians. Some have a bar, and are marked above it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import supersuit
from gymnasium.vector import AutoresetMode, VectorEnv
from mpe2 import simple_spread_v3
from rich import box
from rich.console import Console
from rich.table import Table

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.catalog import lbforaging
from also_wrappers.signal import Feature, FeatureMap, Signal, Term, shaper
from also_wrappers.task import Task
from also_wrappers.wrappers import (
    ShapeReward,
    ShapeRewardParallel,
    ShapeRewardVector,
    wrap,
)
from also_wrappers.wrappers.shape import Shape

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.benchmarks.advice import advising
from tests.benchmarks.buffers import sampling
from tests.benchmarks.measure import Action, Row, row
from tests.benchmarks.stub import (
    AGENTS,
    FEATURES,
    GAMMA,
    SIGNAL,
    TERMS,
    ByHand,
    Stub,
)

CART = "CartPole-v1"
#: What a live signal with recording is to cost at most, against the bare environment.
BARS = {"CartPole": 1.6, "lbforaging 2p": 1.2}


def stepper(env: Any) -> Action:
    """Steps an environment with prepared actions, resetting where it ends."""
    parallel = hasattr(env, "possible_agents")
    random = np.random.default_rng(0)
    env.reset(seed=0)
    if parallel:
        agents = env.possible_agents
        script: list[Any] = [
            {a: int(random.integers(env.action_space(a).n)) for a in agents}
            for _ in range(256)
        ]
    else:
        script = [int(random.integers(env.action_space.n)) for _ in range(256)]
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % 256
        _, _, ended, cut, _ = env.step(script[turn])
        if not env.agents if parallel else ended or cut:
            env.reset()

    return step


def by_hand(scale: int) -> list[Row]:
    """(a) A static signal against the wrapper that a person would write for it."""
    actions = dict.fromkeys(AGENTS, 1)
    rows = []
    for count, bar in ((1, 1.15), (3, 1.1), (6, None)):
        ours = ShapeRewardParallel(
            Stub(), FEATURES, Signal(terms=TERMS[:count]), gamma=GAMMA
        )
        peer = ByHand(Stub(), count)
        ours.reset()
        peer.reset()
        for _ in range(20):
            one, other = ours.step(actions)[1], peer.step(actions)[1]
            assert all(abs(one[a] - other[a]) < 1e-6 for a in AGENTS), (one, other)
        rows.append(
            row(
                "a: by hand",
                f"{count} term(s) over 6 features",
                partial(ours.step, actions),
                partial(peer.step, actions),
                20 * scale,
                100,
                bar,
            )
        )
    return rows


def spread() -> Any:
    return simple_spread_v3.parallel_env(N=2, max_cycles=25)


def some_signal(features: FeatureMap) -> Signal:
    """Three terms over the first two features."""
    first, second = features.names[:2]
    return Signal(
        terms=(
            Term(name="a", kind="potential", expression=f"-{first}", weight=0.5),
            Term(
                name="b", kind="progress", expression=f"{first} * {second}", weight=0.2
            ),
            Term(name="c", kind="bonus", expression=f"{second} < 0.3", weight=0.01),
        )
    )


def live(make_env: Callable[[], Any], features: FeatureMap, folder: Path) -> Any:
    """An environment on a board of its own, with recording."""
    posting = Posting(version=1, signal=some_signal(features), gamma=GAMMA)
    board = Board.create(folder, posting)
    return Shape(Task("benchmark", features), board)(make_env())


def environments(scale: int, folder: Path) -> list[Row]:
    """(b) A live signal with recording against the bare environment; and what of that
    is recording, against a static signal."""
    spread_features = FeatureMap(Feature("v", "obs[0:2]"), Feature("l", "obs[4:8]"))
    cart = FeatureMap(Feature("x", "obs[0:4]"))
    cases: list[tuple[str, Callable[[], Any], FeatureMap]] = [
        ("mpe2 spread", spread, spread_features),
        ("CartPole", partial(gym.make, CART), cart),
    ]
    for players in (2, 3):
        env_id = f"Foraging-8x8-{players}p-2f-coop-v3"
        forage = partial(lbforaging.parallel_env, env_id)
        cases.append((f"lbforaging {players}p", forage, lbforaging.features(forage())))
    rows = []
    for case, make_env, features in cases:
        for name in ("bare", "recording"):
            ours = live(make_env, features, folder / f"{case} {name}")
            peer = make_env()
            if name == "recording":
                peer = wrap(peer, features, signal=some_signal(features), gamma=GAMMA)
            bar = BARS.get(case) if name == "bare" else None
            actions = stepper(ours), stepper(peer)
            rows.append(row(f"b: {name}", case, *actions, 20 * scale, 100, bar))
    return rows


def collecting(scale: int, folder: Path) -> list[Row]:
    """Collecting and merging the evidence of 64 copies, against reading their files."""
    features = FeatureMap(Feature("v", "obs[0:2]"), Feature("l", "obs[4:8]"))
    posting = Posting(version=1, signal=some_signal(features), gamma=GAMMA)
    board = Board.create(folder / "copies", posting)
    shape = Shape(Task("benchmark", features), board)
    for _ in range(64):
        step = stepper(shape(spread()))
        for _ in range(260):
            step()

    def read() -> None:
        for path in board.path.glob("slots/*.map"):
            path.read_bytes()

    assert board.collect() is not None
    return [row("collecting", "64 copies", board.collect, read, 2 * scale, 2)]


class StubVector(VectorEnv[Any, Any, Any]):
    """A vector environment that returns prepared arrays."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(0, 1, (6,), np.float32)
        self.single_action_space = gym.spaces.Discrete(5)
        self.observation_space = gym.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gym.vector.utils.batch_space(
            self.single_action_space, num_envs
        )
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        random = np.random.default_rng(0)
        self._frames = random.random((16, num_envs, 6)).astype(np.float32)
        self._rewards = np.zeros(num_envs)
        self._false = np.zeros(num_envs, dtype=bool)
        self._t = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self._frames[0], {}

    def step(self, actions: Any) -> Any:
        self._t = (self._t + 1) % 16
        return self._frames[self._t], self._rewards, self._false, self._false, {}


def numpy_by_hand(env: StubVector) -> Action:
    """The same three terms (for one agent), as a person would write them in numpy."""
    seen, _ = env.reset()
    before = seen

    def phi(seen: Any) -> tuple[Any, Any]:
        return -seen[:, 0] - 0.5 * seen[:, 1], seen[:, 2] * seen[:, 3]

    then = phi(before)

    def step() -> Any:
        nonlocal then
        seen, rewards, ended, _, infos = env.step(None)
        a, b = phi(seen)
        added = 0.5 * (np.where(ended, 0.0, GAMMA * a) - then[0]) + 0.2 * (b - then[1])
        added = added + 0.01 * np.where(seen[:, 4] < 0.3, seen[:, 5], 0.0)
        then = a, b
        return rewards + added, {**infos, "shaping": {"base": rewards, "added": added}}

    return step


def vectors(scale: int) -> list[Row]:
    """(c) ``ShapeRewardVector`` against numpy written by hand."""
    rows = []
    for count in (1, 16, 256, 4096):
        ours = ShapeRewardVector(StubVector(count), FEATURES, SIGNAL, gamma=GAMMA)
        ours.reset()
        actions = np.zeros(count, dtype=int)
        rows.append(
            row(
                "c: numpy by hand",
                f"{count} sub-environments",
                partial(ours.step, actions),
                numpy_by_hand(StubVector(count)),
                4 * scale,
                max(1, 512 // count),
                1.1 if count == 4096 else None,
            )
        )
    return rows


def vector_stepper(env: VectorEnv[Any, Any, Any]) -> Action:
    """Steps a vector environment with prepared actions."""
    script = np.random.default_rng(0).integers(2, size=(64, env.num_envs))
    turns = itertools.cycle(script)
    env.reset(seed=0)
    return lambda: env.step(next(turns))


def live_vectors(scale: int, folder: Path) -> list[Row]:
    """(b) Gymnasium's vectorised CartPole, shaped and recorded, against the bare one.

    Its steps cost next to nothing, and a random policy's episodes are short: what an
    episode costs at its end shows here most.
    """
    features = FeatureMap(Feature("x", "obs[0:4]"))
    signal = some_signal(features)
    rows = []
    for name, bar in (("recording on", 2.0), ("static", 1.6)):
        arguments: dict[str, Any] = {"signal": signal, "gamma": GAMMA}
        if name == "recording on":
            posting = Posting(version=1, signal=signal, gamma=GAMMA)
            arguments = {"board": Board.create(folder / "vector", posting)}
        ours = ShapeRewardVector(gym.make_vec(CART, 256), features, **arguments)
        peer = gym.make_vec(CART, 256)
        case = f"256 CartPoles, {name}"
        actions = vector_stepper(ours), vector_stepper(peer)
        rows.append(row("b: bare vector", case, *actions, 4 * scale, 20, bar))
    return rows


def others(scale: int) -> list[Row]:
    """(d) What SuperSuit's and Gymnasium's reward wrappers take for one plain term."""
    features = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
    constant = Signal(
        terms=(Term(name="c", kind="bonus", expression="0 * x + 1", weight=0.1),)
    )

    def shift(reward: Any) -> float:
        return float(reward) + 0.1

    single = gym.make("CartPole-v1")
    return [
        row(
            "d: others' wrappers",
            "SuperSuit, spread",
            stepper(ShapeRewardParallel(spread(), features, constant)),
            stepper(supersuit.reward_lambda_v0(spread(), shift)),
            20 * scale,
            100,
        ),
        row(
            "d: others' wrappers",
            "Gymnasium, CartPole",
            stepper(ShapeReward(single, features, constant)),
            stepper(gym.wrappers.TransformReward(gym.make("CartPole-v1"), shift)),
            20 * scale,
            100,
        ),
    ]


def compiling(scale: int) -> list[Row]:
    """(e) Compiling a signal, against parsing JSON of the same signal.

    What copies of a process share is left aside: this is the first of them.
    """
    text = SIGNAL.model_dump_json()
    compile_first = shaper._compile.__wrapped__
    return [
        row(
            "e: compiling",
            "against reading JSON",
            lambda: compile_first(SIGNAL, FEATURES, AGENTS),
            lambda: Signal.model_validate_json(text),
            10 * scale,
            5,
        )
    ]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time")
    arguments = parser.parse_args()
    scale = 1 if arguments.quick else 10
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *by_hand(scale),
            *environments(scale, Path(folder)),
            *collecting(scale, Path(folder)),
            *live_vectors(scale, Path(folder)),
            *vectors(scale),
            *others(scale),
            *sampling(scale, Path(folder)),
            *compiling(scale),
            *advising(scale),
        ]
    table = Table(box=box.SIMPLE, caption="* above the bar")
    for name in ("benchmark", "case", "ratio", "bar", "ours, us", "peer, us"):
        table.add_column(name, no_wrap=name != "case")
    for line in rows:
        table.add_row(
            line.name,
            line.case,
            f"{line.ratio:.2f}" + " *" * line.misses,
            "" if line.bar is None else f"{line.bar:g}",
            f"{line.ours_us:.2f}",
            f"{line.peer_us:.2f}",
        )
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in rows], indent=2))


if __name__ == "__main__":
    main()
