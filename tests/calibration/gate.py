"""How often gates are wrong, how often they are right, and what that costs.

    python tests/calibration/gate.py [--rounds 1000]

For ``Race``, ``Provisional``, forms of ``Gate``, and the point scores: what they swap
in and confirm where all candidates equal control, per round and per run of five rounds;
power against measured effects; what swapping in gains and loses over all measured
weights; discarded branches. On 345 measured branches of PPO (see pools.py) by a
smoothed bootstrap, and on synthetic ones. Minutes on two cores.

A branch is discarded unless it becomes the mainline; branches are counted in horizons.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from also_wrappers.gate import Gate, Provisional, Race, Rule
from also_wrappers.gate.score import ScoreGate

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.calibration.pools import Measured, Pool, load
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
    "race": Race(),
    "provisional": Provisional(),
    "gate, 2.83, 16 pairs, futility .2": Gate(),
    "gate, 2.30, 8 pairs, futility .2": Gate(critical=2.30, max_pairs=8),
    "gate, 2.83, 12 pairs": Gate(max_pairs=12, futility=0.0),
    "gate, 2.30, 8 pairs": Gate(critical=2.30, max_pairs=8, futility=0.0),
    "gate, one look (top=1)": Gate(top=1),
    "gate, early, top=3": Gate(early=True, top=3),
    "gate, early, top=2": Gate(early=True),
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


#: By how much an arm must be worse than control for its swap to count as a loss.
_WORSE = 0.01


class Rates(NamedTuple):
    """Counts what many rounds came to.

    Attributes:
        swapped: Share of rounds that swapped anything in, provisionally or not.
        swapped_run: Share of runs of five rounds that did.
        confirmed: Share of rounds that confirmed anything.
        confirmed_run: Share of runs of five rounds that did.
        right: Share of rounds that swapped in the arm that was to be found.
        right_confirmed: Share of rounds that confirmed that arm.
        discarded: Mean discarded branches of a round until the swap.
        in_all: Mean discarded branches of a round, those beside the training included.
    """

    swapped: float
    swapped_run: float
    confirmed: float
    confirmed_run: float
    right: float
    right_confirmed: float
    discarded: float
    in_all: float


def rates(
    rule: Rule, arms: Sequence[Draw], rounds: int, seed: int, right: int | None = None
) -> Rates:
    """Plays many rounds, as runs of five."""
    random = np.random.default_rng(seed)
    played: list[Played] = [
        play(rule, arms, random, 1 + number % _RUN) for number in range(rounds)
    ]
    swapped = np.array([one.winner is not None for one in played])
    confirmed = np.array([one.confirmed for one in played])
    found = np.array([one.winner == right for one in played])
    return Rates(
        float(swapped.mean()),
        _of_runs(swapped),
        float(confirmed.mean()),
        _of_runs(confirmed),
        float(found.mean()),
        float((found & confirmed).mean()),
        float(np.mean([one.discarded for one in played])),
        float(np.mean([one.in_all for one in played])),
    )


def _of_runs(happened: npt.NDArray[np.bool_]) -> float:
    """Returns the share of runs of five rounds in which something happened."""
    whole = len(happened) // _RUN * _RUN
    return float(happened[:whole].reshape(-1, _RUN).any(axis=1).mean())


def on_pools(name: str, rounds: int) -> list[list[str]]:
    """Rows of one form: equal candidates, on every measured pool."""
    rows = []
    for candidates in (2, 3, 6):
        found = [
            rates(FORMS[name], [from_pool(pool)] * (candidates + 1), rounds, seed)
            for seed, pool in enumerate(load().values())
        ]
        mean = Rates(*(float(np.mean(column)) for column in zip(*found, strict=True)))
        worst = Rates(*(max(column) for column in zip(*found, strict=True)))
        rows.append(
            [
                name,
                str(candidates),
                f"{mean.swapped:.3f}",
                f"{mean.swapped_run:.3f}",
                f"{mean.confirmed:.3f}",
                f"{worst.confirmed:.3f}",
                f"{mean.confirmed_run:.3f}",
                f"{worst.confirmed_run:.3f}",
                f"{mean.discarded:.1f}",
                f"{mean.in_all:.1f}",
            ]
        )
    return rows


def on_effects(name: str, rounds: int) -> list[list[str]]:
    """Rows of one form: power against measured effects, K = 3, one good arm."""
    pools = load()
    made = []
    for seed, cell in enumerate(EFFECTS + HARMS):
        task, snapshot, horizon, control, good = cell
        base = from_pool(pools[Pool(task, snapshot, horizon, control)])
        other = from_pool(pools[Pool(task, snapshot, horizon, good)])
        arms = [base, other, other, other]
        if cell in EFFECTS:
            arms = [base, base, other, base]
        made.append(rates(FORMS[name], arms, rounds, seed, right=2))
    goods, harms = made[: len(EFFECTS)], made[len(EFFECTS) :]
    rows = []
    for title, rightly, wrongly in (
        ("swapped in", "right", "swapped"),
        ("confirmed", "right_confirmed", "confirmed"),
    ):
        powers = [getattr(one, rightly) for one in goods]
        cells = [*powers, *(getattr(one, wrongly) for one in harms)]
        costs = [
            np.mean([getattr(one, column) for one in some])
            for some in (goods, harms)
            for column in ("discarded", "in_all")
        ]
        rows.append(
            [
                f"{name}: {title}",
                *(f"{share:.2f}" for share in cells),
                f"{np.mean(powers):.2f}",
                *(f"{cost:.1f}" for cost in costs),
            ]
        )
    return rows


def on_weights(name: str, rounds: int) -> list[list[str]]:
    """The row of one form: every measured weight as control once, the others of its
    snapshot and horizon as candidates."""
    weights: dict[Pool, dict[float, list[Measured]]] = defaultdict(dict)
    for pool, branches in load().items():
        weights[pool._replace(weight=0.0)][pool.weight] = branches
    gains: list[float] = []
    possible: list[float] = []
    discarded: list[float] = []
    random = np.random.default_rng(0)
    for group in weights.values():
        levels = {w: float(np.mean([b.score for b in group[w]])) for w in group}
        for control in group:
            order = [control, *(weight for weight in group if weight != control)]
            arms = [from_pool(group[weight]) for weight in order]
            for number in range(rounds if len(arms) > 1 else 0):
                one = play(FORMS[name], arms, random, 1 + number % _RUN)
                level = levels[order[one.winner or 0]]
                gains.append(level - levels[control])
                possible.append(max(levels.values()) - levels[control])
                discarded.append(one.discarded)
    worse = [gain for gain in gains if gain < -_WORSE]
    return [
        [
            name,
            f"{np.mean([gain != 0.0 for gain in gains]):.3f}",
            f"{len(worse) / len(gains):.4f}",
            f"{-np.mean(worse):.3f}" if worse else "-",
            f"{max(-min(gains), 0.0):.3f}",
            f"{sum(gains) / sum(possible):.2f}",
            f"{np.mean(discarded):.1f}",
        ]
    ]


def on_synthetic(name: str, rounds: int) -> list[list[str]]:
    """The row of one form: equal candidates and gains of synthetic distributions."""
    cells = []
    for seed, kind in enumerate(SYNTHETIC):
        found = rates(FORMS[name], [synthetic(kind)] * 4, rounds, seed)
        cells.append(f"{found.confirmed_run:.3f}")
    normal, wide = synthetic("normal"), synthetic("normal", scale=2.0)
    cells += [
        f"{rates(FORMS[name], arms, rounds, 9).confirmed_run:.3f}"
        for arms in ([normal, wide, wide, wide], [wide, normal, normal, normal])
    ]
    for gain in (1.0, 2.0, 3.0):
        arms = [normal, normal, synthetic("normal", shift=gain), normal]
        found = rates(FORMS[name], arms, rounds, 10, right=2)
        cells.append(f"{found.right:.2f} {found.right_confirmed:.2f}")
    return [[name, *cells]]


def tables(rounds: int, forms: Sequence[str]) -> list[Table]:
    """Makes all four tables."""
    effects = [
        f"{task[:6]} {snapshot} {horizon // 1024}k {control:g}->{good:g}"
        for task, snapshot, horizon, control, good in EFFECTS + HARMS
    ]
    kinds = [f"equal, {kind}" for kind in SYNTHETIC]
    plans: list[tuple[str, list[str], Callable[..., list[list[str]]]]] = [
        (
            f"Candidates equal to control, {len(load())} measured pools",
            [
                "rule",
                "K",
                "swapped in, round",
                "run of 5",
                "confirmed, round",
                "worst pool",
                "confirmed, run of 5",
                "worst pool",
                "discarded at adoption",
                "in all",
            ],
            on_pools,
        ),
        (
            "Measured effects, K = 3: the right arm (last two effects: harmful, any)",
            [
                "rule",
                *effects,
                "mean",
                "discarded, good",
                "in all",
                "discarded, harm",
                "in all",
            ],
            on_effects,
        ),
        (
            "Every measured weight as control, the others as candidates: swaps",
            [
                "rule",
                "of rounds",
                f"to something worse by {_WORSE}",
                "mean loss then",
                "largest",
                "of the possible gain",
                "discarded at adoption",
            ],
            on_weights,
        ),
        (
            "Synthetic, K = 3: equals confirmed in a run of 5; the right arm of "
            "d = 1, 2, 3 swapped in and confirmed in a round",
            ["rule", *kinds, "candidates x2", "control x2", "d=1", "d=2", "d=3"],
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
    console = Console(width=220)
    for table in tables(arguments.rounds, arguments.gates):
        console.print(table)


if __name__ == "__main__":
    main()
