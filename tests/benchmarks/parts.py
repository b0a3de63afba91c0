"""Shows where the time of a step goes: microseconds by part, and seconds of imports.

    python tests/benchmarks/parts.py

Parts of a step of two agents on the stub with one term; a step of CartPole, bare,
shaped and recorded; and what cProfile finds in a recorded step of 256 CartPoles, where
the profiler's own cost makes functions look somewhat slower than they are.
"""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal import Feature, FeatureMap, Signal
from also_wrappers.wrappers import ShapeRewardParallel, ShapeRewardVector, wrap
from tests.benchmarks.run import CART, live, some_signal, stepper, vector_stepper
from tests.benchmarks.stub import AGENTS, FEATURES, GAMMA, TERMS, ByHand, Stub

#: Functions of a recorded step of a vector, by the file they are in.
_IN_VECTORS = {
    "infos with what terms have paid": ("shaped_vector.py", "_terms"),
    "summing up the episodes that ended": ("vector.py", "finish"),
    "copying them": ("block.py", "extend"),
    "accumulating them": ("accumulate.py", "accumulate"),
}
_IMPORTS = {
    "a wrapper": ("gymnasium, numpy", "also_wrappers"),
    "a run": (
        "stable_baselines3, pettingzoo",
        "also_wrappers as a; a.Run; a.AdaptationCallback; a.PettingZooVecEnv",
    ),
}


def main() -> None:
    """Measures and prints."""
    console = Console(highlight=False, soft_wrap=True)
    for name, call in (*_of_a_team(), *_of_cart_pole()):
        console.print(f"{name}: {_microseconds(call):.2f} us")
    with tempfile.TemporaryDirectory() as folder:
        for name, spent in _of_a_vector(Path(folder)):
            console.print(f"{name}: {spent:.0f} us")
    for name, (first, ours) in _IMPORTS.items():
        code = (
            f"import {first}, time; began = time.process_time(); import {ours}; "
            "print(time.process_time() - began)"
        )
        seconds = [
            float(subprocess.check_output([sys.executable, "-c", code]))
            for _ in range(5)
        ]
        console.print(f"imports of {name}, beyond {first}: {min(seconds):.2f} s")


def _microseconds(call: Callable[[], Any], calls: int = 500) -> float:
    return min(timeit.repeat(call, number=calls, repeat=60)) / calls * 1e6


def _of_a_team() -> list[tuple[str, Callable[[], Any]]]:
    actions = dict.fromkeys(AGENTS, 1)
    env = ShapeRewardParallel(Stub(), FEATURES, Signal(terms=TERMS[:1]), gamma=GAMMA)
    peer, bare = ByHand(Stub(), 1), Stub()
    for each in (env, peer, bare):
        each.reset()
    team = env.shaped
    frame, rewards, no, _, infos = bare.step(actions)
    rows = team.features.rows(team.agents, frame, actions, infos, None)
    shaper, everyone = team._shaper, (0, 1)
    of_team = partial(team.step, actions, frame, rewards, no, no, infos, None)
    return [
        ("a team's step", partial(env.step, actions)),
        ("by hand", partial(peer.step, actions)),
        ("- the stub", partial(bare.step, actions)),
        (
            "- features",
            partial(team.features.rows, team.agents, frame, actions, infos, None),
        ),
        ("- the term", partial(shaper.step, rows, everyone)),
        (
            "- features, term, and who is there",
            partial(of_team, ended=False, over=False),
        ),
        ("- the info of an agent", partial(team.info, 0.0, 0.1, False, 1)),
    ]


def _of_cart_pole() -> list[tuple[str, Callable[[], Any]]]:
    features = FeatureMap(Feature("x", "obs[0:4]"))
    signal = some_signal(features)
    shaped = wrap(gym.make(CART), features, signal=signal, gamma=GAMMA)
    recorded = live(partial(gym.make, CART), features, Path(tempfile.mkdtemp()))
    return [
        ("CartPole, bare", stepper(gym.make(CART))),
        ("CartPole, shaped", stepper(shaped)),
        ("CartPole, recorded", stepper(recorded)),
    ]


def _of_a_vector(folder: Path) -> list[tuple[str, float]]:
    features = FeatureMap(Feature("x", "obs[0:4]"))
    posting = Posting(version=1, signal=some_signal(features), gamma=GAMMA)
    board = Board.create(folder / "board", posting)
    env = ShapeRewardVector(gym.make_vec(CART, 256), features, board=board)
    step, steps = vector_stepper(env), 2000
    profile = cProfile.Profile()
    profile.runcall(lambda: [step() for _ in range(steps)])
    found: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    spent = []
    for name, (file, function) in _IN_VECTORS.items():
        seconds = sum(
            value[3]
            for (path, _, of), value in found.items()
            if of == function and Path(path).name == file
        )
        spent.append((f"256 CartPoles, {name}", seconds / steps * 1e6))
    return spent


if __name__ == "__main__":
    main()
