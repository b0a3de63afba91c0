"""``show``: a run as it stands, for people."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from also_wrappers.cli.summary import RoundSummary, RunSummary
from also_wrappers.report.words import STANDINGS, signal_lines

__all__ = ["duration", "mean_in_words", "print_run"]

_COUNTS = ("mainline", "branches", "evaluation", "total", "unknown")


def print_run(summary: RunSummary, console: Console) -> None:
    """Prints how a run stands.

    Args:
        summary: The run.
        console: Where to print.
    """
    done, planned = summary.trainer_steps.mainline, max(summary.planned, 1)
    heading = (
        f"{summary.run}: {summary.state} at {done:,} of {summary.planned:,} trainer "
        f"steps ({done / planned:.0%})"
    )
    if summary.holder:
        heading += f", by {summary.holder}"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("task", Text(summary.task))
    table.add_row("advisor", Text(summary.advisor))
    table.add_row("signal", Text("\n".join(_signal(summary))))
    table.add_row("base return", mean_in_words(summary))
    table.add_row("rounds", _count(summary))
    if summary.rounds:
        table.add_row("", _rounds(summary))
    table.add_row("time", duration(summary.seconds))
    console.print(Text(heading, style="bold"), soft_wrap=True)
    console.print(table, highlight=False)
    console.print()
    console.print(_costs(summary), highlight=False)
    console.print()
    verb = "to go on" if summary.state == "stopped" else "next"
    for line in summary.go_on:
        console.print(Text(f"{verb}: {line}"), soft_wrap=True)


def mean_in_words(summary: RunSummary) -> str:
    """Returns the base return of a run's last episodes with its standard error."""
    if summary.base_return is None:
        return "no episode has ended yet"
    return (
        f"{summary.base_return:.3f} +- {summary.standard_error or 0.0:.3f} over the "
        f"last {summary.episodes:,} episodes"
    )


def duration(seconds: float) -> str:
    """Returns a wall-clock time in words.

    Example:
        >>> duration(59.4), duration(200), duration(7260)
        ('59 s', '3 min 20 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _signal(summary: RunSummary) -> list[str]:
    standing = [] if summary.standing is None else [STANDINGS[summary.standing]]
    return [*standing, *signal_lines(summary.signal)]


def _count(summary: RunSummary) -> str:
    played = sum(not entry.skipped for entry in summary.rounds)
    return f"{played} played, {summary.swaps} swap{'' if summary.swaps == 1 else 's'}"


def _rounds(summary: RunSummary) -> Table:
    """Returns a line for each round that was played, and one for those skipped."""
    skipped = Counter(entry.skipped for entry in summary.rounds if entry.skipped)
    table = Table.grid(padding=(0, 1))
    for entry in summary.rounds:
        if entry.skipped:
            continue
        table.add_row(f"{entry.round}.", Text(_round(entry)))
        for settlement in entry.settlements:
            table.add_row("", Text(f"then {settlement}"))
    for reason, count in skipped.items():
        table.add_row("", Text(f"{count} skipped: {reason}"))
    return table


def _round(entry: RoundSummary) -> str:
    where = f"at {entry.trainer_steps:,} trainer steps"
    if entry.branches:
        where += f", {entry.branches} branch{'' if entry.branches == 1 else 'es'}"
    return f"{where}: {entry.decision or 'not decided yet'}"


def _costs(summary: RunSummary) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("steps", style="dim", no_wrap=True)
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    for unit, counts in (
        ("environment", summary.env_steps),
        ("trainer", summary.trainer_steps),
    ):
        table.add_row(unit, *(f"{getattr(counts, name):,}" for name in _COUNTS))
    return table
