"""The command line: ``also-wrappers COMMAND``, a thin list of commands."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import also_wrappers
from also_wrappers.cli.advisor import Who, check_who, make_advisor
from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.files import write_json
from also_wrappers.signal.model import Signal

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Adapts the learning signal while training runs.",
)
_console = Console()
#: Seeds of evaluations and of copies are added to it, within 32 bits.
_LARGEST_SEED = 2**31 - 1
_DEMO_ENV = "Foraging-10x10-3p-3f-coop-v3"


_Timeout = Annotated[
    float, typer.Option(help="Seconds for one answer of the model.", min=0.1)
]
_RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the same as JSON.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        _console.print(also_wrappers.__version__, highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Takes the options that stand before a command."""


@app.command(epilog="Example: also-wrappers demo --smoke")
def demo(
    env: Annotated[str, typer.Option(help="A foraging environment.")] = _DEMO_ENV,
    seed: Annotated[
        int, typer.Option(help="Seed of everything.", min=0, max=_LARGEST_SEED)
    ] = 0,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where to record; runs/demo-... if not given.")
    ] = None,
    advisor: Annotated[
        Who,
        typer.Option(
            help="Who proposes: built-in rules, chance, the recorded expert of a large "
            "language model, or --model."
        ),
    ] = Who.rules,
    model: Annotated[
        str | None,
        typer.Option(help="An Ollama model; the host is taken from OLLAMA_HOST."),
    ] = None,
    timeout: _Timeout = 300.0,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --run-dir, as begun."),
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Tiny budgets, under a minute.")
    ] = False,
) -> None:
    """Train level-based foraging, adapted against base reward alone."""
    _need("sb3", "stable_baselines3", "torch", "tensorboard", "matplotlib")
    _need("envs", "lbforaging")
    if resume and run_dir is None:
        raise ConfigurationError("--resume needs --run-dir, the run to go on with")
    from also_wrappers.cli.demo import DemoSettings, run_demo

    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    folder = run_dir or Path("runs") / f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
    who = check_who(advisor, model)
    settings = DemoSettings(env, seed, folder, resume, smoke, who, model)
    if resume:
        settings = settings.as_begun()
    try:
        run_demo(settings, make_advisor(settings, timeout, _console), _console)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "stopped; what was recorded is kept. To go on from the last checkpoint: "
            f"also-wrappers demo --resume --run-dir {folder}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None


@app.command(epilog="Example: also-wrappers doctor --model qwen3:8b")
def doctor(
    model: Annotated[
        str | None, typer.Option(help="An Ollama model; all are listed if not given.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The server; OLLAMA_HOST if not given.")
    ] = None,
    timeout: _Timeout = 300.0,
) -> None:
    """Check the installation, and whether and how fast a model works.

    No language model is needed; without --model and --host, none is missed.
    """
    from also_wrappers.cli.doctor import examine

    def tell(line: str) -> None:
        _console.print(line, markup=False, highlight=False, soft_wrap=True)

    examine(model, host, timeout, tell)


@app.command(
    epilog="Example: also-wrappers inspect my_envs:make_env --features my_envs:features"
)
def inspect(
    factory: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FACTORY",
            help="A function without arguments, or a class, that makes an environment.",
        ),
    ],
    features: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="A FeatureMap, or a function of the environment that makes one; named "
            "after the spaces if not given.",
        ),
    ] = None,
    episodes: Annotated[
        int, typer.Option(help="Episodes of random actions.", min=1)
    ] = 20,
) -> None:
    """Examine an environment of yours: spaces, seeds, returns, features."""
    from also_wrappers.cli.examine import examine_environment

    examine_environment(factory, features, episodes, _console)


@app.command(epilog="Example: also-wrappers show runs/a")
def show(
    run_dir: _RunDir,
    as_json: _Json = False,
) -> None:
    """Show how a run stands: signal, rounds, cost, and how to go on."""
    from also_wrappers.cli.show import print_run
    from also_wrappers.cli.summary import summarise_run

    summary = summarise_run(run_dir)
    if as_json:
        _print_json(summary.model_dump(mode="json"))
    else:
        print_run(summary, _console)
    if summary.damage:
        raise ConfigurationError(summary.damage)


@app.command(epilog="Example: also-wrappers watch runs/a")
def watch(
    run_dir: _RunDir,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for what comes.")
    ] = True,
) -> None:
    """Print what happens in a run, until it has finished."""
    from also_wrappers.cli.watch import print_past, watch_run

    if not follow:
        print_past(run_dir, _console)
        return
    try:
        watch_run(run_dir, _console, Console(stderr=True))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command(epilog="Example: also-wrappers report runs/a --baseline runs/b")
