"""Advisors that need no server, compared on level-based foraging.

    python tests/benchmarks/advisors.py [--seeds 0 1 2] [--advisors rules blind]

The same PPO, gate, schedule and total of environment steps for all: what an advisor
does not spend on branches is trained on the base reward alone afterwards. Minutes for
every run; a row is printed as soon as its run is over.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from also_wrappers.advisors import BlindAdvisor, RuleAdvisor
from also_wrappers.advisors.base import Advisor
from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.models.embedded import Embedded
from also_wrappers.cli.demo import DemoSettings
from also_wrappers.cli.foraging import (
    evaluate_model,
    make_factory,
    make_model,
    make_task,
)
from also_wrappers.cli.milestones import milestones
from also_wrappers.ledger.events import Checked, Exchanged, RoundStarted, Swapped
from also_wrappers.run.run import Run
from also_wrappers.trainers.sb3.callback import AdaptationCallback

ADVISORS: dict[str, Callable[[int], Advisor]] = {
    "rules": lambda seed: RuleAdvisor(),
    "blind": lambda seed: BlindAdvisor(seed),
    "embedded": lambda seed: LLMAdvisor(Embedded(seed=seed)),
}
COLUMNS = (
    "advisor",
    "seed",
    "base return",
    "spread",
    "candidates tried",
    "rejected",
    "rounds",
    "swaps",
    "own + branches + rest, environment steps",
    "own steps to .9",
    "grounded",
    "seconds",
)


def train(name: str, seed: int, env_id: str, folder: Path) -> list[str]:
    """One run; returns its row."""
    began = time.monotonic()
    settings = DemoSettings(env_id, seed, folder)
    run = Run(make_task(env_id), folder)
    make_venv = make_factory(env_id)
    model = make_model(make_venv(run.shape), seed)
    advisor = ADVISORS[name](seed)
    model.learn(
        settings.total,
        callback=AdaptationCallback(
            run, make_venv, advisor, seed=seed, verbose=0, **settings.schedule
        ),
    )
    run.close()
    spent = run.accounting.trainer_steps()
    total = int((1.0 + settings.budget) * settings.total)
    rest = max(total - spent.total, 0)
    if rest:
        # The signal has faded out by now, so that this is the base reward alone.
        model.learn(rest, reset_num_timesteps=False)
    result = evaluate_model(model, make_venv, 256, seed)
    events = run.events()
    exchanges = [event.exchange for event in events if isinstance(event, Exchanged)]
    claims = sum(exchange.claims for exchange in exchanges)
    grounded = sum(exchange.grounded for exchange in exchanges)
    agents = run.accounting.agents_per_env
    parts = (spent.mainline, spent.branches, rest)
    reached = milestones(run.events(), [])["adapted_own"]
    checks = [event.passed for event in events if isinstance(event, Checked)]
    return [
        name,
        str(seed),
        f"{result['mean']:.3f}",
        f"({result['std']:.3f})",
        str(sum(checks)),
        str(len(checks) - sum(checks)),
        str(sum(isinstance(event, RoundStarted) for event in events)),
        str(sum(isinstance(event, Swapped) for event in events)),
        " + ".join(f"{part // agents:,}" for part in parts),
        f"{reached:,}" if reached is not None else "never",
        f"{grounded} of {claims}" if exchanges else "-",
        f"{time.monotonic() - began:.0f}",
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="Foraging-8x8-2p-2f-coop-v3")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--advisors", nargs="+", default=list(ADVISORS))
    parser.add_argument("--keep", type=Path, help="where to keep the runs")
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    print(f"| {' | '.join(COLUMNS)} |", flush=True)
    print(f"|{'---|' * len(COLUMNS)}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for seed in arguments.seeds:
            for name in arguments.advisors:
                row: list[Any] = train(
                    name, seed, arguments.env, folder / f"{name}-{seed}"
                )
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
