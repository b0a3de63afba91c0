"""The demo: level-based foraging with PPO, adapted against base reward alone."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from also_wrappers.advisors.base import Advisor
from also_wrappers.branches.executors import start_process
from also_wrappers.cli.foraging import (
    evaluate_model,
    is_finished,
    load_model,
    make_factory,
    make_model,
    make_task,
    save_model,
    train_base_only,
)
from also_wrappers.cli.milestones import closing_lines, expert_alone, milestones
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.files import read_json, write_json
from also_wrappers.ledger.events import (
    RunFinished,
    RunResumed,
    Swapped,
)
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.loop.settings import Settings
from also_wrappers.report.page import write_report
from also_wrappers.report.standing import ActiveSignal
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.run.run import Run
from also_wrappers.trainers.sb3.callback import AdaptationCallback

__all__ = ["DemoSettings", "run_demo", "training_of"]


@dataclass(frozen=True)
class DemoSettings:
    """Says what the demo runs.

    Attributes:
        env_id: A foraging environment.
        seed: Seed of everything.
        run_dir: Where to record the adapted run.
        resume: Whether to go on with the run that is there.
        smoke: Tiny budgets: the same path, no result to speak of.
        advisor: Who proposes: ``rules``, ``blind``, ``recorded`` or ``model``.
        model: The Ollama model that proposes, where a model does.
    """

    env_id: str
    seed: int
    run_dir: Path
    resume: bool = False
    smoke: bool = False
    advisor: str = "rules"
    model: str | None = None

    def save(self) -> None:
        """Writes into the run's directory what a resumed run has to know."""
        names = ("env_id", "seed", "smoke", "advisor", "model")
        settings = {name: getattr(self, name) for name in names}
        write_json(self.run_dir / "demo.json", settings)

    def as_begun(self) -> DemoSettings:
        """Returns the settings that the run in the directory was begun with, resumed.

        Raises:
            ConfigurationError: There is no demo's run in the directory.
        """
        path = self.run_dir / "demo.json"
        if not path.exists():
            raise ConfigurationError(
                f"{self.run_dir} holds no run to resume; begin one without --resume"
            )
        try:
            return replace(self, resume=True, **read_json(path))
        except TypeError as error:
            raise ConfigurationError(
                f"{path} does not say how the demo was begun; bring back the file that "
                "it wrote, or begin another without --resume"
            ) from error

    @property
    def total(self) -> int:
        """Trainer steps of the mainline: more for larger fields and teams."""
        size = re.search(r"-(\d+)x\d+-(\d+)p-", self.env_id)
        side, players = map(int, size.groups()) if size else (8, 2)
        if self.smoke:
            return 16_384 * players
        return 204_800 * players * max(1, round(side / 8))

    @property
    def most(self) -> int:
        """Trainer steps that the adapted run can spend at most, branches included.

        Twice what is planned: steps that are lost in a stop are spent as well.
        """
        return 2 * int((1.0 + self.budget) * self.total)

    @property
    def budget(self) -> float:
        """What branches may spend, as a multiple of ``total``."""
        budget: float = self.schedule.get("budget", Settings().budget)
        return budget

    @property
    def base_only_dir(self) -> Path:
        """Where to record the run on base reward alone."""
        return self.run_dir / "base_only"

    @property
    def schedule(self) -> dict[str, Any]:
        """When to pause and how long branches are; the defaults but in a smoke run."""
        if self.smoke:
            short = self.total // 8
            return {
                "first": short,
                "every": 2 * short,
                "horizon": short,
                "budget": 1.5,
            }
        return {}

    @property
    def episodes(self) -> int:
        """Number of evaluation episodes."""
        return 32 if self.smoke else 256


def training_of(settings: DemoSettings) -> Callable[..., None]:
    """Returns what trains as the demo's adapted run was trained.

    Args:
        settings: What the demo was begun with.

    Returns:
        A function ``train(run_dir, seed, **options)``, with options of
        ``AdaptationCallback``.
    """

    def train(run_dir: Path, seed: int, **options: Any) -> None:
        torch.set_num_threads(1)
        make_venv = make_factory(settings.env_id)
        run = Run(make_task(settings.env_id), run_dir, resume="auto")
        model = make_model(make_venv(run.shape), seed)
        callback = AdaptationCallback(run, make_venv, seed=seed, **options)
        model.learn(settings.total, callback=callback)
        run.close()

    return train


