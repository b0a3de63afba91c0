"""How often gates are wrong, how often they are right, and what that costs.

    python tests/calibration/gate.py [--rounds 1000]

For the default gate, its per-round form, cheaper forms and the point scores: false
promotions where all candidates equal control, per round and per run of five rounds;
power against measured effects; branches per round. On 345 measured branches of PPO (see
pools.py) by a smoothed bootstrap, and on synthetic ones. Minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from also_wrappers.gate import Gate, Rule
from also_wrappers.gate.score import ScoreGate

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.calibration.pools import Pool, load
from tests.calibration.simulate import (
    SYNTHETIC,
    Draw,
    Played,
    from_pool,
    play,
    synthetic,
)

_RUN = 5


FORMS: dict[str, Rule] = {
    "default: 2.83, 16 pairs, futility .2": Gate(),
    "per round: 2.30, 8 pairs, futility .2": Gate(critical=2.30, max_pairs=8),
    "2.83, 12 pairs": Gate(max_pairs=12, futility=0.0),
    "2.30, 8 pairs": Gate(critical=2.30, max_pairs=8, futility=0.0),
    "default, one look (top=1)": Gate(top=1),
    "early, top=3": Gate(early=True, top=3),
    "early, top=2": Gate(early=True),
    "point score, soft": ScoreGate(),
    "point score, hard": ScoreGate(hard=True),
}

#: Control and a better arm of the same snapshot: (task, snapshot, horizon, weights).
EFFECTS = [
    ("spread2-r3", "zero", 32_768, 0.0, 1.0),
    ("lbf8-2p2f-coop", "zero", 65_536, 0.0, 1.0),
    ("lbf8-2p2f-coop", "zero", 65_536, 0.0, 0.25),
    ("mapf8-2", "zero", 32_768, 0.0, 2.0),
    ("spread2-r3", "mid", 65_536, 0.0, 1.0),
    ("lbf8-2p2f-coop", "zero", 32_768, 0.0, 1.0),
    ("spread2-r3", "zero", 32_768, 0.0, 0.25),
    ("spread2-r3", "mid", 65_536, 0.0, 0.25),
    ("mapf8-2", "mid", 32_768, 0.0, 2.0),
]
#: Control and arms that do harm.
HARMS = [
    ("lbf8-2p2f-coop", "mid", 65_536, 1.0, -1.0),
    ("spread2-r3", "mid", 32_768, 1.0, -1.0),
]


class Rates(NamedTuple):
    """Of many rounds.

    Attributes:
        round: Share of rounds with a promotion.
        run: Share of runs of five rounds with any.
        right: Share of rounds that promoted the arm that was to be found.
        branches: Mean branches of a round.
    """

    round: float
    run: float
    right: float
    branches: float


def rates(
    rule: Rule, arms: Sequence[Draw], rounds: int, seed: int, right: int | None = None
) -> Rates:
    """Plays many rounds."""
    random = np.random.default_rng(seed)
    played: list[Played] = [play(rule, arms, random) for _ in range(rounds)]
    promoted = np.array([one.winner is not None for one in played])
    runs = promoted[: rounds // _RUN * _RUN].reshape(-1, _RUN).any(axis=1)
    return Rates(
        float(promoted.mean()),
        float(runs.mean()),
        float(np.mean([one.winner == right for one in played])),
        float(np.mean([one.branches for one in played])),
    )


def on_pools(name: str, rounds: int) -> list[list[str]]:
    """Rows of one form: equal candidates, on every measured pool."""
    rows = []
    for candidates in (3, 6):
        found = [
            rates(FORMS[name], [from_pool(pool)] * (candidates + 1), rounds, seed)
            for seed, pool in enumerate(load().values())
        ]
        by_round = [one.round for one in found]
        by_run = [one.run for one in found]
        rows.append(
            [
                name,
                str(candidates),
                f"{np.mean(by_round):.3f}",
                f"{max(by_round):.3f}",
                f"{np.mean(by_run):.3f}",
                f"{max(by_run):.3f}",
                f"{np.mean([one.branches for one in found]):.1f}",
            ]
        )
    return rows


def on_effects(name: str, rounds: int) -> list[list[str]]:
    """The row of one form: power against measured effects, K = 3, one good arm."""
    pools = load()
    cells = []
    branches = []
    for seed, (task, snapshot, horizon, control, good) in enumerate(EFFECTS + HARMS):
        base = from_pool(pools[Pool(task, snapshot, horizon, control)])
        other = from_pool(pools[Pool(task, snapshot, horizon, good)])
        harm = (task, snapshot, horizon, control, good) in HARMS
        arms = [base, other, other, other] if harm else [base, base, other, base]
        found = rates(FORMS[name], arms, rounds, seed, right=2)
        cells.append(f"{found.round if harm else found.right:.2f}")
        branches.append(f"{found.branches:.1f}")
    good_branches = np.mean([float(b) for b in branches[: len(EFFECTS)]])
    harm_branches = np.mean([float(b) for b in branches[len(EFFECTS) :]])
    return [[name, *cells, f"{good_branches:.1f}", f"{harm_branches:.1f}"]]


def on_synthetic(name: str, rounds: int) -> list[list[str]]:
    """The row of one form: equal candidates and gains of synthetic distributions."""
    cells = []
    for seed, kind in enumerate(SYNTHETIC):
        base = synthetic(kind)
        cells.append(f"{rates(FORMS[name], [base] * 4, rounds, seed).round:.3f}")
    normal, wide = synthetic("normal"), synthetic("normal", scale=2.0)
    for arms in ([normal, wide, wide, wide], [wide, normal, normal, normal]):
        cells.append(f"{rates(FORMS[name], arms, rounds, 9).round:.3f}")
    for gain in (1.0, 2.0, 3.0):
        arms = [normal, normal, synthetic("normal", shift=gain), normal]
        cells.append(f"{rates(FORMS[name], arms, rounds, 10, right=2).right:.2f}")
    return [[name, *cells]]


def tables(rounds: int, forms: Sequence[str]) -> list[Table]:
    """All three tables."""
    effects = [
        f"{task[:6]} {snapshot} {horizon // 1024}k {control:g}->{good:g}"
        for task, snapshot, horizon, control, good in EFFECTS + HARMS
    ]
    kinds = [f"equal, {kind}" for kind in SYNTHETIC]
    plans: list[tuple[str, list[str], Callable[..., list[list[str]]]]] = [
        (
            f"Candidates equal to control, {len(load())} measured pools: promotions",
            ["gate", "K", "round, mean", "max", "run of 5, mean", "max", "branches"],
            on_pools,
        ),
        (
            "Measured effects, K = 3: right promotions (last two: harmful, any)",
            ["gate", *effects, "branches, good", "branches, harmful"],
            on_effects,
        ),
        (
            "Synthetic, K = 3: promotions of equals; right promotions of d = 1, 2, 3",
            ["gate", *kinds, "candidates x2", "control x2", "d=1", "d=2", "d=3"],
            on_synthetic,
        ),
    ]
    made = []
    with ProcessPoolExecutor(os.cpu_count()) as executor:
        for title, columns, rows in plans:
            table = Table(*columns, title=title)
            for found in executor.map(rows, forms, [rounds] * len(forms)):
                for row in found:
                    table.add_row(*row)
            made.append(table)
    return made


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--gates", nargs="+", default=list(FORMS), choices=list(FORMS))
    arguments = parser.parse_args()
    console = Console(width=200)
    for table in tables(arguments.rounds, arguments.gates):
        console.print(table)


if __name__ == "__main__":
    main()
