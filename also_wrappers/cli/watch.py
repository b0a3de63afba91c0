"""``watch``: what happens in a run, as it is written."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live

from also_wrappers.cli.panel import RunPanel
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.events import RunFinished
from also_wrappers.ledger.ledger import (
    follow,
    last_event,
    other_runs,
    salvage_ledger,
)
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.run.lock import holder_of

__all__ = ["print_past", "watch_run"]


def print_past(run_dir: Path, console: Console) -> None:
    """Prints what has happened in a run so far, all of it that can be read.

    Args:
        run_dir: The run's directory.
        console: Where to print.

    Raises:
        ConfigurationError: There is no run, or not all of its ledger can be read.
    """
    events, damage = salvage_ledger(run_dir / "ledger.jsonl")
    lines = ProgressLines(console)
    for event in events:
        lines(event)
    if damage:
        raise ConfigurationError(damage)


def watch_run(run_dir: Path, console: Console, remarks: Console) -> None:
    """Prints what happens in a run from its beginning on, until it has finished.

    A terminal also has a panel below the lines, which says where the run is now.

    Args:
        run_dir: The run's directory; it may not be there yet.
        console: Where to print.
        remarks: Where to print what is no event, such as that nobody runs the run.

    Raises:
        ConfigurationError: The ledger cannot be read, or the directory holds runs and
            is none.
    """
    ledger, lock = run_dir / "ledger.jsonl", run_dir / "run.lock"
    if not ledger.exists():
        if others := other_runs(run_dir):
            raise ConfigurationError(f"{run_dir} holds no run{others}")
        _remark(remarks, f"{run_dir} holds no run yet; waiting for one")
    elif holder_of(lock) is None and not isinstance(last_event(ledger), RunFinished):
        _remark(remarks, f"no process runs {run_dir}; waiting for one to go on with it")
    lines = ProgressLines(console)
    panel = RunPanel(str(run_dir), lambda: holder_of(lock) is not None)
    shown: AbstractContextManager[object] = nullcontext()
    if console.is_interactive and not console.is_jupyter:
        shown = Live(panel, console=console, refresh_per_second=2, transient=True)
    with shown:
        for event in follow(ledger):
            panel.add(event)
            lines(event)
    name = shlex.quote(str(run_dir))
    lines.say("report", f"also-wrappers report {name} writes {run_dir}/report.html")


def _remark(remarks: Console, text: str) -> None:
    line = f"{text} (Ctrl-C ends, --no-follow does not wait)"
    remarks.print(line, markup=False, highlight=False, soft_wrap=True)
