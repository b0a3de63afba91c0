"""A recorded expert in the demo's training, at the defaults, branches and all.

    python tests/benchmarks/experts.py [--expert foraging_8x8] [--seed 0] [--steps N]

The expert is the only candidate of the only round: it is played first, used without a
branch where that shows it to be clearly better than nothing, and imitated. Printed are
the environment steps of everything until the base return in training is .5 and .9, and
base return over 256 evaluation episodes. About a minute on an idle machine.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.catalog import lbforaging
from also_wrappers.cli.foraging import (
    DESCRIPTION,
    evaluate_model,
    make_factory,
    make_model,
)
from also_wrappers.ledger.events import Auditioned, Recorded
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.trainers.sb3.callback import AdaptationCallback
from tests.support.experts import recorded

ENVIRONMENTS = {
    "foraging_8x8": "Foraging-8x8-2p-2f-coop-v3",
    "foraging_10x10": "Foraging-10x10-3p-3f-coop-v3",
}


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expert", choices=ENVIRONMENTS, default="foraging_8x8")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=307_200)
    arguments = parser.parse_args()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    env_id = ENVIRONMENTS[arguments.expert]
    probe = lbforaging.parallel_env(env_id)
    task = Task(
        DESCRIPTION,
        lbforaging.features(probe, experts=True),
        success="base_return >= 0.99",
        actions=lbforaging.actions(probe),
    )
    make_venv = make_factory(env_id)
    advisor = RecordedAdvisor([[Proposal(signal=recorded(arguments.expert))]])
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(task, Path(folder) / "run")
        model = make_model(make_venv(run.shape), arguments.seed)
        adapting = AdaptationCallback(
            run, make_venv, advisor, seed=arguments.seed, verbose=0
        )
        model.learn(arguments.steps, adapting)
        run.close()
        events = run.events()
        steps = run.accounting.env_steps()
    after = {}
    for level in (0.5, 0.9):
        reached = (
            event.env_steps.total
            for event in events
            if isinstance(event, Recorded) and event.window.mean >= level
        )
        after[level] = next((f"{total:,}" for total in reached), "never")
    plays = [event for event in events if isinstance(event, Auditioned)]
    earned = f"{plays[0].earned:.2f}" if plays else "-"
    result = evaluate_model(model, make_venv, 256, arguments.seed)
    Console(highlight=False, soft_wrap=True).print(
        f"{arguments.expert}, seed {arguments.seed}: alone it earns {earned}; .5 after "
        f"{after[0.5]} and .9 after {after[0.9]} environment steps of {steps.total:,} "
        f"in all ({steps.mainline:,} own, {steps.branches:,} of branches, "
        f"{steps.evaluation:,} of auditions and rehearsal); base return "
        f"{result['mean']:.3f} ({result['std']:.3f}); {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