def run_demo(settings: DemoSettings, advisor: Advisor, console: Console) -> None:
    """Runs the demo and prints its table.

    Raises:
        AlsoError: Something cannot work; before any training.
    """
    torch.set_num_threads(1)
    task = make_task(settings.env_id)
    advisor.prepare()
    run = Run(task, settings.run_dir, resume=settings.resume)
    settings.save()
    if settings.resume and (settings.run_dir / "result.json").exists():
        raise AlsoError(f"the run in {settings.run_dir} is finished; see its report")
    make_venv = make_factory(settings.env_id)
    lines = ProgressLines(console, run.events())
    run.ledger.listeners.append(lines)
    base_only = start_process(
        train_base_only,
        (
            settings.run_dir,
            settings.base_only_dir,
            settings.env_id,
            settings.seed,
            settings.most,
            settings.total // 10,
        ),
        ("also_wrappers.cli.foraging", "torch"),
    )
    if is_finished(settings.run_dir):
        lines.say("resume", "the adapted run is finished, base reward alone is not")
    else:
        model = make_model(make_venv(run.shape), settings.seed)
        callback = AdaptationCallback(
            run,
            make_venv,
            advisor,
            seed=settings.seed,
            verbose=0,  # the lines above go on until the table
            **settings.schedule,
        )
        model.learn(settings.total, callback=callback)
        save_model(model, settings.run_dir)
    lines.say("wait", "base reward alone trains up to the same number of steps")
    base_only.join()
    if not is_finished(settings.base_only_dir):
        raise AlsoError(
            "training on base reward alone ended without a result; --resume tries again"
        )
    lines.say("evaluate", f"{settings.episodes} episodes, stochastic policy, unshaped")
    result = _result(settings, advisor)
    write_json(settings.run_dir / "result.json", result)
    report = write_report(settings.run_dir, settings.base_only_dir)
    run.close()
    _print(console, settings, result, report)


def _result(settings: DemoSettings, advisor: Advisor) -> dict[str, Any]:
    """Evaluates both models and sums up their runs."""
    events = list(read_ledger(settings.run_dir / "ledger.jsonl"))
    base_only = list(read_ledger(settings.base_only_dir / "ledger.jsonl"))
    last = next(e for e in reversed(events) if isinstance(e, RunFinished))
    seconds = sum(
        after.time - before.time
        for before, after in itertools.pairwise(events)
        if not isinstance(after, RunResumed)
    )
    make_venv = make_factory(settings.env_id)
    adapted, alone = (
        evaluate_model(
            load_model(path, make_venv), make_venv, settings.episodes, settings.seed
        )
        for path in (settings.run_dir, settings.base_only_dir)
    )
    return {
        "env": settings.env_id,
        "seed": settings.seed,
        "advisor": advisor.name,
        "rounds": last.rounds,
        "swaps": sum(isinstance(event, Swapped) for event in events),
        "seconds": round(seconds + time.time() - events[-1].time, 1),
        "env_steps": last.env_steps.model_dump(),
        "adapted": adapted,
        "base_only": alone,
        "base_only_env_steps": base_only[-1].env_steps.mainline,
        "expert": expert_alone(events),
        "signal": last.signal.model_dump(mode="json"),
        "standing": ActiveSignal(events).standing,
        "milestones": milestones(events, base_only),
    }


def _print(
    console: Console,
    settings: DemoSettings,
    result: dict[str, Any],
    report: Path,
) -> None:
    table = Table(title=f"{settings.env_id}, seed {settings.seed}, {result['advisor']}")
    for column in (
        "training",
        "environment steps",
        "base return",
        "spread",
        "episodes",
    ):
        table.add_column(column, justify="left" if column == "training" else "right")
    steps = result["env_steps"]
    for name, key, count in (
        ("adapted", "adapted", f"{steps['total']:,}"),
        ("base reward alone", "base_only", f"{result['base_only_env_steps']:,}"),
    ):
        row = result[key]
        table.add_row(
            name, count, f"{row['mean']:.3f}", f"{row['std']:.3f}", str(row["episodes"])
        )
    if result["expert"] is not None:
        row = result["expert"]
        table.add_row(
            "the expert alone",
            f"{row['env_steps']:,}",
            f"{row['mean']:.3f} +- {row['error']:.3f}",
            f"{row['std']:.3f}",
            str(row["episodes"]),
        )
    console.print(table)
    for line in closing_lines(result):
        console.print(line, markup=False, highlight=False)
    console.print(f"Report: {report}", highlight=False, soft_wrap=True)
    console.print(
        f"TensorBoard: tensorboard --logdir {settings.run_dir / 'tensorboard'}",
        highlight=False,
        soft_wrap=True,
    )
    if settings.smoke:
        console.print("A smoke run shows that everything works, and no learning.")
