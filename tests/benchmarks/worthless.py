"""What a worthless expert costs that was posted by force, against none.

    python tests/benchmarks/worthless.py [--expert idle | away | half] [--unknown]

In the corridor, with five seeds: the expert plays first, exactly and with a tenth of
random actions, and is posted with the larger of what it earned; ``--unknown`` posts it
without a promise, so that its pull never ends. Printed are base returns over the whole
training and of evaluations at its end, differences to training without an expert, and
the one-sided bound at .05 below which the loss is not. A minute or so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from scipy.stats import t

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.ledger.events import Recorded
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import evaluate
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.wrappers.shape import Shape
from tests.support.corridor import make_model, make_venv
from tests.support.trainers import ACTIONS

SEEDS = range(5)
EXPERTS = {
    "idle": (Rule(when="1", do="stay"),),
    "away": (Rule(when="1", do="back"),),
    "half": (Rule(when="place < 0.6", do="on"), Rule(when="1", do="back")),
}
#: Loss of base return that counts as none; a solved episode earns 1.
MARGIN = 0.05


def trained(folder: Path, signal: Signal, seed: int, steps: int, known: bool) -> Any:
    """Trains once; returns base return over the training, at its end, and alone."""
    run = Run(Task("Walk.", corridor_features(), actions=ACTIONS), folder / "run")
    model = make_model(run, seed=seed)
    alone = None
    if signal.expert is not None and known:
        posting = Posting(version=1, signal=signal, gamma=model.gamma)
        shape = Shape(run.task, Board.create(folder / "audition", posting))
        trainer = SB3Trainer(model, make_venv, steps)
        plays = [
            trainer.audition(shape, 100, seed, noise, lambda steps: None).returns
            for noise in (0.0, 0.1)
        ]
        alone = max(map(statistics.fmean, plays))
    run.board.post(Posting(version=1, signal=signal, promised=alone))
    model.learn(
        steps, AdaptationCallback(run, make_venv, budget=0.0, first=10**9, verbose=0)
    )
    run.close()
    windows = [e.window for e in run.events() if isinstance(e, Recorded)]
    episodes = sum(window.episodes for window in windows)
    whole = sum(window.episodes * window.mean for window in windows) / episodes
    return whole, evaluate(model, make_venv, 200, seed=seed).mean, alone


def main() -> None:
    """Prints a line per seed, and the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expert", choices=EXPERTS, default="away")
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--steps", type=int, default=12_288)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    say = Console(highlight=False, soft_wrap=True).print
    signal = Signal(expert=Expert(rules=EXPERTS[arguments.expert]))
    differences: dict[str, list[float]] = {"over the training": [], "at its end": []}
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            *plain, _ = trained(Path(one), Signal(), seed, arguments.steps, known=True)
            known = not arguments.unknown
            *pulled, alone = trained(Path(two), signal, seed, arguments.steps, known)
        promise = "unknown" if alone is None else f"{alone:.3f}"
        say(
            f"seed {seed}: {pulled[0]:.3f} over the training and {pulled[1]:.3f} at "
            f"its end, without {plain[0]:.3f} and {plain[1]:.3f}; promised {promise}"
        )
        for name, ours, peer in zip(differences, pulled, plain, strict=True):
            differences[name].append(ours - peer)
    for name, values in differences.items():
        mean, count = statistics.fmean(values), len(values)
        error = statistics.stdev(values) / count**0.5
        bound = mean - float(t.ppf(0.95, count - 1)) * error
        verdict = "not worse" if bound > -MARGIN else "may be worse"
        say(
            f"{arguments.expert}, {name}: {mean:+.3f}, at least {bound:+.3f}: "
            f"{verdict} by {MARGIN}"
        )


if __name__ == "__main__":
    main()
