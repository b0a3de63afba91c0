"""``compare``: several runs beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from also_wrappers.cli.show import duration
from also_wrappers.cli.summary import RunSummary

__all__ = ["print_comparison"]

#: What is compared, a row each.
_ROWS: dict[str, Callable[[RunSummary], str]] = {
    "state": lambda run: run.state,
    "advisor": lambda run: run.advisor,
    "base return": lambda run: _number(run.base_return),
    "standard error": lambda run: _number(run.standard_error),
    "of episodes": lambda run: f"{run.episodes:,}",
    "environment steps, own": lambda run: f"{run.env_steps.mainline:,}",
    "environment steps, all": lambda run: f"{run.env_steps.total:,}",
    "unknown, at most": lambda run: f"{run.env_steps.unknown:,}",
    "rounds": lambda run: str(sum(not entry.skipped for entry in run.rounds)),
    "swaps": lambda run: str(run.swaps),
    "signal": lambda run: run.standing or ("none" if run.signal.empty else "in use"),
    "time": lambda run: duration(run.seconds),
}


def print_comparison(summaries: Sequence[RunSummary], console: Console) -> None:
    """Prints runs beside each other, a column for each.

    Args:
        summaries: The runs.
        console: Where to print.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for summary in summaries:
        table.add_column(Text(summary.run), justify="right", overflow="fold")
    for name, text_of in _ROWS.items():
        table.add_row(name, *map(text_of, summaries))
    console.print(table, highlight=False)


def _number(number: float | None) -> str:
    return "none" if number is None else f"{number:.3f}"