def report(
    run_dir: _RunDir,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="A run on base reward alone to show beside it; the demo's own if "
            "not given."
        ),
    ] = None,
) -> None:
    """Write a run's report.html anew."""
    from also_wrappers.report.page import write_report

    own = run_dir / "base_only"
    if baseline is None and (own / "ledger.jsonl").exists():
        baseline = own
    path = write_report(run_dir, baseline)
    _console.print(str(path), highlight=False, soft_wrap=True)


@app.command(epilog="Example: also-wrappers compare runs/a runs/b")
def compare(
    run_dirs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Directories of runs.")
    ],
    as_json: _Json = False,
) -> None:
    """Show runs beside each other: base return, steps, signal, time."""
    from also_wrappers.cli.compare import print_comparison
    from also_wrappers.cli.summary import summarise_run

    summaries = [summarise_run(run_dir) for run_dir in run_dirs]
    if as_json:
        _print_json([summary.model_dump(mode="json") for summary in summaries])
    else:
        print_comparison(summaries, _console)
    damage = [summary.damage for summary in summaries if summary.damage]
    if damage:
        raise ConfigurationError("; ".join(damage))


@app.command(epilog="Example: also-wrappers export runs/a --out signal.json")
def export(
    run_dir: _RunDir,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; printed if not given.")
    ] = None,
) -> None:
    """Give out the signal that a run has found, and say how to use it."""
    from also_wrappers.report.reuse import usage_of

    signal = Signal.from_run(run_dir)
    data = signal.model_dump(mode="json")
    if out is None:
        _print_json(data)
    else:
        write_json(out, data)
    Console(stderr=True).print(
        usage_of(signal, run_dir), markup=False, highlight=False, soft_wrap=True
    )


@app.command(epilog="Example: also-wrappers replay runs/a my_script:train --seeds 3")
def replay(
    run_dir: _RunDir,
    train: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:TRAIN",
            help="A function train(run_dir, seed, **options) that trains as the run "
            "was trained, with the options handed to AdaptationCallback; not needed "
            "for runs of the demo.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 3,
    as_json: _Json = False,
) -> None:
    """Train with what a run has found on other seeds, and without it.

    No advisor is asked and no branch is trained: the signals are active from
    the same trainer steps on as in the run. Trainings that are finished are
    kept.
    """
    from also_wrappers.cli.replay import load_training, print_replays, replay_run

    if train is None:
        if not (run_dir / "demo.json").exists():
            raise ConfigurationError(
                f"{run_dir} is no run of the demo; give MODULE:TRAIN, a function "
                "train(run_dir, seed, **options) that trains as it was trained"
            )
        from also_wrappers.cli.demo import DemoSettings, training_of

        _need("envs", "lbforaging")
        training = training_of(DemoSettings(_DEMO_ENV, 0, run_dir).as_begun())
    else:
        training = load_training(train)
    try:
        # A training may print; what is printed as JSON is for other programs.
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            results = replay_run(run_dir, training, seeds, _console)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        _print_json([result.model_dump(mode="json") for result in results])
    else:
        print_replays(results, _console)


@app.command(epilog="Example: also-wrappers study examples/study/plan.toml --smoke")
def study(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="A TOML file: tasks, arms, seeds.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The study's directory; runs/study-NAME if not given."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(help="Trainings at a time; one a core if not given.", min=1),
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A tiny version of the plan.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Train arms on tasks over seeds, and compare them at equal steps.

    A study that was stopped goes on; trainings that are finished are kept.
    """
    _need("sb3", "matplotlib")
    from also_wrappers.cli.study.comparison import print_comparison
    from also_wrappers.cli.study.page import write_study
    from also_wrappers.cli.study.trainings import begin_study

    name = f"study-{plan.stem}{'-smoke' if smoke else ''}"
    begun = begin_study(plan, out or Path("runs") / name, small=smoke)
    console = Console(stderr=True) if as_json else _console
    try:
        failed = begun.train(processes or os.cpu_count() or 1, console)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on", highlight=False)
        raise typer.Exit(130) from None
    comparison = write_study(begun)
    if as_json:
        _print_json(comparison.model_dump(mode="json"))
    else:
        print_comparison(comparison, _console)
    console.print(f"Page: {begun.folder / 'study.html'}", highlight=False)
    if failed:
        raise ConfigurationError(
            f"{len(failed)} training(s) failed, the first is {failed[0]}; see "
            f"{begun.log_of(failed[0])}. The same command tries again"
        )


def main() -> None:
    """Runs the command line; an error of ours is one sentence and exit code 2."""
    try:
        app()
    except AlsoError as error:
        Console(stderr=True).print(
            f"error: {error}",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(2)


def _print_json(data: Any) -> None:
    """Prints plain data, bare of colors and breaks, for other programs."""
    typer.echo(json.dumps(data, indent=2))


def _need(extra: str, *modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} is not installed; "
            f"run: pip install 'also-wrappers[{extra}]'"
        )
